"""A decoded picture → the numbers that the model takes, exactly as fastai makes them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trayapp.engine.card import Input, Padding
from trayapp.engine.decode import PIXEL_LIMIT, UnreadableError, decode
from trayapp.engine.package import ModelPackage

__all__ = ["PIXEL_LIMIT", "UnreadableError", "decode", "fit", "prepare"]

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in a picture; what is outside of it has to be made up."""

_NUMPY_PADDING = {"border": "edge", "reflection": "reflect"}
# A frame makes a square of a line; beyond this side it is the shrunk picture that gets one.
_FRAMED_SIDE = 4096


def prepare(image: Image.Image, package: ModelPackage) -> NDArray[np.float32]:
    """Fit an upright RGB `image` to the model: float32 of shape (1, 3, height, width)."""
    spec = package.card.input
    pixels = np.asarray(fit(image, spec))
    numbers = np.empty((1, 3, spec.height, spec.width), np.float32)
    for channel, (mean, std) in enumerate(zip(spec.mean, spec.std, strict=True)):
        plane = numbers[0, channel]
        np.multiply(pixels[..., channel], np.float32(1 / (255 * std)), out=plane)
        plane -= np.float32(mean / std)
    return numbers


def fit(image: Image.Image, spec: Input) -> Image.Image:
    """The part of an upright RGB `image` that the model looks at, in the model's size."""
    if spec.cut:
        image = _cut(image, _centre(image.size, spec.cut), spec.padding)
    if spec.resize == "none":
        return _cut(image, _centre(image.size, (spec.width, spec.height)), spec.padding)
    image = _CHOOSE[spec.resize](image, spec)
    frame = _centre(spec.target, (spec.width, spec.height))
    if min(frame[:2]) < 0:  # larger than what was scaled
        return _cut(image.resize(spec.target, _filter(spec)), frame, spec.padding)
    # Scaling all of it and cropping then gives the same pixels, with more work: Pillow's filters
    # look beyond the box.
    across, down = image.width / spec.target[0], image.height / spec.target[1]
    left, top, right, bottom = frame
    box = (
        left * across,
        top * down,
        min(right * across, image.width),
        min(bottom * down, image.height),
    )
    return image.resize((spec.width, spec.height), _filter(spec), box)


def _crop(image: Image.Image, spec: Input) -> Image.Image:
    """The largest centred part with the shape of the target, in whole pixels."""
    return _cut(image, _shaped(image.size, spec.target, min), spec.padding)


def _squish(image: Image.Image, spec: Input) -> Image.Image:  # noqa: ARG001 (as the others)
    return image


def _pad(image: Image.Image, spec: Input) -> Image.Image:
    """The whole picture in the smallest frame with the shape of the target, in whole pixels."""
    longest = max(image.size)
    if longest > _FRAMED_SIDE:
        width, height = (max(1, side * _FRAMED_SIDE // longest) for side in image.size)
        image = image.resize((width, height), _filter(spec))
    return _cut(image, _shaped(image.size, spec.target, max), spec.padding)


_CHOOSE = {"crop": _crop, "squish": _squish, "pad": _pad}


def _shaped(
    size: tuple[int, int], target: tuple[int, int], choose: Callable[[float, float], float]
) -> Box:
    """The largest box inside (`min`), or smallest around (`max`), of the target's shape.

    As fastai.vision.augment.Resize with pcts of ½, its roundings included.
    """
    zoom = choose(size[0] / target[0], size[1] / target[1])
    width, height = max(1, int(zoom * target[0])), max(1, int(zoom * target[1]))
    left, top = int(0.5 * (size[0] - width)), int(0.5 * (size[1] - height))
    return left, top, left + width, top + height


def _centre(size: tuple[int, int], wanted: tuple[int, int]) -> Box:
    """As fastai.vision.augment.crop_pad, which rounds down: below 0 away from it."""
    left, top = (size[0] - wanted[0]) // 2, (size[1] - wanted[1]) // 2
    return left, top, left + wanted[0], top + wanted[1]


def _cut(image: Image.Image, box: Box, padding: Padding) -> Image.Image:
    """What of `image` is in the box, and `padding` where the box is outside of it."""
    left, top, right, bottom = box
    width, height = image.size
    if box == (0, 0, width, height):
        return image
    if padding == "zeros" or (min(left, top) >= 0 and right <= width and bottom <= height):
        return image.crop(box)  # black outside
    inside = image.crop((max(0, left), max(0, top), min(right, width), min(bottom, height)))
    frame = (
        (max(0, -top), max(0, bottom - height)),
        (max(0, -left), max(0, right - width)),
        (0, 0),
    )
    pixels = np.pad(np.asarray(inside), frame, _NUMPY_PADDING[padding])  # type: ignore[call-overload]
    return Image.fromarray(pixels)


def _filter(spec: Input) -> Image.Resampling:
    return Image.Resampling[spec.resampling.upper()]
