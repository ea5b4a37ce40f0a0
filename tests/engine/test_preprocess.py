"""The model sees what it was trained to see: the fit, to the pixel, and the numbers."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.engine.conftest import BEARS
from trayapp.engine.card import Input, ResizeMethod
from trayapp.engine.package import ModelPackage
from trayapp.engine.preprocess import prepare

PLAIN = Input(24, 24, "crop", "bilinear", (0.0,) * 3, (1.0,) * 3)


def fitted(image: Image.Image, spec: Input) -> NDArray[np.uint8]:
    bears = ModelPackage.load(BEARS, verify=False)
    card = msgspec.structs.replace(bears.card, input=spec)
    numbers = prepare(image, ModelPackage(bears.folder, card))
    assert numbers.dtype == np.float32
    assert numbers.shape == (1, 3, spec.height, spec.width)
    pixels: NDArray[np.uint8] = np.rint(numbers[0].transpose(1, 2, 0) * 255).astype(np.uint8)
    return pixels


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width * height).integers(0, 256, (height, width, 3))
    return Image.fromarray(values.astype(np.uint8))


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (61, 47), (24, 24), (10, 7)])
@pytest.mark.parametrize("crop_pct", [0.875, 1.0, 0.5])
def test_crop_is_scaling_the_shorter_side_and_cutting_out_the_centre(
    size: tuple[int, int], crop_pct: float
) -> None:
    image, side = noise(*size), int(24 / crop_pct)
    scale = side / min(size)
    scaled = [side if length == min(size) else int(length * scale) for length in size]
    whole = image.resize((scaled[0], scaled[1]), Image.Resampling.BICUBIC)
    left, top = (round((length - 24) / 2) for length in scaled)
    expected = np.asarray(whole.crop((left, top, left + 24, top + 24))).astype(int)
    spec = msgspec.structs.replace(PLAIN, crop_pct=crop_pct, resampling="bicubic")
    assert abs(fitted(image, spec).astype(int) - expected).max() <= 1


def test_squish_shows_all_of_it() -> None:
    image = noise(90, 60)
    expected = np.asarray(image.resize((24, 24), Image.Resampling.BILINEAR))
    spec = msgspec.structs.replace(PLAIN, resize="squish")
    assert (fitted(image, spec) == expected).all()


def test_squish_and_crop_the_centre_as_fastai_validates_random_resized_crops() -> None:
    image = noise(90, 60)
    whole = image.resize((27, 27), Image.Resampling.BILINEAR)
    spec = msgspec.structs.replace(PLAIN, resize="squish", crop_pct=1 / 1.14)
    found = fitted(image, spec).astype(int)
    assert abs(found - np.asarray(whole.crop((2, 2, 26, 26)))).max() <= 1


def test_pad_shows_all_of_it_on_black() -> None:
    spec = msgspec.structs.replace(PLAIN, resize="pad", width=32)
    found = fitted(Image.new("RGB", (96, 36), "white"), spec)
    assert (found[6:18] == 255).all()
    assert (found[:6] == 0).all() and (found[18:] == 0).all()


def test_mean_and_deviation_of_each_channel() -> None:
    spec = msgspec.structs.replace(PLAIN, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    bears = ModelPackage.load(BEARS, verify=False)
    package = ModelPackage(bears.folder, msgspec.structs.replace(bears.card, input=spec))
    numbers = prepare(Image.new("RGB", (30, 30), (51, 255, 0)), package)
    assert numbers[0, :, 12, 12] == pytest.approx([0.2, 1.0, -4.0], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    method=st.sampled_from(["crop", "squish", "pad"]),
    crop_pct=st.floats(0.2, 1),
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_shape_fits(
    width: int, height: int, method: ResizeMethod, crop_pct: float, target: tuple[int, int]
) -> None:
    spec = Input(*target, method, "bicubic", (0.0,) * 3, (1.0,) * 3, crop_pct)
    pixels = fitted(Image.new("RGB", (width, height), (10, 200, 30)), spec)
    if method != "pad":
        assert abs(pixels.astype(int) - [10, 200, 30]).max() <= 1


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000)])
def test_a_line_does_not_become_a_giant(size: tuple[int, int]) -> None:
    assert (fitted(Image.new("RGB", size, "white"), PLAIN) == 255).all()
