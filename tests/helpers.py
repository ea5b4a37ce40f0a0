"""What the tests share: waiting without luck, programs that must be there, trees, small photos."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image

Tree = Mapping[str, Any]
"""A folder as a value: names to bytes or text (a file), or to another tree (a folder)."""

T = TypeVar("T")

# A build machine installs, writes and tests all at once, and its disk may stall for many seconds.
SLOWNESS = 4 if os.environ.get("CI") else 1


def wait_until(condition: Callable[[], T], limit_seconds: float, what: str) -> T:
    """Ask `condition` until its answer is truthy, and return that answer.

    Fails the test, naming `what` was waited for, after `limit_seconds` (more on a build machine).
    """
    end = time.monotonic() + limit_seconds * SLOWNESS
    while True:
        if answer := condition():
            return answer
        if time.monotonic() >= end:
            pytest.fail(f"waited {limit_seconds:g} s in vain for: {what}")
        time.sleep(0.01)  # between two looks, not instead of one


def skip(reason: str) -> None:
    """Skip this test and say why; where `CI` is set, fail instead: there it has to run."""
    if os.environ.get("CI"):
        pytest.fail(f"cannot run here, and CI is set: {reason}")
    pytest.skip(reason)


def require_programs(*names: str) -> None:
    """Skip this test (fail where `CI` is set) unless every program is on the search path."""
    if missing := [name for name in names if shutil.which(name) is None]:
        skip(f"needs {', '.join(missing)} on the search path")


def make_tree(folder: Path, tree: Tree) -> Path:
    """Write `tree` below `folder`, which is made if need be, and return `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = folder / name
        if isinstance(content, Mapping):
            make_tree(path, content)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    return folder


def read_tree(folder: Path) -> dict[str, Any]:
    """What lies below `folder`, as `make_tree` takes it; files that are UTF-8 come as text."""
    tree: dict[str, Any] = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            tree[path.name] = read_tree(path)
            continue
        content = path.read_bytes()
        try:
            tree[path.name] = content.decode()
        except UnicodeDecodeError:
            tree[path.name] = content
    return tree


def files(folder: Path) -> dict[str, bytes]:
    """Every file below `folder`, by its path inside it; for names and content that are no text."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def names(folder: Path) -> set[str]:
    """The path of every file below `folder`, inside it; also while files come and go."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


@contextmanager
def cannot_be_looked_at(path: Path, *, for_long: bool = False) -> Iterator[None]:
    """The next look at `path` fails, as on a share that does not answer for a moment; all that are
    taken meanwhile, where it does not `for_long`."""
    looks = 0

    def once(call: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def look(asked: Any, **options: Any) -> os.stat_result:
            nonlocal looks
            if not isinstance(asked, int) and Path(os.fsdecode(asked)) == path:
                looks += 1
                if looks == 1 or for_long:
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(asked, **options)

        return look

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "stat", once(os.stat))
        patch.setattr(os, "lstat", once(os.lstat))
        yield
    assert looks, "nobody has looked"


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder in which nothing waits for a disk, in memory where that can be.

    Its name leaves room for sockets, whose paths are 104 bytes at most.
    """
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="test", dir=place) as folder:
        yield Path(folder)


@contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[Path]:
    """A file system of its own at `folder`, of `size` such as "64k"; skips where none can be."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "beartray-test", str(folder)]
    if sys.platform != "linux" or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def picture(
    path: Path,
    size: tuple[int, int] = (64, 48),
    colour: str | tuple[int, int, int] = "saddlebrown",
    **options: Any,
) -> Path:
    """Write a small real photo of one colour (`size` is width, height in pixels); return `path`.

    The format follows the name's ending; `options` go to Pillow's `Image.save`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with Image.new("RGB", size, colour) as image:
        image.save(path, **options)
    return path
