"""Bytes of a photo → its first picture, upright, in RGB, and when it was taken."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

# Each plugin by name: Image.open would otherwise import all forty of them for one WebP.
from PIL import (
    AvifImagePlugin,  # noqa: F401
    BmpImagePlugin,  # noqa: F401
    GifImagePlugin,  # noqa: F401
    Image,
    JpegImagePlugin,
    MpoImagePlugin,  # noqa: F401
    PngImagePlugin,  # noqa: F401
    TiffImagePlugin,  # noqa: F401
    UnidentifiedImageError,
    WebPImagePlugin,  # noqa: F401
)

from trayapp.engine import printable
from trayapp.engine.pixels import to_rgb
from trayapp.photo import BeartrayError

PIXEL_LIMIT = 220_000_000
"""Just above the 200-megapixel cameras of phones; in RGB that is 880 MB of memory."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")  # HEIF comes when needed

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TURN = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# https://www.cipa.jp/std/documents/download_e.html?DC-008-Translation-2023-E (Exif 3.0)
_ORIENTATION, _EXIF_IFD = 0x0112, 0x8769
_DATE_TIME, _DATE_TIME_ORIGINAL, _DATE_TIME_DIGITIZED = 0x0132, 0x9003, 0x9004
_DATE = re.compile(r"(\d{4})\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)\D(\d\d)")


class UnreadableError(BeartrayError):
    """The photo cannot be decoded; the message starts with its name."""


def decode(
    source: Path | BinaryIO, *, name: str | None = None, enough: int | None = None
) -> tuple[Image.Image, datetime | None]:
    """The first picture of a file, upright, in RGB, and the local time it was taken.

    With `enough`, a JPEG may come at 1/2, 1/4 or 1/8 of its size as long as both sides keep at
    least `enough` pixels. `name` stands for the file in messages.
    Raises `UnreadableError`, and `OSError` when a path cannot be opened.
    """
    if isinstance(source, Path):
        with source.open("rb") as file:
            return decode(file, name=name or source.name, enough=enough)
    shown = printable(name or "the photo")
    with warnings.catch_warnings(), _no_limit_but_ours():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files are of no use to anyone
        try:
            return _decode(source, shown, enough)
        except UnreadableError:
            raise
        except MemoryError:
            raise UnreadableError(f"{shown} needs more memory than the engine may use") from None
        except OSError as error:
            if error.errno is None:  # Pillow's own
                raise UnreadableError(f"{shown} is cut short or damaged") from error
            raise UnreadableError(f"{shown} could not be read: {error.strerror}") from error
        except Exception as error:  # decoders raise nearly anything on bad input
            raise UnreadableError(f"{shown} is cut short or damaged") from error


def _decode(file: BinaryIO, name: str, enough: int | None) -> tuple[Image.Image, datetime | None]:
    with _open(file, name) as picture:
        width, height = picture.size
        if width * height > PIXEL_LIMIT:
            raise UnreadableError(
                f"{name} is too large: {width:,} × {height:,} px; "
                f"the limit is {PIXEL_LIMIT // 1_000_000} megapixels"
            )
        if enough and isinstance(picture, JpegImagePlugin.JpegImageFile):
            # Never below the size asked for: Pillow's draft chooses the next larger one.
            picture.draft(None, (min(enough, width), min(enough, height)))
        picture.load()
        exif = _exif(picture)
        # Read after load: the TIFF, AVIF and HEIF plugins turn the picture themselves, and then
        # say 1 here.
        turn = _TURN.get(exif.get(_ORIENTATION, 1))
        upright = to_rgb(picture)
        if turn is not None:
            upright = upright.transpose(turn)
        # A copy of the pixels outlives the file; most conversions have made one already.
        return (upright.copy() if upright is picture else upright), _taken(exif)


def _open(file: BinaryIO, name: str) -> Image.Image:
    head = file.read(16)
    file.seek(0)
    if not head:
        raise UnreadableError(f"{name} is empty")
    try:
        return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError:
        boxed = head[4:8] == b"ftyp"
        if boxed and (picture := _open_heif(file)):
            return picture
        known = boxed or head.startswith(_SIGNATURES) or head[8:12] == b"WEBP"
        what = "is cut short or damaged" if known else "is not a picture Beartray can read"
        raise UnreadableError(f"{name} {what}") from None


def _open_heif(file: BinaryIO) -> Image.Image | None:
    import pi_heif  # 6 MB that most folders never need

    pi_heif.register_heif_opener()
    file.seek(0)
    try:
        return Image.open(file, formats=("HEIF",))
    except UnidentifiedImageError:
        return None


@contextmanager
def _no_limit_but_ours() -> Iterator[None]:
    """Pillow's bomb limit (179 MP) is below the cameras of phones, and does not name the size."""
    before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _exif(picture: Image.Image) -> Image.Exif:
    try:
        return picture.getexif()
    except Exception:  # a photo with broken Exif is still a photo
        return Image.Exif()


def _taken(exif: Image.Exif) -> datetime | None:
    try:
        details = exif.get_ifd(_EXIF_IFD)
    except Exception:
        details = {}
    for value in (
        details.get(_DATE_TIME_ORIGINAL),
        details.get(_DATE_TIME_DIGITIZED),
        exif.get(_DATE_TIME),
    ):
        match = _DATE.match(value) if isinstance(value, str) else None
        try:
            if match:
                return datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # noqa: DTZ001
        except ValueError:  # 0000:00:00 from a camera whose clock was never set
            continue
    return None
