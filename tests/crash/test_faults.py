"""A disk that is full, read-only or broken: nothing is lost, and what is not done is said."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.conftest import SetScene
from tests.crash.disks import disk, fill
from tests.crash.supervisor import Call, Judge, kill_at
from trayapp.photo import Action

pytestmark = pytest.mark.crash

MAKES = {"openat", "mkdir", "rename", "renameat2", "link"}
WRITES = MAKES | {"write", "pwrite64", "fsync", "fdatasync", "setxattr", "lsetxattr"}
CHANGES = WRITES | {"unlink", "rmdir", "ftruncate", "utimensat", "chmod", "lremovexattr"}
# What the system answers, and to which calls.
FAULTS = {
    errno.ENOSPC: WRITES,
    errno.EIO: CHANGES,
    errno.EACCES: CHANGES - {"write", "pwrite64", "fsync", "fdatasync", "ftruncate"},
    errno.EROFS: CHANGES - {"write", "pwrite64", "fsync", "fdatasync", "ftruncate"},
}
BLOCK = 4096
SMALL = 1 << 20
PAGES = {"pwrite64", "fdatasync"}  # SQLite's own: every third


def once(number: int, error: int) -> Judge:
    """One call fails, and the next of its kind does not."""
    return lambda call: error if call.number == number else 0


def from_then_on(number: int, error: int) -> Judge:
    """The disk is full, or read-only, and stays so."""

    def judge(call: Call) -> int:
        return error if call.number >= number and call.name in FAULTS[error] else 0

    return judge


@pytest.mark.parametrize("fault", FAULTS, ids=errno.errorcode.get)
@pytest.mark.parametrize("lasting", [once, from_then_on])
@pytest.mark.parametrize(
    ("other", "action"),
    [("ext4", "move"), ("tmpfs", "move"), ("tmpfs", "copy"), ("ext4", "tag")],
)
def test_a_call_fails(
    set_scene: SetScene,
    other: str,
    action: Action,
    lasting: Callable[[int, int], Judge],
    fault: int,
) -> None:
    scene = set_scene("ext4", other, action)
    scene.make()
    calls = scene.work().calls
    for number, name in enumerate(calls, 1):
        if name not in FAULTS[fault] or (name in PAGES and (number + fault) % 3):
            continue
        scene.make()
        scene.work(lasting(number, fault))
        scene.recover_and_check((name, number, errno.errorcode[fault]), folders_stay=True)


@pytest.mark.parametrize("kind", ["tmpfs", "ext4"])
@pytest.mark.parametrize("action", ["move", "copy"])
def test_the_albums_disk_is_really_full(
    set_scene: SetScene, tmp_path: Path, kind: str, action: Action
) -> None:
    """Full at once, and with room for one block after the other."""
    scene = replace(set_scene("ext4", "ext4", action), other=tmp_path / "small")
    stayed = 0
    with disk(kind, scene.other, SMALL):
        for room in range(0, 16 * BLOCK, BLOCK):
            scene.make()
            filler = fill(scene.other, room)
            stayed += "full" in scene.work().said
            scene.recover_and_check((kind, room))
            filler.unlink()
    assert stayed


@pytest.mark.parametrize(
    ("kind", "action", "step"),
    [
        *[("ext4", "move", BLOCK), ("ext4", "copy", BLOCK), ("ext4", "tag", BLOCK)],
        # Where the shared memory of SQLite has holes, a full disk ended the program with SIGBUS.
        ("ext4-1k", "move", BLOCK // 2),
    ],
)
def test_the_journals_disk_is_really_full(
    set_scene: SetScene, tmp_path: Path, kind: str, action: Action, step: int
) -> None:
    """Also with room for one block after the other."""
    scene = set_scene("ext4", "ext4", action)
    scene = replace(scene, home=tmp_path / "small" / "home")
    refused = 0
    with disk(kind, scene.home.parent, SMALL):
        for room in range(0, 48 * step, step):
            scene.make()
            filler = fill(scene.home.parent, room)
            refused += scene.work().said != ""
            filler.unlink()
            scene.recover_and_check(room)
    assert refused


@pytest.mark.parametrize("action", ["move", "copy"])
def test_killed_while_the_disk_is_full(
    set_scene: SetScene, tmp_path: Path, kills: Counter[str], action: Action
) -> None:
    scene = replace(set_scene("ext4", "ext4", action), other=tmp_path / "small")
    with disk("ext4", scene.other, SMALL):
        for room in (0, 2 * BLOCK):
            killed, number = True, 0
            while killed:
                number += 3
                scene.make()
                filler = fill(scene.other, room)
                killed = scene.work(kill_at(number)).killed
                kills["filing to a full disk"] += killed
                scene.recover()  # a sidecar that does not fit waits for space
                filler.unlink()
                scene.recover_and_check((room, number))
