"""Any kind of pixel that a photo may have → 8-bit RGB."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageCms

_DEEP_GREYS = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N", "F"})


def to_rgb(picture: Image.Image) -> Image.Image:
    """The loaded `picture` in mode RGB; what is transparent becomes white."""
    if picture.mode in _DEEP_GREYS:
        return _grey_to_rgb(picture)
    if picture.has_transparency_data:
        return _on_white(picture)
    if picture.mode == "LAB":
        return _lab_to_rgb(picture)
    if picture.mode == "RGB":
        return picture
    return picture.convert("RGB")


def _on_white(picture: Image.Image) -> Image.Image:
    layer = picture.convert("RGBA")
    canvas = Image.new("RGB", layer.size, "white")
    canvas.paste(layer, mask=layer)
    return canvas


def _grey_to_rgb(picture: Image.Image) -> Image.Image:
    """Deep greys by their range; Pillow's own `convert` would clip all above 255 to white."""
    values = np.asarray(picture)
    if picture.mode.startswith("I;16"):
        grey = (values >> 8).astype(np.uint8)
    else:
        low, high = _range(values)
        scaled = (np.nan_to_num(values.astype(np.float32)) - low) * (255 / (high - low))
        grey = scaled.clip(0, 255).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")


def _range(values: np.ndarray) -> tuple[float, float]:
    """What black and white are: the customary range that holds all values, else their own."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    customary = [1.0, 255.0, 65535.0] if values.dtype.kind == "f" else [255.0, 65535.0]
    for white in customary:
        if low >= 0 and high <= white:
            return 0.0, white
    return low, high


def _lab_to_rgb(picture: Image.Image) -> Image.Image:
    # Image.convert knows no LAB.
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(picture, lab, srgb, outputMode="RGB")
    assert converted is not None  # only with inPlace
    return converted
