"""A decoded picture → the numbers that the model takes, as its model.json says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trayapp.engine.card import Input
from trayapp.engine.decode import PIXEL_LIMIT, UnreadableError, decode
from trayapp.engine.package import ModelPackage

__all__ = ["PIXEL_LIMIT", "UnreadableError", "decode", "prepare"]


def prepare(image: Image.Image, package: ModelPackage) -> NDArray[np.float32]:
    """Fit an upright RGB `image` to the model: float32 of shape (1, 3, height, width)."""
    spec = package.card.input
    mean, std = np.array(spec.mean, np.float32), np.array(spec.std, np.float32)
    pixels = np.asarray(_FIT[spec.resize](image, spec), dtype=np.float32)
    pixels = pixels * (1 / (255 * std)) - mean / std
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32)


def _crop(image: Image.Image, spec: Input) -> Image.Image:
    """Shorter side to size / crop_pct, then the centre, rounded as torchvision and timm do."""
    width, height = int(spec.width / spec.crop_pct), int(spec.height / spec.crop_pct)
    if image.width * height < image.height * width:
        scaled = (width, max(height, int(width * image.height / image.width)))
    else:
        scaled = (max(width, int(height * image.width / image.height)), height)
    return _centre(image, scaled, spec)


def _squish(image: Image.Image, spec: Input) -> Image.Image:
    """The whole picture, whatever its shape, to size / crop_pct, then the centre."""
    scaled = (int(spec.width / spec.crop_pct), int(spec.height / spec.crop_pct))
    return _centre(image, scaled, spec)


def _centre(image: Image.Image, scaled: tuple[int, int], spec: Input) -> Image.Image:
    """What scaling all of `image` to `scaled` and cropping the centre gives, in one step.

    Pillow's filters look beyond the box, so the pixels are the same, at a fraction of the work.
    """
    left, top = round((scaled[0] - spec.width) / 2), round((scaled[1] - spec.height) / 2)
    across, down = image.width / scaled[0], image.height / scaled[1]
    box = (
        left * across,
        top * down,
        min((left + spec.width) * across, image.width),
        min((top + spec.height) * down, image.height),
    )
    return image.resize((spec.width, spec.height), _filter(spec), box)


def _pad(image: Image.Image, spec: Input) -> Image.Image:
    """The whole picture inside, in its shape, the rest black."""
    scale = min(spec.width / image.width, spec.height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = Image.new("RGB", (spec.width, spec.height))
    canvas.paste(
        image.resize(size, _filter(spec)),
        ((spec.width - size[0]) // 2, (spec.height - size[1]) // 2),
    )
    return canvas


def _filter(spec: Input) -> Image.Resampling:
    return Image.Resampling[spec.resampling.upper()]


_FIT = {"crop": _crop, "squish": _squish, "pad": _pad}
