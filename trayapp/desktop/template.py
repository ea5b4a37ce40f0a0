"""Draws the menu bar icon of macOS: a shape only, which the menu bar paints in its own colour."""

from __future__ import annotations

from PIL import Image

from trayapp.desktop.icons import UNITS, Pencil
from trayapp.desktop.view import TrayState

BLACK = "#000000"
FADED = 0.45  # of a paused bear, as the menu bar's own icons do when they rest
BADGE = 18.0  # radius of the mark, in grid units


def draw_template(state: TrayState, size: int) -> Image.Image:
    """The icon as an RGBA picture of `size` × `size` pixels, black where it is not transparent."""
    pencil = Pencil(size)
    _bear(pencil)
    picture = _faded(pencil.picture()) if state == "paused" else pencil.picture()
    if state == "watching":
        return picture
    hole, mark = Pencil(size), Pencil(size)
    middle = UNITS - BADGE
    hole.disc(middle, middle, BADGE + 4, BADGE + 4, BLACK)
    _MARKS[state](mark, middle)
    picture.paste((0, 0, 0, 0), mask=hole.picture().getchannel("A"))
    return Image.alpha_composite(picture, mark.picture())


def _bear(pencil: Pencil) -> None:
    for x in (13.0, 51.0):
        pencil.disc(x, 16, 12, 12, BLACK)
        pencil.disc(x, 16, 5, 5, None)
    pencil.disc(32, 36, 30, 27, BLACK)
    for x in (20.0, 44.0):
        pencil.disc(x, 29, 4.5, 4.5, None)
    pencil.disc(32, 47, 15, 12, None)
    pencil.disc(32, 42, 7.5, 5.5, BLACK)


def _faded(picture: Image.Image) -> Image.Image:
    picture.putalpha(picture.getchannel("A").point(lambda alpha: int(alpha * FADED)))
    return picture


def _busy(pencil: Pencil, middle: float) -> None:
    pencil.disc(middle, middle, BADGE, BADGE, BLACK)
    for step in (-0.56, 0.0, 0.56):
        pencil.disc(middle + step * BADGE, middle, BADGE * 0.22, BADGE * 0.22, None)


def _paused(pencil: Pencil, middle: float) -> None:
    for side in (-0.45, 0.45):
        x = middle + side * BADGE
        pencil.bar(x - 5, middle - BADGE * 0.85, x + 5, middle + BADGE * 0.85, BLACK)


def _problem(pencil: Pencil, middle: float) -> None:
    """An exclamation mark: without colour it says more than a triangle of a few pixels."""
    pencil.bar(middle - 5, middle - BADGE, middle + 5, middle + BADGE * 0.3, BLACK)
    pencil.disc(middle, middle + BADGE * 0.72, 5.5, 5.5, BLACK)


_MARKS = {"busy": _busy, "paused": _paused, "problem": _problem}
