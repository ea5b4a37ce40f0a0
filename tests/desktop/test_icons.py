"""The icon is sharp in every size that panels ask for, and can be seen on light and dark ones."""

from __future__ import annotations

import functools

import pytest
from PIL import Image, ImageChops, ImageOps

from trayapp.desktop.icons import SIZES, draw
from trayapp.desktop.view import TrayState

WHITE, BLUE, SLATE, RED = (
    (255, 255, 255),
    (0x1F, 0x6F, 0xD6),
    (0x56, 0x64, 0x72),
    (0xD9, 0x2B, 0x1F),
)
MARKS: dict[TrayState, tuple[int, int, int]] = {"busy": BLUE, "paused": SLATE, "problem": RED}
PANELS = ("#ffffff", "#f6f5f4", "#808080", "#2e3436", "#000000")

each_size = pytest.mark.parametrize("size", SIZES)


def pure(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    """How many points have just this colour: a blurred edge has none."""
    data = picture.tobytes()
    return sum(data[at : at + 4] == bytes((*colour, 255)) for at in range(0, len(data), 4))


@each_size
def test_the_bear_looks_straight_at_you(size: int) -> None:
    bear = draw("watching", size)
    assert ImageChops.difference(bear, ImageOps.mirror(bear)).getbbox() is None


@each_size
@pytest.mark.parametrize("state", MARKS)
def test_the_mark_is_drawn_in_whole_points(state: TrayState, size: int) -> None:
    picture = draw(state, size)
    assert pure(picture, MARKS[state]) >= size  # in a disc or triangle of half the width
    assert pure(picture, WHITE) >= 3  # the dots, the bars, the exclamation mark


@each_size
@pytest.mark.parametrize("panel", PANELS)
def test_it_stands_out_from_the_panel(panel: str, size: int) -> None:
    """Most of it differs much from any panel: the fur, or the light around it."""
    under = Image.new("RGBA", (size, size), panel)
    over = Image.alpha_composite(under, draw("watching", size))
    bands = ImageChops.difference(over.convert("RGB"), under.convert("RGB")).split()
    difference = functools.reduce(ImageChops.lighter, bands)
    seen = sum(value > 40 for value in difference.tobytes())
    assert seen > 0.4 * size * size
