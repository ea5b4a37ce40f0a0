"""Spoils bytes and texts in the ways that find mistakes in readers; one seed, one harm."""

from __future__ import annotations

import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence

Spoil = Callable[[random.Random, bytes, Sequence[bytes]], bytes]

_NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_HEADER = 128
"""Bytes at the start that decide most: sizes, counts, offsets."""
# Where the blocks begin that people's programs add: Exif, colour profile, XMP.
_BLOCKS = re.compile(
    rb"Exif\0\0|ICC_PROFILE|acsp|<x:xmpmeta|II\*\0|MM\0\*|iCCP|eXIf|EXIF|ICCP|VP8 "
)


def spoil_bytes(source: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of `seeds` after a few changes. PNG's checksums are made right, or nothing behind them
    would ever be read."""
    data = source.choice(seeds)
    for _ in range(source.choice((1, 1, 2, 3, 8))):
        data = source.choice(_BYTES)(source, data, seeds)
    return _with_png_checksums(data) if data.startswith(b"\x89PNG") else data


def spoil_text(source: random.Random, seeds: Sequence[str], words: Sequence[str]) -> bytes:
    """One of `seeds` after a few changes to its tokens, with `words` that mean something there."""
    tokens = re.findall(r"\w+|\s+|[^\w\s]", source.choice(seeds))
    for _ in range(source.choice((1, 1, 2, 4, 10))):
        place, length = source.randrange(len(tokens) + 1), source.choice((0, 1, 1, 3, 20))
        other = re.findall(r"\w+|\s+|[^\w\s]", source.choice(seeds)) or [""]
        begin = source.randrange(len(other))
        instead = source.choice(
            (
                [],
                [source.choice(words)],
                other[begin : begin + source.choice((1, 3, 20))],
                tokens[place : place + length] * source.choice((2, 50)),
            )
        )
        tokens[place : place + length] = instead
        tokens = tokens[:50_000] or [""]
    data = "".join(tokens).encode("utf-8", "surrogatepass")
    if source.random() < 0.1:
        data = _flip(source, data, [data])
    return data


def _flip(source: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """Bits, anywhere or at the start."""
    found = bytearray(data)
    end = len(found) if source.random() < 0.5 else min(len(found), _HEADER)
    for _number in range(source.choice((1, 3, 20))):
        if end:
            found[source.randrange(end)] ^= 1 << source.randrange(8)
    return bytes(found)


def _number(source: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A number of 1, 2 or 4 bytes of either byte order, where numbers decide."""
    form = source.choice(("B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(form)
    if len(data) <= size:
        return data
    place = min(_interesting(source, data), len(data) - size)
    value = source.choice(_NUMBERS) & (1 << 8 * size) - 1
    return data[:place] + struct.pack(form, value) + data[place + size :]


def _interesting(source: random.Random, data: bytes) -> int:
    """A place in the header, near a block's beginning, or anywhere."""
    blocks = [match.start() for match in _BLOCKS.finditer(data)]
    kind = source.random()
    if kind < 0.4 or not data:
        return source.randrange(_HEADER)
    if kind < 0.7 and blocks:
        return source.choice(blocks) + source.randrange(200)
    return source.randrange(len(data))


def _cut(source: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    return data[: source.randrange(len(data) + 1)]


def _drop(source: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place = source.randrange(len(data) + 1)
    return data[:place] + data[place + source.choice((1, 4, 100, 5000)) :]


def _double(source: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    place, length = source.randrange(len(data) + 1), source.choice((4, 100, 5000))
    return data[: place + length] + data[place : place + length] + data[place + length :]


def _graft(source: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    """A piece of another file."""
    other = source.choice(seeds)
    begin, place = source.randrange(len(other) + 1), source.randrange(len(data) + 1)
    length = source.choice((4, 100, 5000))
    return data[:place] + other[begin : begin + length] + data[place + length :]


def _same(source: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    """A stretch of one value."""
    place, length = source.randrange(len(data) + 1), source.choice((4, 100, 5000))
    filling = source.choice((b"\0", b"\xff", b"A", b"%", b"<"))
    return data[:place] + filling * len(data[place : place + length]) + data[place + length :]


_BYTES: tuple[Spoil, ...] = (_flip, _number, _number, _cut, _drop, _double, _graft, _same)


def _with_png_checksums(data: bytes) -> bytes:
    found, place = bytearray(data), 8
    while place + 12 <= len(found):
        (length,) = struct.unpack_from(">I", found, place)
        end = place + 8 + length
        if end + 4 > len(found):
            break
        struct.pack_into(">I", found, end, zlib.crc32(found[place + 4 : end]))
        place = end + 4
    return bytes(found)
