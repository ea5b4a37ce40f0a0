"""Draws the tray icon: a bear's head, with a mark for each state that needs no colour to tell."""

from __future__ import annotations

from PIL import Image, ImageDraw

from trayapp.desktop.view import TrayState

SIZES = (16, 22, 24, 32, 44, 48, 64)  # pixels; what panels ask for between 100 % and 200 % scale
UNITS = 64  # everything below is drawn on a grid of 64 × 64 units

BROWN, MUZZLE, DARK, RIM = "#8a5a33", "#f0d3ac", "#2b1a10", "#fff7ea"
GREY, PALE = "#8d8d92", "#dcdce0"
BLUE, SLATE, RED, WHITE = "#1f6fd6", "#566472", "#d92b1f", "#ffffff"


class Pencil:
    """Draws in grid units on a canvas that is several times as large as the picture wanted.

    Edges are moved to whole pixels, mirrored around the middle: else a small icon is a blur.
    """

    def __init__(self, size: int) -> None:
        self._scale = 8 if size < 32 else 4
        self._pixels = size * self._scale
        self.size = size
        self._image = Image.new("RGBA", (self._pixels, self._pixels), (0, 0, 0, 0))
        self._draw = ImageDraw.Draw(self._image)

    def disc(self, x: float, y: float, rx: float, ry: float, colour: str | None) -> None:
        """An ellipse around (x, y); without a colour it cuts a hole."""
        sides = (x - rx, y - ry, x + rx, y + ry)
        self._ellipse([self.pixel(side) * self._scale for side in sides], colour)

    def halo(self, x: float, y: float, rx: float, ry: float, colour: str | None) -> None:
        """As `disc`, but its edges stay where they are."""
        sides = (x - rx, y - ry, x + rx, y + ry)
        self._ellipse([_near(side, self._pixels) for side in sides], colour)

    def bar(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """A rectangle, its corners rounded where there is room for that."""
        edges = (self.pixel(left), self.pixel(top), self.pixel(right), self.pixel(bottom))
        self.block(*edges, colour)

    def block(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """As `bar`, in pixels."""
        scale = self._scale
        width = min(right - left, bottom - top)
        radius = width / 3 * scale if width > 3 else 0
        box = (left * scale, top * scale, right * scale - 1, bottom * scale - 1)
        self._draw.rounded_rectangle(box, radius=radius, fill=colour)

    def dot(self, left: float, top: float, side: float, colour: str) -> None:
        """A disc of `side` pixels; the smallest are squares, which are what is sharp."""
        scale = self._scale
        box = (left * scale, top * scale, (left + side) * scale - 1, (top + side) * scale - 1)
        draw = self._draw.rectangle if side < 3 else self._draw.ellipse
        draw(box, fill=colour)

    def shape(self, points: list[tuple[float, float]], colour: str | None) -> None:
        """A polygon, in pixels."""
        scaled = [(x * self._scale, y * self._scale) for x, y in points]
        self._draw.polygon(scaled, fill=colour or (0, 0, 0, 0))

    def pixel(self, unit: float) -> int:
        """The edge between two pixels that is nearest to a place on the grid."""
        return _near(unit, self.size)

    def picture(self) -> Image.Image:
        return self._image.resize((self.size, self.size), Image.Resampling.BOX)

    def _ellipse(self, sides: list[int], colour: str | None) -> None:
        left, top, right, bottom = sides
        self._draw.ellipse((left, top, right - 1, bottom - 1), fill=colour or (0, 0, 0, 0))


def _near(unit: float, size: int) -> int:
    """A place on the grid in whole steps of a picture that is `size` of them wide; mirrored places
    stay mirrored."""
    from_middle = (unit - UNITS / 2) * size / UNITS
    steps = int(abs(from_middle) + 0.5)
    return size // 2 + (steps if from_middle > 0 else -steps)


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
        pencil.halo(x, y, rx + 2, ry + 2, RIM)
    for x, y, rx, ry in head:
        pencil.disc(x, y, rx, ry, fur)
    for x in (14.0, 50.0):
        pencil.disc(x, 15, 6, 6, muzzle)
    pencil.disc(32, 35, 29, 27, fur)
    pencil.disc(32, 46, 15, 12.5, muzzle)
    pencil.disc(32, 40.5, 7, 5, DARK)
    for x in (20.5, 43.5):
        pencil.disc(x, 29, 4.4, 4.4, DARK)


def _badge(pencil: Pencil, radius: float, colour: str) -> tuple[int, float]:
    """A disc in the lower right corner, cut free from the bear; its diameter and its middle, in
    pixels."""
    middle = UNITS - radius
    pencil.halo(middle, middle, radius + 3, radius + 3, None)
    pencil.disc(middle, middle, radius, radius, colour)
    diameter = pencil.size - pencil.pixel(UNITS - 2 * radius)
    return diameter, pencil.size - diameter / 2


def _fitting(length: float, whole: int) -> int:
    """The number of pixels nearest to `length` that can lie in the middle of `whole` pixels."""
    least = 2 - whole % 2
    return max(least, least + 2 * round((length - least) / 2))


def _busy(pencil: Pencil, radius: float) -> None:
    diameter, middle = _badge(pencil, radius, BLUE)
    side = _fitting(0.18 * diameter, diameter)
    step = side + max(1, round((0.8 * diameter - 3 * side) / 2))
    for number in (-1, 0, 1):
        pencil.dot(middle - side / 2 + number * step, middle - side / 2, side, WHITE)


def _paused(pencil: Pencil, radius: float) -> None:
    diameter, middle = _badge(pencil, radius, SLATE)
    gap, height = _fitting(0.15 * diameter, diameter), _fitting(0.52 * diameter, diameter)
    width = round(0.21 * diameter)
    top, bottom = middle - height / 2, middle + height / 2
    for left in (middle - gap / 2 - width, middle + gap / 2):
        pencil.block(left, top, left + width, bottom, WHITE)


def _problem(pencil: Pencil, radius: float) -> None:
    """A triangle, not a disc: the outline alone tells that something is wrong."""
    end = pencil.size
    left = pencil.pixel(UNITS - 2 * radius)
    side, middle = end - left, (left + end) / 2
    free = 4 * pencil.size / UNITS  # what is cut free around it

    def triangle(grow: float) -> list[tuple[float, float]]:
        top, bottom = left - grow * 1.6, end + grow
        return [(middle, top), (end + grow, bottom), (left - grow, bottom)]

    pencil.shape(triangle(free), None)
    pencil.shape(triangle(0), RED)
    width = _fitting(0.17 * side, side)
    pencil.block(
        middle - width / 2,
        left + round(0.36 * side),
        middle + width / 2,
        left + round(0.7 * side),
        WHITE,
    )
    height = max(1, round(0.13 * side))
    top = left + round(0.8 * side)
    pencil.block(middle - width / 2, top, middle + width / 2, top + height, WHITE)
