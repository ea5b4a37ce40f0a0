"""Keeps room on the disk for what SQLite shares in memory, so that a full disk is an error.

SQLite maps the file "-shm" into memory and fills it as the journal is written. So that the disk
has room for it, SQLite writes one byte of each 4096 first (`unixShmMap` in its os_unix.c). Where
blocks are smaller that leaves holes, and whoever fills a hole on a full disk is ended by the
system, with SIGBUS. ext4 has blocks of 1024 bytes on disks below 512 MB.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

# The first part of it, good for 4,062 pages of the write-ahead log: four times what SQLite lets
# that grow to. https://www.sqlite.org/walformat.html
SIZE = 32_768
_KEEP_SIZE = 1  # linux/falloc.h
_FULL = (errno.ENOSPC, errno.EDQUOT)


def require_room(file: Path) -> None:
    """Before SQLite opens `file`. Raises `sqlite3.OperationalError`, as SQLite does on a full disk.

    Who opens it first begins the shared memory anew, so that no room can be kept before.
    """
    if sys.platform != "linux" or _allocated(_shared(file)) >= SIZE:
        return
    try:
        scratch = os.open(file.parent, os.O_TMPFILE | os.O_RDWR, 0o600)
        try:
            _allocate(scratch)
        finally:
            os.close(scratch)
    except OSError as error:
        _say_if_full(error)


def keep_room(file: Path) -> None:
    """Once SQLite has `file` open: what is free now may not be when it is needed.

    Raises `sqlite3.OperationalError`.
    """
    if sys.platform != "linux":
        return
    try:
        descriptor = _opened(_shared(file))
        if descriptor is not None:
            _allocate(descriptor)
    except OSError as error:
        _say_if_full(error)


def _shared(file: Path) -> Path:
    return Path(f"{os.path.realpath(file)}-shm")


def _allocated(file: Path) -> int:
    try:
        return file.stat().st_blocks * 512  # stat(2): whatever the disk's own blocks are
    except OSError:
        return 0


def _opened(file: Path) -> int | None:
    """SQLite's own descriptor. To open the file once more, and close that, would drop its locks:
    https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_
    """
    wanted = file.stat()
    for opened in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # some are closed meanwhile
            if os.path.samestat(os.fstat(int(opened.name)), wanted):
                return int(opened.name)
    return None


def _allocate(descriptor: int) -> None:
    """Not `os.posix_fallocate`: where the disk cannot, that reads and writes bytes instead, while
    another process may write them.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate"):
        return
    libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
    if libc.fallocate(descriptor, _KEEP_SIZE, 0, SIZE) != 0:
        raise OSError(ctypes.get_errno(), "")


def _say_if_full(error: OSError) -> None:
    """Where a disk has no such calls nothing can be done, and nothing was before."""
    if error.errno in _FULL:
        raise sqlite3.OperationalError("the disk is full") from None
