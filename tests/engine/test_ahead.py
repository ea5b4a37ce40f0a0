"""A photo is in memory before the engine gets to it: it never waits for the disk."""

from __future__ import annotations

import ctypes
import mmap
import os
import sys
from pathlib import Path

import pytest

from tests.engine.misfits import Starter, late
from tests.helpers import wait_until
from trayapp.engine.pool import Pool
from trayapp.files import read_ahead

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux only")


def is_in_memory(file: Path) -> bool:
    """Asked of mincore(2): a read that will not wait, too, has the system fetch the file."""
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_COPY) as view:
        pages = (ctypes.c_ubyte * -(-len(view) // mmap.PAGESIZE))()
        start = (ctypes.c_ubyte * len(view)).from_buffer(view)
        failed = ctypes.CDLL(None).mincore(start, ctypes.c_size_t(len(view)), pages)
        del start  # or the view cannot be closed
        assert not failed
        return all(page & 1 for page in pages)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """On the disk alone, as one of a backlog that came yesterday."""
    photo = tmp_path / "photo.jpg"
    with photo.open("wb") as stream:
        stream.write(os.urandom(100_000))
        stream.flush()
        os.fsync(stream.fileno())
        os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if is_in_memory(photo):
        pytest.skip("this file system keeps its files in memory")
    return photo


def test_a_photo_that_waits_for_the_engine_is_read_meanwhile(photo: Path) -> None:
    with Pool(photo.parent, start_worker=Starter(late)) as pool:
        pool.submit(photo)
        wait_until(lambda: is_in_memory(photo), 5.0, "the photo in memory")


def test_what_cannot_be_read_is_left_to_the_engine(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link.jpg", tmp_path / "pipe.jpg"
    link.symlink_to(tmp_path / "nowhere")
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path, tmp_path / "gone.jpg"):
        read_ahead(path)  # neither waits nor fails
