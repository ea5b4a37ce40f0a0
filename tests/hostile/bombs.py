"""Small files that ask for very much: memory, time, or a way into something that is not theirs."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.hostile.seeds import HEIC, saved

SIDE = 60_000  # pixels: 3,600 megapixels, 11 GB in RGB


def png_chunk(kind: bytes, data: bytes) -> bytes:
    crc = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", crc)


def png(width: int, height: int, mode: int, body: bytes, *more: bytes) -> bytes:
    """A PNG of 8 bits with any size in its header; `mode` is the format's number for colours."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, mode, 0, 0, 0))
    end = png_chunk(b"IDAT", body) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(more) + end


def zeros(count: int) -> bytes:
    """`count` zero bytes, deflated: a thousandth of it."""
    packer, parts = zlib.compressobj(9), []
    for _ in range(count >> 20):
        parts.append(packer.compress(bytes(1 << 20)))
    return b"".join([*parts, packer.compress(bytes(count & 0xFFFFF)), packer.flush()])


def png_that_unpacks() -> bytes:
    """210 megapixels of grey with transparency, just below the limit: 840 MB, and three of them."""
    width, height = 14_000, 15_000
    return png(width, height, 4, zeros((2 * width + 1) * height))


def png_text() -> bytes:
    """A comment of 300 MB."""
    text = png_chunk(b"zTXt", b"Comment\0\0" + zeros(300 << 20))
    return png(40, 40, 2, zlib.compress(bytes(121 * 40)), text)


def png_profile() -> bytes:
    """A colour profile of 300 MB."""
    profile = png_chunk(b"iCCP", b"p\0\0" + zeros(300 << 20))
    return png(40, 40, 2, zlib.compress(bytes(121 * 40)), profile)


def tiff(width: int, height: int, *more: tuple[int, int, int, int], next_: int = 0) -> bytes:
    """A TIFF that is little but a header; `more` are entries: tag, type, count, value."""
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1)]
    entries += [(262, 3, 1, 1), (273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height)]
    entries += [(279, 4, 1, 16), *more]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", next_)


def tiff_exif_loop() -> bytes:
    """Its Exif block is itself, and so is the next picture."""
    return tiff(8, 8, (0x8769, 4, 1, 8), (0x8825, 4, 1, 8), next_=8)


def tiff_count() -> bytes:
    """Four thousand million numbers in one entry, and as many bytes of Exif."""
    return tiff(8, 8, (0x011A, 5, 0xFFFFFFFF, 8), (700, 1, 0xFFFFFFF0, 8))


def gif_frames() -> bytes:
    """100,000 pictures one after the other."""
    first = saved(Image.new("P", (4, 4)), "GIF")
    frame = first[first.index(b",", 13) : -1]
    return first[:-1] + frame * 100_000 + b";"


def gif() -> bytes:
    content = bytearray(saved(Image.new("P", (4, 4)), "GIF"))
    content[6:10] = struct.pack("<HH", 0xFFFF, 0xFFFF)
    return bytes(content)


def jpeg() -> bytes:
    content = saved(Image.new("L", (8, 8)), "JPEG")
    frame = content.index(b"\xff\xc0") + 5
    return content[:frame] + struct.pack(">HH", SIDE, SIDE) + content[frame + 4 :]


def jpeg_scans() -> bytes:
    """Progressive, of 150 megapixels, with many thousand scans of next to nothing, each of which
    goes over the whole picture: some minutes of work in 200 kB."""
    content = saved(Image.new("L", (16, 16)), "JPEG", progressive=True)
    frame, scan = content.index(b"\xff\xc2") + 5, content.rindex(b"\xff\xda")
    large = content[:frame] + struct.pack(">HH", 12_000, 12_500) + content[frame + 4 : scan]
    return large + content[scan:-2] * 10_000 + b"\xff\xd9"


def webp() -> bytes:
    content = bytearray(saved(Image.new("RGB", (8, 8)), "WEBP", lossless=True))
    start = content.index(b"VP8L") + 9
    content[start : start + 4] = struct.pack("<I", 16_382 | 16_382 << 14)
    return bytes(content)


def _boxed(content: bytes) -> bytes:
    """Every size that an ISO container gives for its pictures is a huge one."""
    found, place = bytearray(content), content.find(b"ispe")
    assert place > 0
    while place > 0:
        found[place + 8 : place + 16] = struct.pack(">II", SIDE, SIDE)
        place = content.find(b"ispe", place + 4)
    return bytes(found)


def heic() -> bytes:
    return _boxed(HEIC.read_bytes())


def avif() -> bytes:
    return _boxed(saved(Image.new("RGB", (64, 64)), "AVIF"))


def bmp() -> bytes:
    """Run-length coded: a line is two bytes."""
    content = bytearray(saved(Image.new("P", (8, 8)), "BMP"))
    content[18:26] = struct.pack("<ii", SIDE, SIDE)
    content[30:34] = struct.pack("<I", 1)
    return bytes(content)


def nested() -> bytes:
    """A JPEG whose preview is a JPEG whose preview …, and whose Exif points to itself."""
    inner = saved(Image.new("RGB", (8, 8)), "JPEG")
    for _ in range(6):
        ring = b"II*\0\x08\0\0\0\x02\0" + struct.pack("<HHII", 0x8769, 4, 1, 8)
        ring += struct.pack("<HHII", 0x0201, 4, 1, 38) + struct.pack("<I", 8)
        block = b"Exif\0\0" + (ring + inner)[:60_000]
        inner = inner[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + inner[2:]
    return inner


Make = Callable[[], bytes]
BOMBS: dict[str, tuple[Make, str | None]] = {
    "huge.png": (lambda: png(SIDE, SIDE, 2, zlib.compress(bytes(1000))), "too large"),
    "unpacks.png": (png_that_unpacks, None),
    "text.png": (png_text, None),
    "profile.png": (png_profile, None),
    "huge.tif": (lambda: tiff(SIDE, SIDE), "too large"),
    "loop.tif": (tiff_exif_loop, None),
    "count.tif": (tiff_count, None),
    "frames.gif": (gif_frames, None),
    "huge.gif": (gif, "too large"),
    "huge.jpg": (jpeg, "too large"),
    "scans.jpg": (jpeg_scans, "took longer than 20 s"),
    "huge.webp": (webp, ""),
    "huge.heic": (heic, ""),
    "huge.avif": (avif, ""),
    "huge.bmp": (bmp, "too large"),
    "nested.jpg": (nested, None),
}
"""Each bomb, and the words that the person is told; "" for any, None for a photo that can be read
or not, as the libraries like."""


def write_all(folder: Path, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    made = {name: make() for name, (make, _) in BOMBS.items() if name not in without}
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return made
