"""The folder goes away, comes back, or is suddenly another one; photos are filed all the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.disks import disk, mount, unmount
from tests.flow.watching.conftest import StartWork, drop
from tests.helpers import files, make_tree, require_programs, wait_until
from tests.program import Program, status_now

pytestmark = pytest.mark.flow


@pytest.fixture
def disks() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_deleted_and_made_again(start_work: StartWork, inbox: Path) -> None:
    work = start_work(inbox)
    shutil.rmtree(inbox)
    work.wait_for_problem("is not there; connect its disk")
    inbox.mkdir()
    expected = drop(inbox, "at once.jpg")
    work.wait_until_watching()
    work.wait_until_filed(expected | drop(inbox, "later.jpg"))
    assert work.live.problem is None


def test_replaced_by_another_folder(start_work: StartWork, tmp_path: Path, inbox: Path) -> None:
    work = start_work(inbox)
    inbox.rename(tmp_path / "old")
    inbox.mkdir()
    work.wait_until_filed(drop(inbox, "a.jpg"))
    drop(tmp_path / "old", "not ours any more.jpg")
    work.wait_until_filed({"a.jpg": b"photo 'a.jpg'"} | drop(inbox, "b.jpg"))
    assert set(files(tmp_path / "old")) == {"not ours any more.jpg"}


def test_replaced_by_a_link_that_is_then_turned_to_another_folder(
    start_work: StartWork, tmp_path: Path, inbox: Path
) -> None:
    work = start_work(inbox)
    for name in ("one", "other"):
        target = make_tree(tmp_path / name, {})
        link = tmp_path / "link"
        link.symlink_to(target)
        if not inbox.is_symlink():
            inbox.rmdir()
        link.replace(inbox)
        work.wait_until_filed(drop(target, "at once.jpg"))
        work.wait_until_filed({"at once.jpg": b"photo 'at once.jpg'"} | drop(target, "later.jpg"))
    assert set(files(tmp_path / "one")) == {"grizzly/at once.jpg", "grizzly/later.jpg"}


def test_the_folder_above_is_renamed_and_back(start_work: StartWork, tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "pictures" / "inbox", {})
    work = start_work(inbox)
    inbox.parent.rename(tmp_path / "away")
    work.wait_for_problem("is not there")
    expected = drop(tmp_path / "away" / "inbox", "meanwhile.jpg")
    (tmp_path / "away").rename(inbox.parent)
    work.wait_until_filed(expected)


@pytest.mark.parametrize("kind", ["ext4", "exfat"])
def test_its_disk_is_ejected_and_comes_back(
    start_work: StartWork, tmp_path: Path, kind: str
) -> None:
    stick = tmp_path / "stick"
    with disk(kind, stick):
        inbox = make_tree(stick / "inbox", {})
        work = start_work(inbox)
        work.wait_until_filed(drop(inbox, "a.jpg"))
        find = ["findmnt", "--noheadings", "--output", "SOURCE", str(stick)]
        device = subprocess.run(find, capture_output=True, text=True).stdout.strip()
        # Not lazily: nothing of Beartray's may keep the disk busy.
        wait_until(lambda: _eject(stick), 10, "the disk to be ejected")
        work.wait_for_problem("is not there; connect its disk")
        mount(kind, device, stick)
        work.wait_until_watching()
        work.wait_until_filed({"a.jpg": b"photo 'a.jpg'"} | drop(inbox, "b.jpg"))


def test_its_disk_is_pulled_out_while_it_is_in_use(
    start_work: StartWork, tmp_path: Path, disks: ExitStack
) -> None:
    stick = disks.enter_context(disk("ext4", tmp_path / "stick"))
    work = start_work(stick, "recursive = true")
    work.wait_until_filed(drop(stick, "a.jpg"))
    with (stick / "held open").open("w"):
        unmount(stick)  # lazily: it is gone from here, and lives on for who has it open
        # Its place is an empty folder now, which is another one.
        work.wait_until_filed(drop(stick, "into the mount point.jpg"))
    disks.enter_context(disk("tmpfs", stick))
    work.wait_until_filed(drop(stick, "on another disk mounted there.jpg"))
    disks.enter_context(disk("tmpfs", stick))
    work.wait_until_filed(drop(stick, "on a third one over that.jpg"))


def test_permissions_taken_away_and_given_back(
    program: Program, inbox: Path, photo: Callable[..., bytes]
) -> None:
    if os.geteuid() == 0:  # root, but without root's right to read and write everything
        require_programs("setpriv")
        program.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    trip, closed = make_tree(inbox / "trip", {}), make_tree(inbox / "closed", {})
    closed.chmod(0)
    program.configure(f"[folder]\npath = {json.dumps(str(inbox))}\nrecursive = true\n")
    expected = set()

    def put(folder: Path, name: str) -> None:
        photo(inbox.parent / name, "teddy")
        (inbox.parent / name).rename(folder / name)
        expected.add(name)

    with program.running(None):
        for folder in (inbox, trip):
            folder.chmod(0)
            put(folder, f"while {folder.name} is closed.jpg")
            folder.chmod(0o700)
            put(folder, f"when {folder.name} is open again.jpg")
        closed.chmod(0o700)  # it could not be watched at the start
        put(closed, "in a folder that was closed at the start.jpg")
        filed = inbox / "teddy"
        wait_until(lambda: filed.is_dir() and len(list(filed.iterdir())) == 5, 30, "all filed")
        assert status_now(program.home, program.environ)["problem"] is None
    assert {path.name for path in filed.iterdir()} == expected
    assert "this should not happen" not in (program.home / "log" / "beartray.log").read_text()


def _eject(stick: Path) -> bool:
    return subprocess.run(["umount", str(stick)], capture_output=True).returncode == 0
