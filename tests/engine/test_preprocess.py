"""The model sees what it was trained to see: the fit, to the pixel, and the numbers.

tests/learning/test_convert.py compares it with fastai itself.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tests.engine.conftest import BEARS
from trayapp.engine.card import Input, Padding, ResizeMethod
from trayapp.engine.package import ModelPackage
from trayapp.engine.preprocess import prepare

PLAIN = Input(24, 24, "crop", "bilinear", (0.0,) * 3, (1.0,) * 3)


def spec(**changes: Any) -> Input:
    return msgspec.structs.replace(PLAIN, **changes)


def numbers(image: Image.Image, spec: Input) -> NDArray[np.float32]:
    bears = ModelPackage.load(BEARS, verify=False)
    card = msgspec.structs.replace(bears.card, input=spec)
    found = prepare(image, ModelPackage(bears.folder, card))
    assert found.dtype == np.float32
    assert found.shape == (1, 3, spec.height, spec.width)
    assert found.flags.c_contiguous
    return found


def fitted(image: Image.Image, spec: Input) -> NDArray[np.int64]:
    found: NDArray[np.float32] = numbers(image, spec)[0].transpose(1, 2, 0) * 255
    return np.rint(found).astype(np.int64)


def noise(width: int, height: int) -> Image.Image:
    values = np.random.default_rng(width * height).integers(0, 256, (height, width, 3))
    return Image.fromarray(values.astype(np.uint8))


def pixels(image: Image.Image) -> NDArray[np.int64]:
    return np.asarray(image).astype(np.int64)


def test_crop_takes_the_largest_centred_part_and_looks_at_nothing_else() -> None:
    image = noise(91, 60)
    part = image.crop((15, 0, 75, 60)).resize((24, 24), Image.Resampling.BILINEAR)
    assert (fitted(image, PLAIN) == pixels(part)).all()


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (61, 47), (24, 24), (10, 7)])
def test_scaling_all_of_it_and_cropping_the_centre(size: tuple[int, int]) -> None:
    image = noise(*size)
    whole = fitted(image, spec(width=32, height=32))
    found = fitted(image, spec(scaled=(32, 32)))
    assert abs(found - whole[4:28, 4:28]).max() <= 2, "rounded in one step instead of two"


def test_squish_shows_all_of_it() -> None:
    image = noise(90, 60)
    expected = image.resize((24, 24), Image.Resampling.BICUBIC)
    assert (fitted(image, spec(resize="squish", resampling="bicubic")) == pixels(expected)).all()


def test_squish_and_crop_the_centre_as_fastai_validates_random_resized_crops() -> None:
    image = noise(90, 60)
    whole = image.resize((32, 32), Image.Resampling.BILINEAR).crop((4, 4, 28, 28))
    found = fitted(image, spec(resize="squish", scaled=(32, 32)))
    assert abs(found - pixels(whole)).max() <= 1


def test_pad_shows_all_of_it_in_a_frame() -> None:
    image = Image.new("RGB", (96, 36), "white")
    found = fitted(image, spec(resize="pad", width=32))
    assert (found[7:17] == 255).all()
    assert (found[:5] == 0).all() and (found[19:] == 0).all()
    for padding in ("border", "reflection"):
        assert (fitted(image, spec(resize="pad", width=32, padding=padding)) == 255).all()


def test_a_frame_of_reflections_and_one_of_the_border() -> None:
    image = noise(24, 12)
    rows = pixels(image)
    reflected = fitted(image, spec(resize="pad", padding="reflection"))
    assert (reflected[6:18] == rows).all()
    assert (reflected[5] == rows[1]).all() and (reflected[18] == rows[10]).all()
    border = fitted(image, spec(resize="pad", padding="border"))
    assert (border[:6] == rows[0]).all() and (border[18:] == rows[11]).all()


def test_pictures_may_be_cut_out_in_their_own_size() -> None:
    image = noise(30, 20)
    found = fitted(image, spec(resize="none"))
    assert (found[2:22] == pixels(image)[:, 3:27]).all()
    assert (found[:2] == 0).all() and (found[22:] == 0).all()
    cut = fitted(image, spec(resize="squish", cut=(12, 12)))
    part = image.crop((9, 4, 21, 16)).resize((24, 24), Image.Resampling.BILINEAR)
    assert (cut == pixels(part)).all()


def test_only_what_is_scaled_may_come_at_a_fraction_of_its_size() -> None:
    assert PLAIN.any_scale and spec(resize="pad", scaled=(32, 32)).any_scale
    assert not spec(resize="none").any_scale
    assert not spec(cut=(100, 100)).any_scale


def test_mean_and_deviation_of_each_channel() -> None:
    normal = spec(mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    found = numbers(Image.new("RGB", (30, 30), (51, 255, 0)), normal)
    assert found[0, :, 12, 12] == pytest.approx([0.2, 1.0, -4.0], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    method=st.sampled_from(["crop", "squish", "pad", "none"]),
    padding=st.sampled_from(["zeros", "border", "reflection"]),
    scaled=st.none() | st.tuples(st.integers(1, 60), st.integers(1, 60)),
    cut=st.none() | st.tuples(st.integers(1, 60), st.integers(1, 60)),
    target=st.tuples(st.integers(1, 40), st.integers(1, 40)),
)
def test_any_shape_fits(
    width: int,
    height: int,
    method: ResizeMethod,
    padding: Padding,
    scaled: tuple[int, int] | None,
    cut: tuple[int, int] | None,
    target: tuple[int, int],
) -> None:
    wanted = Input(
        *target, method, "bicubic", (0.0,) * 3, (1.0,) * 3, scaled=scaled, padding=padding, cut=cut
    )
    found = fitted(Image.new("RGB", (width, height), (10, 200, 30)), wanted)
    if padding != "zeros":
        assert abs(found - [10, 200, 30]).max() <= 1


@pytest.mark.parametrize("size", [(20_000, 1), (1, 20_000)])
@pytest.mark.parametrize("method", ["crop", "squish", "pad"])
def test_a_line_does_not_become_a_giant(size: tuple[int, int], method: ResizeMethod) -> None:
    image = Image.new("RGB", size, "white")
    assert (fitted(image, spec(resize=method, padding="reflection")) == 255).all()
