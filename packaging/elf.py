"""Looks into libraries of Linux, as far as packing them needs: elf(5), 64 bits, little-endian."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

LOAD, DYNAMIC = 1, 2  # kinds of segments
END, STRINGS, RPATH, RUNPATH = 0, 5, 15, 29  # tags of the dynamic section
ENTRY = struct.Struct("<qQ")  # tag and value


@dataclass(frozen=True)
class Segment:
    """A part of the file; `offset` and `size` in the file, `address` in memory, in bytes."""

    kind: int
    offset: int
    address: int
    size: int
    alignment: int


def segments(library: bytes) -> Iterator[Segment]:
    """The program headers."""
    (start,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    for header in range(start, start + size * count, size):
        kind, _, offset, address, _, length, _, alignment = struct.unpack_from(
            "<IIQQQQQQ", library, header
        )
        yield Segment(kind, offset, address, length, alignment)


def loads(library: bytes) -> bool:
    """Whether the parts lie as the loader wants them: offset and address alike within a page.

    In libraries that auditwheel has patched, as in many wheels, strip moves them out of place:
    "ELF load command address/offset not page-aligned".
    """
    return not any(
        part.kind == LOAD and (part.offset - part.address) % max(part.alignment, 1)
        for part in segments(library)
    )


def without_foreign_paths(library: bytes) -> bytes:
    """The library without the folders in which it would look for others, but for its own ones.

    Python's have one of the machine that they were built on. On another it could be anybody's.
    """
    parts = list(segments(library))
    table = next((part for part in parts if part.kind == DYNAMIC), None)
    if table is None:
        return library
    entries = list(ENTRY.iter_unpack(library[table.offset : table.offset + table.size]))
    strings = _in_file(dict(entries)[STRINGS], parts)
    kept = [
        (tag, value)
        for tag, value in entries
        if tag not in (RPATH, RUNPATH) or _is_own(library, strings + value)
    ]
    kept += [(END, 0)] * (len(entries) - len(kept))
    packed = b"".join(ENTRY.pack(*entry) for entry in kept)
    return library[: table.offset] + packed + library[table.offset + table.size :]


def _in_file(address: int, parts: list[Segment]) -> int:
    return next(
        part.offset + address - part.address
        for part in parts
        if part.kind == LOAD and part.address <= address < part.address + part.size
    )


def _is_own(library: bytes, start: int) -> bool:
    folders = library[start : library.index(b"\0", start)].split(b":")
    return all(folder.startswith(b"$ORIGIN") for folder in folders)
