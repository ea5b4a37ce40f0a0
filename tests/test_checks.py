"""What the doctor makes of what it finds: pure judgements, and looks at real folders and files."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.helpers import tiny_disk
from trayapp.commands.checks import places, records, session, watching
from trayapp.commands.checks.finding import Check, Finding, examine
from trayapp.commands.checks.places import Place, Room
from trayapp.commands.checks.records import Records
from trayapp.commands.checks.watching import Inotify
from trayapp.database import VERSION, Database
from trayapp.desktop.control import NotAnsweringError, NotRunningError
from trayapp.desktop.login import LoginItem
from trayapp.photo import BeartrayError
from trayapp.settings import Folder, Sort

INBOX = Path("/home/ann/Inbox")
GOOD = Place(INBOX, 1, None, "ext4")
LIMITS = Inotify(8192, 128, 100, 10)
ITEM = LoginItem("/item", ("/bin/beartray",), True, None, True, True)


def test_one_check_that_hangs_or_fails_hides_no_other() -> None:
    release = threading.Event()

    def hang() -> Finding:
        release.wait(10)
        return Finding("hangs", True, "too late")

    def fail(error: Exception) -> Finding:
        raise error

    started = time.monotonic()
    found = list(
        examine(
            [
                Check("hangs", hang, 0.2),
                Check("good", lambda: Finding("good", True, "all well")),
                Check("told", lambda: fail(BeartrayError("mend it"))),
                Check("system", lambda: fail(OSError(errno.EIO, "broken", "/disk"))),
                Check("bug", lambda: fail(KeyError("x"))),
            ]
        )
    )
    release.set()
    assert time.monotonic() - started < 2.0
    assert [(one.check, one.ok) for one in found] == [
        *(("hangs", False), ("good", True), ("told", False), ("system", False), ("bug", False))
    ]
    assert found[0].detail == "does not answer within 0.2 seconds"
    assert found[3].detail == "/disk: the disk reports an error; check it and its cable"


def test_a_line_for_people_and_a_row_for_programs() -> None:
    bad = Finding("folder", False, "/a is not there", "make it")
    assert bad.line == "NOT GOOD  folder: /a is not there; make it"
    assert Finding("log", True, "/log").line == "good      log: /log"
    assert list(bad.row()) == ["check", "ok", "detail", "advice"]


@pytest.mark.parametrize(
    ("place", "settings", "ok", "words"),
    [
        (GOOD, Folder(path="/x"), True, "can be written to, ext4, renames never replace"),
        (replace(GOOD, links=False, cases=False), Folder(), True, "no hard links, A and a are one"),
        (Place(INBOX), Folder(), True, "is made at the first start"),
        (Place(INBOX), Folder(path="/x"), False, "is not there; make it, or"),
        (Place(INBOX, 1, "no permission"), Folder(), False, "cannot be written to; no permission"),
        (replace(GOOD, kind="nfs4"), Folder(observer="native"), False, "folder.observer auto"),
        (replace(GOOD, kind="nfs4"), Folder(), True, "a network folder (nfs4)"),
    ],
)
def test_the_folder(place: Place, settings: Folder, ok: bool, words: str) -> None:
    finding = places.judge_folder(place, settings)
    assert finding.ok is ok and words in finding.line


@pytest.mark.parametrize(
    ("sort", "there", "ok", "words"),
    [
        (Sort(), GOOD, True, "on the same disk"),
        (Sort(action="tag"), Place(INBOX), True, "stay where they are"),
        (Sort(), replace(GOOD, device=2), True, "another disk: photos are copied"),
        (Sort(destination="/media/card"), GOOD, False, "/home/ann/Inbox/x is not there; make it"),
        (Sort(destination="x"), GOOD, True, "on the same disk"),
        (Sort(destination="x"), replace(GOOD, problem="read-only"), False, "read-only"),
    ],
)
def test_the_destination(sort: Sort, there: Place, ok: bool, words: str) -> None:
    base = INBOX / "x" if sort.destination else INBOX
    finding = places.judge_destination(sort, GOOD, base, there)
    assert finding.ok is ok and words in finding.line


@pytest.mark.parametrize(
    ("room", "ok", "words"),
    [
        (Room("photos", INBOX, 12_300_000_000, 5), True, "12.3 GB for photos"),
        (Room("photos", INBOX, 12_300_000_000), True, "12.3 GB"),
        (
            Room("photos", INBOX, 5_000_000, 5),
            False,
            "5 MB left for photos (/home/ann/Inbox); free",
        ),
        (Room("photos", INBOX, 12_300_000_000, 0), False, "no file more left for photos"),
    ],
)
def test_the_room(room: Room, ok: bool, words: str) -> None:
    finding = places.judge_room([room])
    assert finding.ok is ok and words in finding.line


def test_a_real_folder_is_tried_out_and_left_as_it_was(tmp_path: Path) -> None:
    place = places.look_at(tmp_path)
    assert (place.problem, place.exclusive, place.device) == (None, True, tmp_path.stat().st_dev)
    assert list(tmp_path.iterdir()) == []
    assert places.look_at(tmp_path / "missing") == Place(tmp_path / "missing")
    file = tmp_path / "file"
    file.touch()
    assert places.look_at(file).problem is not None
    assert places.nearest_there(tmp_path / "a" / "b") == tmp_path


def test_a_disk_of_another_kind_that_is_full(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "card", "64k") as card:
        place = places.look_at(card)
        assert place.kind == "tmpfs" and place.device != tmp_path.stat().st_dev
        (room,) = places.room_at([("photos", card / "not yet")])
        assert room.free_bytes <= 65_536 and not places.judge_room([room]).ok
        (card / "fill").write_bytes(bytes(room.free_bytes))
        assert "the disk is full" in str(places.look_at(card).problem)


def test_the_log(tmp_path: Path) -> None:
    file = tmp_path / "log" / "beartray.log"
    assert places.judge_log(file).ok and not file.parent.exists()
    file.parent.mkdir()
    file.write_bytes(bytes(3000))
    assert "3 kB" in places.judge_log(file).detail
    assert file.stat().st_size == 3000
    file.unlink()
    file.mkdir()
    assert not places.judge_log(file).ok


@pytest.mark.parametrize(
    ("facts", "runs", "ok", "words"),
    [
        (LIMITS, False, True, "100 of 8,192 watched folders and 10 of 128 watching programs"),
        (Inotify(8192, 128), False, True, "? of 8,192"),
        (replace(LIMITS, watches=8190), False, False, "sysctl fs.inotify.max_user_watches=524288"),
        (replace(LIMITS, watches=8190), True, True, "8,190 of 8,192"),
        (replace(LIMITS, wanted=9000), False, False, "max_user_watches"),
        (replace(LIMITS, instances=128), False, False, "fs.inotify.max_user_instances=512"),
        (replace(LIMITS, refusal=errno.ENOSPC), True, False, "max_user_watches=524288"),
        (replace(LIMITS, refusal=errno.EMFILE), True, False, "max_user_instances=512"),
        (replace(LIMITS, max_watches=1 << 20, watches=1 << 20), False, False, "=2097152"),
    ],
)
def test_the_limits_on_watching(facts: Inotify, runs: bool, ok: bool, words: str) -> None:
    finding = watching.judge(facts, runs)
    assert finding.ok is ok and words in finding.line
    assert ok or "/etc/sysctl.d/60-beartray.conf" in finding.line


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_what_is_watched_now_is_counted(tmp_path: Path) -> None:
    from watchdog.events import FileSystemEventHandler
    from watchdog.observers import Observer

    (tmp_path / "a" / "b").mkdir(parents=True)
    before = watching.look(tmp_path, recursive=True)
    assert (before.wanted, before.refusal) == (3, 0)
    observer = Observer()
    observer.schedule(FileSystemEventHandler(), str(tmp_path), recursive=True)
    observer.start()
    try:
        after = watching.look(tmp_path, recursive=False)
        assert after.watches is not None and after.instances is not None
        assert after.instances >= 1 and after.watches >= 3 and after.wanted == 1
    finally:
        observer.stop()
        observer.join()
    assert watching.look(tmp_path / "gone", recursive=False).refusal == errno.ENOENT


@pytest.mark.parametrize(
    ("changes", "ok", "words"),
    [
        ({"entries": 1200}, True, "1,200 entries, whole, all settled"),
        ({"entries": 12, "whole": False}, True, "as far as there was time"),
        ({"there": False}, True, "is made at the first start"),
        ({"damage": "malformed"}, False, "malformed; end Beartray and rename the file"),
        ({"version": VERSION + 1}, False, "newer Beartray; update"),
        ({"unwritable": "readonly"}, False, "cannot be written to: readonly"),
        ({"half_done": 3}, False, "3 photos wait to be put right; connect the disk"),
    ],
)
def test_the_journal(changes: dict[str, Any], ok: bool, words: str) -> None:
    finding = records.judge(replace(Records(Path("/j")), **changes))
    assert finding.ok is ok and words in finding.line


def test_a_real_journal_that_another_program_writes_to(tmp_path: Path) -> None:
    file, private = tmp_path / "journal 100%.sqlite", tmp_path / "private"
    private.mkdir()
    assert records.look(file, private) == Records(file, there=False) and not file.exists()
    database = Database(file)
    row = "INSERT INTO entries (time, batch, action, path, destination, state, owner)"
    try:
        with database.writing() as db:
            for owner in ("works", "killed"):
                db.execute(f"{row} VALUES (0, 1, 'move', '/a', '/b', 'begun', ?)", (owner,))
        (private / "owner-killed.lock").touch()
        with FileLock(private / "owner-works.lock"):
            found = records.look(file, private)
            assert (found.damage, found.unwritable, found.entries) == (None, None, 2)
            assert found.half_done == 1, "the other one is at work"
        with database.writing():
            busy = records.look(file, private)
        assert (busy.damage, busy.unwritable) == (None, None), "another one can write, after all"
    finally:
        database.close()


def test_a_journal_that_could_not_be_made_at_the_first_start(tmp_path: Path) -> None:
    """Not even root can write to a disk that is mounted read-only."""
    with tiny_disk(tmp_path / "disk", "64k") as disk:
        file = disk / "beartray" / "journal.sqlite"
        assert records.judge(records.look(file, disk)).ok
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        finding = records.judge(records.look(file, disk))
    assert not finding.ok and f"cannot be written to: nor can {disk}" in finding.line


def test_a_journal_with_a_damaged_page(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    Database(file).close()
    with closing(sqlite3.connect(file)) as db, db:
        row = "INSERT INTO entries (time, batch, action, path, destination, state, owner)"
        for number in range(500):
            db.execute(f"{row} VALUES (0, 1, 'move', ?, '/b', 'done', 'x')", (f"/a{number}",))
    content = bytearray(file.read_bytes())
    content[5 * 4096 : -4096] = os.urandom(len(content) - 6 * 4096)
    file.write_bytes(content)
    assert not records.judge(records.look(file, tmp_path)).ok


@pytest.mark.parametrize(
    ("item", "wanted", "ok", "words"),
    [
        (ITEM, True, True, "starts at login (/item)"),
        (LoginItem("/item"), False, True, "does not start at login"),
        (LoginItem("/item"), True, False, "there is no login item; `beartray autostart on`"),
        (ITEM, False, False, "starts at login, unlike startup.at_login says"),
        (replace(ITEM, program_there=False), True, False, "/bin/beartray is not there any more"),
        (replace(ITEM, enabled=False, switched_off="off in X"), True, False, "says: off in X"),
        (replace(ITEM, enabled=False, switched_off="off in X"), False, True, "does not start"),
        (replace(ITEM, own=False), True, False, "another Beartray starts at login: /bin/beartray"),
    ],
)
def test_the_login_item(item: LoginItem, wanted: bool, ok: bool, words: str) -> None:
    finding = session.judge_login(item, wanted)
    assert finding.ok is ok and words in finding.line


def test_tray_and_notifications() -> None:
    assert session.judge_tray(None, "plasmashell").detail == "plasmashell shows icons"
    assert not session.judge_tray("no panel", None).ok
    found = session.check_notifications(lambda: "dunst 1.9.0 (knopwob)", "each")
    assert found.ok and found.detail == "dunst 1.9.0 (knopwob); told of each"

    def none() -> str:
        raise BeartrayError("none answers")

    assert session.check_notifications(none, "off").line == "NOT GOOD  notifications: none answers"


@pytest.mark.parametrize(
    ("answer", "ok", "words"),
    [
        (
            {"version": "1", "pid": 7, "folder": "/f", "filed_today": 3},
            True,
            "process 7 watches /f",
        ),
        ({"version": "0"}, False, "Beartray 0 runs, and this is 1; `beartray quit`"),
        ({"version": "1", "problem": "the folder is gone"}, False, "the folder is gone"),
        (NotAnsweringError("process 7 does not answer"), False, "process 7 does not answer"),
        (NotRunningError("no"), True, "does not run now"),
    ],
)
def test_the_one_that_runs(answer: object, ok: bool, words: str) -> None:
    def ask() -> dict[str, object]:
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, dict)
        return answer

    finding = session.check_running(ask, "1")
    assert finding.ok is ok and words in finding.line
