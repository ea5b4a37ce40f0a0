"""Small made-up photos to learn from: no two alike, and their colour is what they show."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image

COLOURS = {"red": (190, 40, 40), "green": (40, 190, 40), "blue": (40, 40, 190)}
GREY = (110, 110, 110)


def textured(
    path: Path, colour: tuple[int, int, int], seed: int, size: tuple[int, int] = (64, 48)
) -> Path:
    """A photo with spots of all sizes; the same seed gives the same spots."""
    dice, image = random.Random(seed), Image.new("RGB", size, colour)
    for across in (6, 12, 24):
        spots = Image.frombytes("RGB", (across, across), dice.randbytes(across * across * 3))
        image = Image.blend(image, spots.resize(size, Image.Resampling.BICUBIC), 0.15)
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=92)
    return path


def class_folders(folder: Path, each: int = 24) -> Path:
    """Folders red, green and blue, and `none` with grey photos in two sub-folders."""
    seed = 0
    for name, colour in COLOURS.items():
        for _ in range(each):
            seed += 1
            textured(folder / name / f"{seed:03}.jpg", colour, seed)
    for number in range(each):
        seed += 1
        kind = "stones/round" if number % 2 else "walls"
        textured(folder / "none" / kind / f"{seed:03}.jpg", GREY, seed)
    return folder
