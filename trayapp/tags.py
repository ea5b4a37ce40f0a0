"""Tag mode's files: the XMP sidecar's name and content, and the system's own tags on a photo.

The parts of `place` that know formats; `merge_xmp` is in `xmp`. Windows has no tags on every kind
of file: its programs read the sidecar.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import logging
import os
import plistlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trayapp.photo import NotAPhotoError, Photo
from trayapp.xmp import MAX_BYTES, TagError, clean_tags, merge_xmp

__all__ = [
    "TagError",
    "add_system_tags",
    "merge_xmp",
    "read_sidecar",
    "read_system_tags",
    "sidecar_name",
    "system_tags",
    "write_system_tags",
]

logger = logging.getLogger(__name__)

SIDECAR_BYTES = MAX_BYTES + (1 << 16)  # the largest that is merged into, and what is added
_FLAGS = (  # 0 where the system has no such flag
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


def sidecar_name(photo_name: str) -> str:
    """The sidecar of "photo.jpg" is "photo.jpg.xmp", as digiKam and darktable name it."""
    return photo_name + ".xmp"


def read_sidecar(path: Path) -> bytes | None:
    """All that the sidecar at `path` holds, None where nothing has that name.

    Raises `TagError` for what is no file, which is not opened (a pipe would keep us waiting for
    ever), for what is larger than any sidecar, and for one that is written to all the time; other
    `OSError`s.
    """
    try:
        for _ in range(3):
            there = Photo.at(path)
            content = _read(there)
            if Photo.at(path).looks_like(there):  # not another one, put there while we read
                return content
    except FileNotFoundError:
        return None
    except NotAPhotoError:
        raise TagError("it is in the way of the sidecar and no file; rename it") from None
    raise TagError("another program is writing to the sidecar; close it there")


def _read(sidecar: Photo) -> bytes:
    with os.fdopen(os.open(sidecar.path, _FLAGS), "rb") as file:
        Photo.from_stat(sidecar.path, os.fstat(file.fileno()))  # put there just now
        content = file.read(SIDECAR_BYTES + 1) if sidecar.size <= SIDECAR_BYTES else b""
    if max(sidecar.size, len(content)) > SIDECAR_BYTES:
        raise TagError(f"the sidecar is over {MAX_BYTES >> 20} MB; repair it or move it away")
    return content


def read_system_tags(path: Path) -> bytes | None:
    """The system's tags on `path` as they are stored, None where there are none or none can be.

    Raises `FileNotFoundError`, and other `OSError`s where that cannot be told.
    """
    return system_tags().read(path)


def write_system_tags(path: Path, value: bytes | None) -> None:
    """Store what `read_system_tags` or `add_system_tags` gave; None removes the tags.

    The photo's content and times stay. Where the file system keeps no tags nothing happens.
    Raises `FileNotFoundError`, and other `OSError`s where tags that are there cannot be removed.
    """
    system_tags().write(path, value)


def add_system_tags(existing: bytes | None, tags: Sequence[str]) -> bytes | None:
    """The stored tags `existing` with `tags` added, none twice; None where this system has none."""
    return system_tags().add(existing, clean_tags(tags))


class Attributes(Protocol):
    """Extended attributes of files; errors are `OSError` with the system's number."""

    def get(self, path: Path, name: str, /) -> bytes: ...
    def set(self, path: Path, name: str, value: bytes, /) -> None: ...
    def remove(self, path: Path, name: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class SystemTags:
    """One system's tags: the attribute that holds them and the way to add to its value."""

    attributes: Attributes
    name: str
    add: Callable[[bytes | None, Sequence[str]], bytes | None]

    def read(self, path: Path) -> bytes | None:
        try:
            return self.attributes.get(path, self.name)
        except OSError as error:
            if error.errno in _NOT_SET | _UNSUPPORTED:
                return None
            raise  # there may be some

    def write(self, path: Path, value: bytes | None) -> None:
        try:
            if value is None:
                self.attributes.remove(path, self.name)
            else:
                self.attributes.set(path, self.name, value)
        except FileNotFoundError:
            raise
        except OSError as error:
            if error.errno in _NOT_SET:
                return
            if value is None and error.errno not in _UNSUPPORTED:
                raise  # there are tags, and they would stay although they were taken back
            # The sidecar holds the same; a FAT stick or a network share is no reason to fail.
            logger.info("%s cannot hold system tags: %s", path, error)


_NOT_SET = {errno.ENODATA, 93}  # 93 is macOS's ENOATTR, which Python does not name
_UNSUPPORTED = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def system_tags(platform: str = sys.platform) -> SystemTags:
    """The tags of `platform` (as `sys.platform` has it)."""
    if platform == "linux":
        # https://www.freedesktop.org/wiki/CommonExtendedAttributes/
        return SystemTags(LinuxAttributes(os), "user.xdg.tags", add_xdg_tags)
    if platform == "darwin":
        finder = "com.apple.metadata:_kMDItemUserTags"
        return SystemTags(MacAttributes(_libc()), finder, add_finder_tags)
    return SystemTags(NoAttributes(), "", lambda _existing, _tags: None)


def add_xdg_tags(existing: bytes | None, tags: Sequence[str]) -> bytes:
    """Add to a comma-separated list in UTF-8; it has no escape, so a comma in a tag is dropped."""
    value = existing or b""
    present = {part.strip() for part in value.split(b",")}
    for tag in tags:
        name = " ".join(tag.replace(",", " ").split()).encode()
        if name and name not in present:
            value += (b"," if value.strip() and not value.endswith(b",") else b"") + name
            present.add(name)
    return value


def add_finder_tags(existing: bytes | None, tags: Sequence[str]) -> bytes:
    """Add to Finder's tags: a binary property list of "name\\ncolour", where colour 0 is none.

    A value that is no such list comes back as it is.
    """
    entries = [] if existing is None else _finder_entries(existing)
    if entries is None:
        logger.info("the Finder's tags are in an unknown form and stay as they are")
        return existing or b""
    present = {entry.partition("\n")[0] for entry in entries}
    new = [f"{tag}\n0" for tag in tags if tag not in present]
    if existing is not None and not new:
        return existing
    return plistlib.dumps(entries + new, fmt=plistlib.FMT_BINARY)


def _finder_entries(value: bytes) -> list[str] | None:
    try:
        entries = plistlib.loads(value, fmt=plistlib.FMT_BINARY)
    except (ValueError, RecursionError, OverflowError, MemoryError):
        return None
    is_known = isinstance(entries, list) and all(isinstance(entry, str) for entry in entries)
    return entries if is_known else None


class NoAttributes:
    """Where there is nothing to read or write."""

    def get(self, _path: Path, _name: str, /) -> bytes:
        raise OSError(errno.ENODATA, "this system has no tags")

    def set(self, _path: Path, _name: str, _value: bytes, /) -> None:
        pass

    def remove(self, _path: Path, _name: str, /) -> None:
        pass


class LinuxAttributes:
    """The calls in Python's `os`, which has them on Linux only; a link's target is not touched."""

    def __init__(self, calls: Any) -> None:
        self._calls = calls

    def get(self, path: Path, name: str, /) -> bytes:
        value: bytes = self._calls.getxattr(path, name, follow_symlinks=False)
        return value

    def set(self, path: Path, name: str, value: bytes, /) -> None:
        self._calls.setxattr(path, name, value, follow_symlinks=False)

    def remove(self, path: Path, name: str, /) -> None:
        self._calls.removexattr(path, name, follow_symlinks=False)


class MacAttributes:
    """libSystem's calls, which Python does not wrap; see getxattr(2) of macOS."""

    NO_FOLLOW = 1

    def __init__(self, libc: Any) -> None:
        self._libc = libc

    def get(self, path: Path, name: str, /) -> bytes:
        size = self._call(self._libc.getxattr, path, name, None, 0)
        buffer = ctypes.create_string_buffer(max(size, 1))
        read = self._call(self._libc.getxattr, path, name, buffer, size)
        return buffer.raw[:read]

    def set(self, path: Path, name: str, value: bytes, /) -> None:
        self._call(self._libc.setxattr, path, name, value, len(value))

    def remove(self, path: Path, name: str, /) -> None:
        encoded = os.fsencode(path), name.encode()
        self._check(self._libc.removexattr(*encoded, self.NO_FOLLOW), path)

    def _call(self, call: Callable[..., int], path: Path, name: str, *rest: object) -> int:
        position = 0  # only resource forks have others
        result = call(os.fsencode(path), name.encode(), *rest, position, self.NO_FOLLOW)
        return self._check(result, path)

    @staticmethod
    def _check(result: int, path: Path) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(path))
        return result


def _libc() -> Any:
    libc = ctypes.CDLL(ctypes.util.find_library("System"), use_errno=True)
    text, buffer, size, number = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    libc.getxattr.argtypes = [text, text, buffer, size, ctypes.c_uint32, number]
    libc.getxattr.restype = ctypes.c_ssize_t
    libc.setxattr.argtypes = [text, text, buffer, size, ctypes.c_uint32, number]
    libc.removexattr.argtypes = [text, text, number]
    return libc
