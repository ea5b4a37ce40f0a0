"""Draws the tray icon: a bear's head, with a mark for each state that needs no colour to tell."""

from __future__ import annotations

from PIL import Image, ImageDraw

from trayapp.desktop.menu import TrayState

SIZES = (16, 22, 24, 32, 48, 64)  # pixels; what panels ask for between 100 % and 200 % scale
UNITS = 64  # everything below is drawn on a grid of 64 × 64 units

BROWN, MUZZLE, DARK, RIM = "#8a5a33", "#f0d3ac", "#2b1a10", "#fff7ea"
GREY, PALE = "#8d8d92", "#dcdce0"
BLUE, SLATE, RED, WHITE = "#1f6fd6", "#566472", "#d92b1f", "#ffffff"


class Pencil:
    """Draws in grid units on a canvas that is `scale` times as large as the picture wanted."""

    def __init__(self, size: int) -> None:
        self._oversampling = 8 if size < 64 else 4
        self._pixels = size * self._oversampling
        self._size = size
        self._image = Image.new("RGBA", (self._pixels, self._pixels), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)

    def disc(self, x: float, y: float, rx: float, ry: float, colour: str | None) -> None:
        """An ellipse around (x, y); without a colour it cuts a hole."""
        box = self._box(x - rx, y - ry, x + rx, y + ry)
        self._draw.ellipse(box, fill=colour or (0, 0, 0, 0))

    def bar(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        radius = min(right - left, bottom - top) / 3 * self._pixels / UNITS
        box = self._box(left, top, right, bottom)
        self._draw.rounded_rectangle(box, radius=radius, fill=colour)

    def shape(self, points: list[tuple[float, float]], colour: str | None) -> None:
        unit = self._pixels / UNITS
        scaled = [(x * unit, y * unit) for x, y in points]
        self._draw.polygon(scaled, fill=colour or (0, 0, 0, 0))

    def picture(self) -> Image.Image:
        return self._image.resize((self._size, self._size), Image.Resampling.BOX)

    def _box(self, *sides: float) -> tuple[float, float, float, float]:
        left, top, right, bottom = (side * self._pixels / UNITS for side in sides)
        return left, top, right - 1, bottom - 1


def draw(state: TrayState, size: int) -> Image.Image:
    """The icon as an RGBA picture of `size` × `size` pixels."""
    pencil = Pencil(size)
    _bear(pencil, grey=state == "paused")
    # At 16 to 24 px a badge needs more of the room to stay readable.
    radius = 19.0 if size <= 24 else 16.0
    if state == "busy":
        _busy(pencil, radius)
    elif state == "paused":
        _paused(pencil, radius)
    elif state == "problem":
        _problem(pencil, radius)
    return pencil.picture()


def _bear(pencil: Pencil, *, grey: bool) -> None:
    fur, muzzle = (GREY, PALE) if grey else (BROWN, MUZZLE)
    head = ((14.0, 15.0, 12.0, 12.0), (50.0, 15.0, 12.0, 12.0), (32.0, 35.0, 29.0, 27.0))
    for x, y, rx, ry in head:  # a light rim keeps a brown bear visible on a dark panel
        pencil.disc(x, y, rx + 2, ry + 2, RIM)
    for x, y, rx, ry in head:
        pencil.disc(x, y, rx, ry, fur)
    for x in (14.0, 50.0):
        pencil.disc(x, 15, 6, 6, muzzle)
    pencil.disc(32, 35, 29, 27, fur)
    pencil.disc(32, 46, 15, 12.5, muzzle)
    pencil.disc(32, 40.5, 7, 5, DARK)
    for x in (20.5, 43.5):
        pencil.disc(x, 29, 4.4, 4.4, DARK)


def _badge(pencil: Pencil, radius: float, colour: str) -> tuple[float, float]:
    """A disc in the lower right corner, cut free from the bear; returns its middle."""
    middle = UNITS - radius
    pencil.disc(middle, middle, radius + 3, radius + 3, None)
    pencil.disc(middle, middle, radius, radius, colour)
    return middle, middle


def _busy(pencil: Pencil, radius: float) -> None:
    x, y = _badge(pencil, radius, BLUE)
    for step in (-0.56, 0.0, 0.56):
        pencil.disc(x + step * radius, y, radius * 0.21, radius * 0.21, WHITE)


def _paused(pencil: Pencil, radius: float) -> None:
    x, y = _badge(pencil, radius, SLATE)
    for side in (-0.34, 0.34):
        middle = x + side * radius
        pencil.bar(
            middle - radius * 0.19,
            y - radius * 0.52,
            middle + radius * 0.19,
            y + radius * 0.52,
            WHITE,
        )


def _problem(pencil: Pencil, radius: float) -> None:
    """A triangle, not a disc: the outline alone tells that something is wrong."""
    middle, top, bottom = UNITS - radius, UNITS - 2 * radius, float(UNITS)

    def triangle(grow: float) -> list[tuple[float, float]]:
        half = radius + grow
        return [
            (middle, top - grow * 1.6),
            (middle + half, bottom + grow),
            (middle - half, bottom + grow),
        ]

    pencil.shape(triangle(4), None)
    pencil.shape(triangle(0), RED)
    pencil.bar(middle - 2.4, top + radius * 0.66, middle + 2.4, bottom - radius * 0.62, WHITE)
    pencil.disc(middle, bottom - radius * 0.3, 2.8, 2.8, WHITE)
