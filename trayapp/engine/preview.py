"""A photo as people look at it: upright and small, for the review page."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from trayapp.engine import printable
from trayapp.engine.decode import UnreadableError, decode
from trayapp.engine.reading import cannot_open, open_photo
from trayapp.engine.wire import LARGEST, Shown
from trayapp.photo import NotAPhotoError

QUALITIES = (82, 70, 50, 25)
ROOM = LARGEST - 1024  # bytes of a message that are left for the picture


def shrink(path: Path, side: int) -> Shown:
    """The photo as a JPEG, no side longer than `side` pixels; what is wrong with it is said."""
    name = printable(path.name)
    try:
        with open_photo(path) as file:
            image, _ = decode(file, name=path.name, enough=side)
        return Shown(_jpeg(image, side))
    except (UnreadableError, NotAPhotoError) as error:
        return Shown(b"", printable(str(error)))
    except MemoryError:
        return Shown(b"", f"{name} needs more memory than the engine may use")
    except OSError as error:
        return Shown(b"", cannot_open(name, error))


def _jpeg(image: Image.Image, side: int) -> bytes:
    """In the best quality that fits into a message; nothing of the photo but its pixels."""
    image.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2.0)
    content = b""
    for quality in QUALITIES:
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=quality, optimize=True, progressive=side > 1000)
        content = stream.getvalue()
        if len(content) <= ROOM:
            break
    return content
