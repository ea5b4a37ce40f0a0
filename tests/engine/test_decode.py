"""Photos of every kind come out upright, in RGB; the rest is refused in words."""

# ruff: noqa: DTZ001 (a camera's time is local and has no zone)

from __future__ import annotations

import io
import struct
import time
import zlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageDraw

from trayapp.engine.preprocess import UnreadableError, decode

RED, BLUE, WHITE = (220, 30, 30), (30, 30, 220), (255, 255, 255)
HEIC = Path(__file__).parent / "samples" / "turned.heic"  # 64 x 96, red at the top right


def corner(colour: tuple[int, int, int] = RED) -> Image.Image:
    """96 x 64, blue, a quarter of it red at the top left."""
    image = Image.new("RGB", (96, 64), BLUE)
    ImageDraw.Draw(image).rectangle((0, 0, 47, 31), colour)
    return image


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def opened(content: bytes, **options: Any) -> Image.Image:
    image, _ = decode(io.BytesIO(content), name="bear.jpg", **options)
    assert image.mode == "RGB"
    return image


def refusal(content: bytes, name: str = "bear.jpg") -> str:
    with pytest.raises(UnreadableError) as caught:
        decode(io.BytesIO(content), name=name)
    return str(caught.value)


def near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int]) -> bool:
    found = image.getpixel(place)
    assert isinstance(found, tuple)
    return all(abs(a - b) <= 24 for a, b in zip(found, colour, strict=True))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "MPO"])
def test_every_format(format: str) -> None:
    image = opened(saved(corner(), format))
    assert image.size == (96, 64)
    assert near(image, (5, 5), RED)
    assert near(image, (90, 60), BLUE)


def test_a_phones_heic_is_turned_once_and_knows_its_time() -> None:
    image, taken = decode(HEIC)
    assert image.size == (64, 96)
    assert near(image, (58, 5), RED)
    assert near(image, (5, 5), BLUE)
    assert taken == datetime(2021, 5, 6, 7, 8, 9)


@pytest.mark.parametrize("format", ["ICO", "PPM", "TGA", "PCX", "PDF", "JPEG2000", "SGI"])
def test_formats_that_are_no_photos(format: str) -> None:
    assert refusal(saved(corner(), format)) == "bear.jpg is not a picture Beartray can read"


@pytest.mark.parametrize(("format", "suffix"), [("PNG", ".jpg"), ("WEBP", ".png")])
def test_the_content_counts_not_the_name(tmp_path: Path, format: str, suffix: str) -> None:
    path = tmp_path / f"bear{suffix}"
    path.write_bytes(saved(corner(), format))
    assert decode(path)[0].size == (96, 64)


ORIENTED: dict[int, tuple[int, int]] = {  # where the red corner has to be
    1: (0, 0), 2: (1, 0), 3: (1, 1), 4: (0, 1), 5: (0, 0), 6: (1, 0), 7: (1, 1), 8: (0, 1),
}  # fmt: skip


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation(format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = opened(saved(corner(), format, exif=exif))
    assert image.size == ((96, 64) if orientation <= 4 else (64, 96))
    right, bottom = ORIENTED[orientation]
    for x in (0, 1):
        for y in (0, 1):
            place = (x * (image.width - 10) + 5, y * (image.height - 10) + 5)
            assert near(image, place, RED if (x, y) == (right, bottom) else BLUE)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert near(opened(saved(corner(), "JPEG", exif=exif)), (5, 5), RED)


DEEP = {"<u2": 65535, ">u2": 65535, "<i4": 65535, ">i4": 65535, "<f4": 1.0, ">f4": 1.0, "u1": 255}


@pytest.mark.parametrize("dtype", DEEP)
def test_deep_greys_keep_their_shades(dtype: str) -> None:
    shades = np.linspace(0, DEEP[dtype], 256).astype(np.dtype(dtype))
    image = Image.fromarray(np.tile(shades, (8, 1)))
    found = np.asarray(opened(saved(image, "TIFF")))[0, :, 0].astype(int)
    assert abs(found - np.arange(256)).max() <= 1


def test_a_16_bit_png() -> None:
    shades = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (8, 1))
    found = np.asarray(opened(saved(Image.fromarray(shades), "PNG")))[0, :, 0].astype(int)
    assert abs(found - np.arange(256)).max() <= 1


def test_a_float_tiff_of_its_own_range_and_holes() -> None:
    values = np.array([[-50, 0, 50, np.nan]], dtype=np.float32)
    found = np.asarray(opened(saved(Image.fromarray(values), "TIFF")))[0, :, 0]
    assert list(found[:3]) == [0, 127, 255]


MODES = (
    "1/PNG L/JPEG P/PNG P/GIF CMYK/JPEG CMYK/TIFF LA/PNG RGBA/PNG RGBA/WEBP YCbCr/TIFF RGBX/TIFF"
)


@pytest.mark.parametrize(("mode", "format"), [pair.split("/") for pair in MODES.split()])
def test_every_mode(mode: str, format: str) -> None:
    grey = mode in ("1", "L", "LA")
    image = opened(saved(corner(WHITE if grey else RED).convert(mode), format))
    assert near(image, (5, 5), WHITE if grey else RED)
    assert not near(image, (90, 60), WHITE if grey else RED)


def test_lab() -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(corner(), srgb, lab, outputMode="LAB")
    assert image is not None
    assert near(opened(saved(image, "TIFF")), (5, 5), RED)


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF", "AVIF"])
def test_what_is_transparent_is_white(format: str) -> None:
    image = corner().convert("RGBA")
    alpha = Image.new("L", image.size, 255)
    ImageDraw.Draw(alpha).rectangle((48, 0, 95, 63), 0)
    image.putalpha(alpha)
    found = opened(saved(image, format))
    assert near(found, (5, 5), RED)
    assert near(found, (90, 60), WHITE)


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_one_colour_that_means_transparent(mode: str) -> None:
    image = Image.new(mode, (20, 20), 0)
    image.paste((9, 9, 9) if mode == "RGB" else 9, (0, 0, 10, 20))
    key = (0, 0, 0) if mode == "RGB" else 0
    assert near(opened(saved(image, "PNG", transparency=key)), (15, 5), WHITE)


@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF", "AVIF", "MPO"])
def test_of_many_frames_the_first(format: str) -> None:
    others = [Image.new("RGB", (96, 64), WHITE)] * 2
    content = saved(corner(), format, save_all=True, append_images=others)
    assert near(opened(content), (5, 5), RED)


def test_a_large_jpeg_is_decoded_smaller_but_never_too_small() -> None:
    content = saved(Image.new("RGB", (2400, 1600), RED), "JPEG")
    assert opened(content).size == (2400, 1600)
    assert opened(content, enough=400).size == (600, 400)
    assert opened(content, enough=401).size == (1200, 800)
    assert opened(content, enough=4000).size == (2400, 1600)


# What is wrong is said, and each thing differently.


def test_an_empty_file() -> None:
    assert refusal(b"") == "bear.jpg is empty"


@pytest.mark.parametrize("content", [b"dear diary", b"\0" * 5000, b"<svg/>", b"%PDF-1.7", b"x"])
def test_no_picture(content: bytes) -> None:
    assert refusal(content) == "bear.jpg is not a picture Beartray can read"


def noise() -> Image.Image:
    return Image.effect_noise((200, 150), 60).convert("RGB")


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_a_file_cut_short(format: str, part: float) -> None:
    content = saved(noise(), format)
    message = refusal(content[: max(12, int(len(content) * part))])
    assert message == "bear.jpg is cut short or damaged"


def test_a_heic_cut_short() -> None:
    content = HEIC.read_bytes()
    for length in (40, 300, len(content) - 60):
        assert refusal(content[:length], "a.heic") == "a.heic is cut short or damaged"


def test_damage_inside() -> None:
    content = bytearray(saved(noise(), "PNG"))
    content[len(content) // 2] ^= 0xFF
    assert refusal(bytes(content)) == "bear.jpg is cut short or damaged"


def bomb_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def bomb_gif(width: int, height: int) -> bytes:
    content = bytearray(saved(Image.new("P", (4, 4)), "GIF"))
    content[6:10] = struct.pack("<HH", width, height)
    return bytes(content)


def bomb_jpeg(width: int, height: int) -> bytes:
    content = saved(Image.new("L", (8, 8)), "JPEG")
    frame = content.index(b"\xff\xc0") + 5
    return content[:frame] + struct.pack(">HH", height, width) + content[frame + 4 :]


@pytest.mark.parametrize("bomb", [bomb_png, bomb_gif, bomb_jpeg])
def test_a_bomb_is_refused_by_its_header(bomb: Callable[[int, int], bytes]) -> None:
    began = time.perf_counter()
    assert refusal(bomb(20_000, 20_000)) == (
        "bear.jpg is too large: 20,000 × 20,000 px; the limit is 220 megapixels"
    )
    assert time.perf_counter() - began < 0.5
    assert Image.MAX_IMAGE_PIXELS is not None, "Pillow's own limit is as it was"


def test_names_that_would_break_a_line() -> None:
    assert refusal(b"", "a\nb\udcff.jpg") == "a�b�.jpg is empty"


# When it was taken.


def dated(original: str | None, digitized: str | None, changed: str | None) -> datetime | None:
    exif = Image.Exif()
    if changed:
        exif[0x0132] = changed
    for tag, value in ((0x9003, original), (0x9004, digitized)):
        if value:
            exif.get_ifd(0x8769)[tag] = value
    return decode(io.BytesIO(saved(corner(), "JPEG", exif=exif)))[1]


def test_the_time_it_was_taken() -> None:
    a, b, c = "2021:05:06 07:08:09", "2022:01:01 00:00:00", "2023:01:01 00:00:00"
    assert dated(a, b, c) == datetime(2021, 5, 6, 7, 8, 9)
    assert dated(None, b, c) == datetime(2022, 1, 1)
    assert dated(None, None, c) == datetime(2023, 1, 1)
    assert dated(None, None, None) is None


@pytest.mark.parametrize(
    "nonsense",
    ["0000:00:00 00:00:00", "    :  :     :  :  ", "2021:13:01 00:00:00", "yesterday", "2021"],
)
def test_a_time_that_is_nonsense(nonsense: str) -> None:
    assert dated(nonsense, None, None) is None
    assert dated(nonsense, None, "2023:01:01 00:00:00") == datetime(2023, 1, 1)


@pytest.mark.parametrize("exif", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0junk!!"])
def test_broken_exif_does_not_spoil_a_photo(exif: bytes) -> None:
    image, taken = decode(io.BytesIO(saved(corner(), "JPEG", exif=exif)))
    assert near(image, (5, 5), RED)
    assert taken is None
