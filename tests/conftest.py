"""Fixtures for every test: folders as values, and a watch for what a test leaves running."""

from __future__ import annotations

import gc
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import pytest

from tests.books import Books, open_books
from tests.helpers import Tree, folder_in_memory, make_tree, read_tree, skip

PATIENCE_SECONDS = 8.0  # longer than a call on the bus that nobody answers any more


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """A folder for photos that come."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder for what must not wait for a disk that other tests keep busy."""
    with folder_in_memory() as folder:
        yield folder


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    """A journal of the test's own."""
    with open_books(tmp_path) as opened:
        yield opened


@pytest.fixture
def make_files(tmp_path: Path) -> Callable[..., Path]:
    """Write a tree ({"a.jpg": b"…", "grizzly": {}}) below the test's folder; returns the folder."""

    def make(tree: Tree, folder: Path = tmp_path) -> Path:
        return make_tree(folder, tree)

    return make


@pytest.fixture
def read_files(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """The tree below a folder (the test's own if none is named), as `make_files` takes it."""

    def read(folder: Path = tmp_path) -> dict[str, Any]:
        return read_tree(folder)

    return read


@pytest.fixture
def other_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system than the photos."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        skip("needs /dev/shm on a file system of its own")
    folder = Path(tempfile.mkdtemp(dir=memory))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def no_leaks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Fail a test after which a thread, a child process or an open file of its own stays behind."""
    temporary = str(tmp_path_factory.getbasetemp())
    before = _running(temporary)
    yield
    end, looks = time.monotonic() + PATIENCE_SECONDS, 0
    while left := _running(temporary) - before:
        if time.monotonic() >= end:
            pytest.fail("left behind: " + "; ".join(sorted(left)))
        if looks:  # it takes longer than most threads, which are about to end
            gc.collect()  # what only a cycle holds is not a leak
        looks += 1
        time.sleep(0.02)


def _running(temporary: str) -> set[str]:
    return _threads() | _children() | _descriptors(temporary)


def _threads() -> set[str]:
    return {
        f"thread {thread.name} ({thread.ident})"
        for thread in threading.enumerate()
        if thread.is_alive() and type(thread).__name__ != "TMonitor"  # tqdm's, one for good
    }


def _children() -> set[str]:
    found = {process.pid for process in multiprocessing.active_children()}
    for task in Path("/proc/self/task").glob("*/children"):  # Linux also knows the others
        try:
            found.update(map(int, task.read_text().split()))
        except OSError:  # the thread has ended
            continue
    found.discard(getattr(resource_tracker._resource_tracker, "_pid", None))
    return {f"process {pid} ({name})" for pid in found if pid and (name := _program(pid))}


def _program(pid: int) -> str:
    """What a child runs; "" for one that has ended and only waits to be asked how."""
    status = Path(f"/proc/{pid}/stat")
    try:
        name, _, rest = status.read_text().partition("(")[2].rpartition(")")
    except OSError:
        return "" if status.parent.parent.exists() else "child"
    return "" if rest.split()[0] == "Z" else name


def _descriptors(temporary: str) -> set[str]:
    """Open files of the test's, watches and sockets; Linux only."""
    found = set()
    for link in Path("/proc/self/fd").glob("*"):
        try:
            target = os.readlink(link)  # noqa: PTH115 (a Path would mend "anon_inode:inotify")
        except OSError:
            continue
        if target.startswith((temporary, "anon_inode:inotify", "socket:")):
            found.add(f"open {target} ({link.name})")
    return found
