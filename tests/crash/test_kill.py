"""Killed at any system call, the next start leaves every photo in its old or its new place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers import make_tree, require_programs
from tests.program import ROOT
from trayapp.database import Database
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.owner import Owner
from trayapp.photo import Entry

pytestmark = pytest.mark.crash

# All that change a file, a name or the journal.
CALLS = [
    *("renameat2", "rename", "link", "unlink", "mkdir", "rmdir", "fsync", "fdatasync"),
    *("pwrite64", "ftruncate", "utimensat", "setxattr", "removexattr", "write", "fchmod"),
]
STRIDE = {"pwrite64": 6}  # SQLite's own pages, a hundred a run: some of them
PHOTOS = {"a.jpg": "first photo" * 9, "b.jpg": "second photo" * 9}
SIDECARS = {
    "a.jpg.xmp": '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF'
    ' xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"/></x:xmpmeta>',
    "b.aae": "edits",
    "a.late": "came late",
}


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_killed_at_every_system_call(tmp_path: Path, action: str) -> None:
    assert _kill_everywhere(tmp_path, action, tmp_path / "out") > 40


@pytest.mark.parametrize("action", ["move", "copy"])
def test_killed_on_the_way_to_another_disk(tmp_path: Path, other_disk: Path, action: str) -> None:
    assert _kill_everywhere(tmp_path, action, other_disk / "out") > 40


def _kill_everywhere(place: Path, action: str, out: Path) -> int:
    """Kill the workload at each call of each kind, recover, and look; returns how often."""
    require_programs("strace")
    kills = 0
    for call in CALLS:
        number = 1
        while _run_killed(place, action, out, call, number):
            _recover_and_check(place, action, out, f"{call} {number}")
            number, kills = number + STRIDE.get(call, 1), kills + 1
        _recover_and_check(place, action, out, "not killed")
    return kills


def _run_killed(place: Path, action: str, out: Path, call: str, number: int) -> bool:
    """Whether the workload got as far as that call; it starts afresh each time."""
    for folder in (place / "home", place / "inbox", out):
        shutil.rmtree(folder, ignore_errors=True)
    make_tree(place / "inbox", {**PHOTOS, **SIDECARS})
    out.mkdir()
    workload = (sys.executable, "-S", "-B", "-m", "tests.crash.workload")
    done = subprocess.run(
        [
            *("strace", "-f", "-o", os.devnull, "-e", f"trace={call}"),
            *("-e", f"inject={call}:signal=SIGKILL:when={number}"),
            *(*workload, str(place / "home"), str(place / "inbox"), action, str(out)),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -9, 137), done.stderr
    return done.returncode != 0


def _recover_and_check(place: Path, action: str, out: Path, when: str) -> None:
    owner = Owner(place / "home" / "private")
    database = Database(place / "home" / "journal.sqlite")
    try:
        journal = Journal(database, owner.name)
        Filing(journal, owner.is_gone).recover()
        assert journal.unfinished() == [], when
        entries = journal.history()
    finally:
        database.close()
        owner.close()
    found = _contents(place / "inbox") + _contents(out)
    for content in [*PHOTOS.values(), *SIDECARS.values()]:
        copies = found[content]
        if action == "tag" and content == SIDECARS["a.jpg.xmp"]:
            assert copies <= 1, when
        elif action == "copy":
            assert copies in (1, 2), (when, content, found)
        else:
            assert copies == 1, (when, content, found)
    extra = [name for name in _names(place / "inbox") + _names(out) if name.startswith(".")]
    assert extra == [], when
    for entry in entries:
        _check_entry(entry, when)


def _check_entry(entry: Entry, when: str) -> None:
    """The journal says what the disk says."""
    here, there = entry.path.exists(), entry.destination.exists()
    if entry.action == "tag":
        assert here, when
    elif entry.state == "done":
        assert there, (when, entry)
        assert here == (entry.action == "copy"), (when, entry)
    else:
        assert here, (when, entry)
        assert not there, (when, entry)


def _contents(folder: Path) -> Counter[str]:
    return Counter(path.read_text() for path in folder.rglob("*") if path.is_file())


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*")]
