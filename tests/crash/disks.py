"""Small file systems of the kinds that people have: in memory, ext4, FAT and exFAT."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import require_programs, skip

SIZE = 16 << 20
_FORMATS = {
    "ext4": "mkfs.ext4 -q -F -b 4096",
    "ext4-1k": "mkfs.ext4 -q -F -b 1024",  # as it is on small disks
    "fat": "mkfs.vfat",
    "exfat": "mkfs.exfat",
}
# Where the kernel has no driver (the first that works is taken), one in user space. For FAT there
# is none to trust: fusefat reads back zeros and changes a file's time when it is renamed.
_MOUNTS = {
    "ext4": ["mount -i -t ext4"],
    "ext4-1k": ["mount -i -t ext4"],
    "fat": ["mount -i -t vfat"],
    "exfat": ["mount -i -t exfat", "mount.exfat-fuse"],
}


@contextmanager
def disk(kind: str, folder: Path, size: int = SIZE) -> Iterator[Path]:
    """A file system of `kind` (a key of `_FORMATS`, or "tmpfs") at `folder`, `size` bytes large.

    It is put away in the end, whatever happened and whoever still uses it. Skips without the
    right to mount, and where this system has no such file system (fails there if `CI` is set).
    """
    require_mounting()
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "tmpfs":
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "beartray-test", folder)
        try:
            yield folder
        finally:
            unmount(folder)
        return
    with _device(kind, size) as device:
        mount(kind, device, folder)
        try:
            yield folder
        finally:
            unmount(folder)


def require_mounting() -> None:
    """Skip this test where nobody may mount a disk."""
    if sys.platform != "linux":
        pytest.skip("mounts disks as Linux does")
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")


def unmount(folder: Path) -> None:
    """Also while somebody has a file there open; its last user then ends it."""
    if os.path.ismount(folder):  # a test may have done it
        _run("umount", "--lazy", folder)


def fill(folder: Path, leave: int = 0) -> Path:
    """Write a file that takes all the space below `folder` but `leave` bytes; returns it."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as stream:
        for chunk in (1 << 16, 512):
            try:
                while stream.write(bytes(chunk)) == chunk:
                    pass
            except OSError:
                continue
    with filler.open("r+b") as stream:
        stream.truncate(max(0, filler.stat().st_size - leave))
    return filler


@contextmanager
def _device(kind: str, size: int) -> Iterator[str]:
    program, *options = _FORMATS[kind].split()
    require_programs(program, "losetup")
    memory = Path("/dev/shm")  # a disk's own slowness is not what is tested
    place = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    try:
        image = place / "image"
        image.touch()
        os.truncate(image, size)
        _run(program, *options, image)
        device = _run("losetup", "--find", "--show", image).strip()
        try:
            yield device
        finally:
            _run("losetup", "--detach", device)
    finally:
        shutil.rmtree(place)


def mount(kind: str, device: str, folder: Path) -> None:
    """Mount a device that `disk` has formatted; as `disk` it skips where that cannot be."""
    said = []
    for way in _MOUNTS[kind]:
        program, *options = way.split()
        if shutil.which(program) is None:
            said.append(f"{program} is not there")
            continue
        done = subprocess.run([program, *options, device, str(folder)], capture_output=True)
        if done.returncode == 0 and os.path.ismount(folder):
            return
        said.append((done.stdout + done.stderr).decode(errors="replace").strip())
    reason = f"no {kind} can be mounted: {'; '.join(said)}"
    if kind == "fat":  # the kernel lacks it, and so must this test
        pytest.skip(reason)
    skip(reason)


def _run(*command: str | Path) -> str:
    return subprocess.run(
        [*map(str, command)], check=True, stdout=subprocess.PIPE, text=True
    ).stdout
