"""The photos that are measured with: of web size, and as they come from a camera."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from tests.program import ROOT

SHARED = ROOT.parent / "shared"
WEB_SIDE = 480  # px, the longer side


def web_photos(scratch: Path, count: int) -> list[Path]:
    """Photos of web size: real ones that lie beside the checkout, else made ones."""
    found = sorted((SHARED / "bears").glob("*/*.jpg"))
    if found:
        return found[:: max(1, len(found) // count)][:count]
    scratch.mkdir()
    return [_made(scratch / f"{index}.jpg", index) for index in range(min(count, 50))]


def large_photos() -> list[Path]:
    return sorted((SHARED / "photos-large").glob("*.jpg"))


def copies(photos: Sequence[Path], folder: Path, count: int) -> list[Path]:
    """`count` photos in a new folder, each of `photos` in turn."""
    folder.mkdir(parents=True)
    return list(itertools.islice(_copies(photos, folder), count))


def _copies(photos: Sequence[Path], folder: Path) -> Iterator[Path]:
    for number, photo in enumerate(itertools.cycle(photos)):
        target = folder / f"{number}.jpg"
        shutil.copyfile(photo, target)
        yield target


def _made(path: Path, seed: int) -> Path:
    """A picture with as much detail as a photo: coarse noise, so about 40 kB."""
    noise = random.Random(seed).randbytes(3 * 80 * 60)
    with Image.frombytes("RGB", (80, 60), noise) as small:
        small.resize((WEB_SIDE, WEB_SIDE * 3 // 4), Image.Resampling.BICUBIC).save(path, quality=85)
    return path
