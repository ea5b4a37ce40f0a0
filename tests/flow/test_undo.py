"""`beartray history` and `beartray undo`; each command is a new process, so all survives it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.helpers import files, tiny_disk
from tests.program import Program

pytestmark = pytest.mark.flow

Photo = Callable[..., bytes]


@pytest.fixture
def filed(program: Program, inbox: Path, photo: Photo) -> dict[str, bytes]:
    """Six photos, filed in two batches of three: a, b and c, then d, e and f."""
    before = {}
    for names in ("abc", "def"):
        for name, label in zip(names, ("grizzly", "black", "teddy"), strict=True):
            before[f"{name}.jpg"] = photo(inbox / f"{name}.jpg", label)
        program.command("sort", inbox)
    return before


def here(inbox: Path) -> str:
    """The names of the photos that are back."""
    return "".join(sorted(path.stem for path in inbox.glob("*.jpg")))


def test_history_is_newest_first(program: Program, inbox: Path, filed: dict[str, bytes]) -> None:
    lines = program.command("history").splitlines()
    assert [line.split("  ")[-1] for line in lines] == [
        *("f.jpg → teddy, 99 %", "e.jpg → black, 99 %", "d.jpg → grizzly, 99 %"),
        *("c.jpg → teddy, 99 %", "b.jpg → black, 99 %", "a.jpg → grizzly, 99 %"),
    ]
    assert program.command("history", "-n", "2").splitlines() == lines[:2]
    newest, *_ = rows = program.rows("history", "-n", "4")
    assert [row["id"] for row in rows] == [6, 5, 4, 3]
    assert list(newest) == [
        *("id", "time", "path", "destination", "label", "confidence", "action", "state")
    ]
    assert newest["path"] == str(inbox / "f.jpg")
    assert newest["destination"] == str(inbox / "teddy" / "f.jpg")
    assert (newest["label"], newest["action"], newest["state"]) == ("teddy", "move", "done")
    assert 0.9 < newest["confidence"] < 1
    when = datetime.fromisoformat(newest["time"])
    assert when.tzinfo is not None
    assert abs(when.timestamp() - time.time()) < 60


def test_one_or_some_by_id(program: Program, inbox: Path, filed: dict[str, bytes]) -> None:
    assert program.command("undo", "2") == f"b.jpg is back in {inbox}\n"
    assert [row["id"] for row in program.rows("undo", "1", "6")] == [6, 1]
    assert here(inbox) == "abf"
    assert program.command("history").count("(undone)") == 3


def test_the_last_ones(program: Program, inbox: Path, filed: dict[str, bytes]) -> None:
    program.command("undo")
    assert here(inbox) == "f"
    program.command("undo", "--last")
    assert here(inbox) == "ef"
    program.command("undo", "--last", "2", "--json")
    assert here(inbox) == "cdef"
    program.command("undo", "--last=50")
    assert files(inbox) == filed
    nothing = program.try_command("undo")
    assert (nothing.returncode, nothing.stderr) == (0, "There is nothing to undo.\n")


def test_a_batch(program: Program, inbox: Path, filed: dict[str, bytes]) -> None:
    program.command("undo", "--batch")
    assert here(inbox) == "def"
    program.command("undo", "--batch")
    assert files(inbox) == filed


@pytest.mark.parametrize("since", ["1h", "today", "yesterday", "1h30m", "2020-01-01"])
def test_since(program: Program, inbox: Path, filed: dict[str, bytes], since: str) -> None:
    if since == "today" and datetime.now().astimezone().hour == 0:
        since = "yesterday"  # it may just have turned midnight
    program.command("undo", "--since", since)
    assert files(inbox) == filed


def test_since_a_moment_leaves_what_came_before(
    program: Program, inbox: Path, filed: dict[str, bytes]
) -> None:
    (fourth,) = (row for row in program.rows("history") if row["id"] == 4)
    program.command("undo", "--since", fourth["time"])
    assert here(inbox) == "def"
    assert program.try_command("undo", "--since", "2100-01-01").stderr.startswith("There is noth")


def test_what_is_refused_is_named_and_the_rest_is_done(
    program: Program, inbox: Path, filed: dict[str, bytes], photo: Photo
) -> None:
    (inbox / "grizzly" / "d.jpg").write_bytes(b"edited")
    (inbox / "black" / "e.jpg").unlink()
    taken = photo(inbox / "f.jpg", "none")
    done = program.try_command("undo", "--last", "6")
    assert done.returncode == 1
    assert here(inbox) == "abcf"
    assert (inbox / "f.jpg").read_bytes() == taken
    assert (inbox / "teddy" / "f.jpg").read_bytes() == filed["f.jpg"]
    complaints = done.stderr.splitlines()
    assert complaints == [
        f"f.jpg stays filed: its old place {inbox}/f.jpg is taken",
        f"e.jpg stays filed: {inbox}/black/e.jpg: it is no longer there",
        f"d.jpg stays filed: {inbox}/grizzly/d.jpg has changed since",
    ]
    (inbox / "f.jpg").unlink()
    program.command("undo", "6")
    assert (inbox / "f.jpg").read_bytes() == filed["f.jpg"]
    again = program.try_command("undo", "6")
    assert (again.returncode, again.stderr) == (1, "f.jpg: it was undone already\n")


def test_disks_that_are_full_read_only_or_away_refuse_theirs_only(
    program: Program, tmp_path: Path, inbox: Path, photo: Photo
) -> None:
    """Photos of five folders went to a stick; what cannot come back comes another time."""
    for folder in ("away/card", "fine", "full", "in the way", "locked"):
        for name in "ab":
            photo(inbox / folder / f"{name}.jpg")
    before = files(inbox)
    with tiny_disk(tmp_path / "stick", "1m") as stick:
        program.command("sort", inbox, "--to", stick)
        (inbox / "away").rename(tmp_path / "drawer")
        (inbox / "in the way").rmdir()
        (inbox / "in the way").write_text("a note")
        with tiny_disk(inbox / "full", "4k") as full, tiny_disk(inbox / "locked", "64k") as locked:
            (full / "film").write_bytes(bytes(4096))
            subprocess.run(["mount", "-o", "remount,ro", str(locked)], check=True)
            for _ in range(2):
                done = program.try_command("undo", "--batch")
                assert done.returncode == 1
                assert {line.split(": ", 1)[1] for line in done.stderr.splitlines()} == {
                    f"its old folder {inbox}/away/card is not there; make it, or connect its disk",
                    f"{inbox}/full: the disk is full; free some space",
                    f"{inbox}/in the way: a file of that name is in the way; rename it",
                    f"{inbox}/locked: the disk is read-only; unlock it, choose another folder, or"
                    " copy instead of move",
                }
                assert len(done.stderr.splitlines()) == len(files(stick)) == 8
            assert program.command("history", "--verify") == "Verified: 10 as they should be\n"
        (tmp_path / "drawer").rename(inbox / "away")
        (inbox / "in the way").unlink()
        program.command("undo", "--batch")
        assert (files(stick), files(inbox)) == ({}, before)


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("99",), 1, "there is no entry 99 in the history"),
        (("x",), 2, "ID"),
        (("--last", "0"), 2, "--last"),
        (("--since", "soon"), 2, "'soon' is not a time; write for example 2h, today"),
        (("--since", "9999d"), 2, "'9999d' is not a span"),
        (("1", "--last"), 2, "name photos by ID, or use one of"),
        (("--last", "2", "--batch"), 2, "name photos by ID, or use one of"),
    ],
)
def test_wrong_words(
    program: Program, inbox: Path, words: tuple[str, ...], status: int, complaint: str
) -> None:
    done = program.try_command("undo", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert complaint in done.stderr


def test_a_running_beartray_leaves_alone_what_was_undone_beside_it(
    program: Program, inbox: Path, photo: Photo
) -> None:
    with program.running(inbox):
        data = photo(inbox / "a.jpg")
        while not (inbox / "grizzly" / "a.jpg").exists():
            time.sleep(0.01)
        program.command("undo")
        photo(inbox / "b.jpg")
        while not (inbox / "grizzly" / "b.jpg").exists():
            time.sleep(0.01)
        assert (inbox / "a.jpg").read_bytes() == data
