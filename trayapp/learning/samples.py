"""Pictures to try two engines on: those of a folder, or some made for the purpose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trayapp.engine import EngineError
from trayapp.photo import SUFFIXES

T = TypeVar("T")

MADE = 120
MOST = 1000
"""Of a folder's pictures, evenly spread; more take long and show nothing new."""

_SIDES = (9, 37, 64, 97, 160, 224, 240, 333, 480, 641)


def find_samples(folder: Path) -> list[Path]:
    """The pictures below `folder`, at most `MOST`. Raises `EngineError` where there are none."""
    found = sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.casefold() in SUFFIXES and path.is_file() and not path.is_symlink()
    )
    if not found:
        raise EngineError(f"{folder}: holds no pictures: name a folder with some")
    return thinned(found, MOST)


def thinned(items: Sequence[T], most: int) -> list[T]:
    """At most so many of them, evenly spread."""
    if len(items) <= most:
        return list(items)
    return [items[number * len(items) // most] for number in range(most)]


def make_samples(folder: Path) -> list[Path]:
    """Write pictures of many shapes, colours and sizes into `folder`; always the same ones."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(2024)
    paths = []
    for number in range(MADE):
        width, height = (int(side) for side in random.choice(_SIDES, 2))
        path = folder / f"{number:03d}.{'png' if number % 3 else 'jpg'}"
        _scene(random, width, height).save(path)
        paths.append(path)
    return paths


def _scene(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Soft light, some discs of other colours, and the grain of a sensor."""
    ground = random.integers(0, 256, (*random.integers(1, 6, 2), 3)).astype(np.uint8)
    soft = Image.fromarray(ground).resize((width, height), Image.Resampling.BICUBIC)
    pixels: NDArray[Any] = np.asarray(soft, np.float64)
    down, across = np.mgrid[0:height, 0:width]
    for _ in range(int(random.integers(0, 6))):
        centre, reach = random.random(2) * (height, width), random.random(2) * (height, width) / 2
        inside = ((down - centre[0]) / (reach[0] + 1)) ** 2
        inside += ((across - centre[1]) / (reach[1] + 1)) ** 2
        pixels = np.where((inside < 1)[..., None], random.random(3) * 255, pixels)
    pixels = pixels + random.normal(0, random.random() * 15, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
