"""`beartray history --verify`: one clear line for what is not as the journal says."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import wait_until
from tests.program import Program

pytestmark = pytest.mark.flow

Photo = Callable[..., bytes]
NAMES = "abcdef"


@pytest.fixture
def filed(program: Program, inbox: Path, photo: Photo) -> None:
    """Photos a to f, in the folder grizzly."""
    for name in NAMES:
        photo(inbox / f"{name}.jpg")
    program.command("sort", inbox)


def test_all_is_as_it_should_be(program: Program, inbox: Path, photo: Photo) -> None:
    assert program.command("history", "--verify") == "Nothing has been filed yet.\n"
    assert program.rows("history", "--verify") == []
    for name in NAMES:
        photo(inbox / f"{name}.jpg")
    program.command("sort", inbox)
    program.command("undo")
    assert program.command("history", "--verify") == "Verified: 6 as they should be\n"


def test_what_a_person_did_since_is_told_and_is_no_fault(
    program: Program, inbox: Path, filed: None
) -> None:
    program.settings.write_text(f'[folder]\npath = "{inbox}"\n{program.settings.read_text()}')
    grizzly, black = inbox / "grizzly", inbox / "black"
    black.mkdir()
    (grizzly / "a.jpg").rename(black / "a.jpg")
    (grizzly / "b.jpg").write_bytes(b"cropped")
    done = program.try_command("history", "--verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"     2  {grizzly}/b.jpg was changed since by you or another program",
        f"     1  {grizzly}/a.jpg is now {black}/a.jpg; somebody moved it there, so it cannot be"
        " undone from here",
        "Verified: 4 as they should be, 1 moved since by hand, 1 changed since",
    ]


def test_what_is_wrong_is_named_on_stderr(program: Program, inbox: Path, filed: None) -> None:
    grizzly = inbox / "grizzly"
    os.link(grizzly / "a.jpg", inbox / "a.jpg")
    (grizzly / "c.jpg").unlink()
    (grizzly / ".beartray-0.part").touch()
    done = program.try_command("history", "--verify")
    assert done.returncode == 1
    assert done.stdout == "Verified: 5 as they should be, 1 twice, 1 missing, 1 temporary\n"
    twice, missing, temporary = done.stderr.splitlines()
    assert twice.startswith(f"     1  {grizzly}/a.jpg also lies at {inbox}/a.jpg; compare the two")
    assert missing.startswith(f"     3  {grizzly}/c.jpg is not there, nor anywhere Beartray knows")
    assert temporary.startswith(f"{grizzly}/.beartray-0.part is an unfinished copy")
    assert program.command("history", "--verify", "-n", "3") == "Verified: 3 as they should be\n"
    rows = program.rows("history", "--verify", status=1)
    assert len(rows) == 8
    assert rows[1] == {
        "id": 1,
        "state": "done",
        "finding": "twice",
        "agrees": False,
        "path": str(grizzly / "a.jpg"),
        "found": str(inbox / "a.jpg"),
        "why": None,
    }
    assert sorted(row["finding"] for row in rows if not row["agrees"]) == [
        *("missing", "temporary", "twice")
    ]


def test_a_disk_that_is_away_is_told_of_once(
    program: Program, inbox: Path, tmp_path: Path, filed: None
) -> None:
    (inbox / "grizzly").rename(tmp_path / "unplugged")
    done = program.try_command("history", "--verify")
    assert (done.returncode, done.stdout) == (1, "Verified: 6 away\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"6 photos in {inbox}/grizzly cannot be looked at (its folder is not")
    assert len(program.rows("history", "--verify", status=1)) == 6


def test_a_deleted_photo_is_found_in_the_trash(
    program: Program, inbox: Path, tmp_path: Path, filed: None
) -> None:
    trash = tmp_path / "data" / "Trash" / "files"
    trash.mkdir(parents=True)
    (inbox / "grizzly" / "d.jpg").rename(trash / "d.jpg")
    program.environ["XDG_DATA_HOME"] = str(tmp_path / "data")
    said = program.command("history", "--verify")
    assert f"is now {trash}/d.jpg" in said


def test_while_it_runs(program: Program, inbox: Path, photo: Photo) -> None:
    """Photos are filed and taken back all the while; nothing is reported that is not so."""
    with program.running(inbox):
        for round_ in range(4):
            for name in NAMES:
                photo(inbox / f"{name} {round_}.jpg")
            assert "missing" not in program.command("history", "--verify")
            program.command("undo")
            assert "missing" not in program.command("history", "--verify")
        wait_until(lambda: not _waiting(program), 20, "all photos to be filed")
    assert program.command("history", "--verify").startswith("Verified: 24 as they should be")


def _waiting(program: Program) -> int:
    done = len(program.rows("history", "-n", "99"))
    return len(NAMES) * 4 - done
