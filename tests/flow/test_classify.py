"""`beartray classify`, run as a person does; and what every command owes to odd names."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import make_tree, require_programs
from tests.program import Program

pytestmark = pytest.mark.flow

Photo = Callable[..., bytes]
KEYS = ["path", "label", "confidence", "scores", "reason", "error"]


def test_files_and_folders_are_looked_at_and_not_touched(
    program: Program, inbox: Path, photo: Photo
) -> None:
    photo(inbox / "red.jpg", "grizzly")
    photo(inbox / "trip" / "day 1" / "green.png", "black")
    photo(inbox / "trip" / "desk.jpg", "none")
    make_tree(inbox, {"notes.txt": "mine", ".hidden.jpg": "mine", "trip": {"cut.jpg": "no photo"}})
    before = sorted((path, path.stat().st_mtime_ns) for path in inbox.rglob("*"))
    done = program.try_command("classify", inbox / "red.jpg", inbox / "trip", inbox / "none.jpg")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{inbox}/red.jpg: grizzly, 99 %",
        f"{inbox}/trip/day 1/green.png: black, 99 %",
        f"{inbox}/trip/desk.jpg: not recognised (best guess: teddy, 0 %)",
    ]
    assert done.stderr.splitlines() == [
        f"{inbox}/trip/cut.jpg is not a picture Beartray can read",
        f"{inbox}/none.jpg is not there",
    ]
    assert sorted((path, path.stat().st_mtime_ns) for path in inbox.rglob("*")) == before
    assert program.command("history") == "Nothing has been filed yet.\n"


def test_json_has_one_object_for_each_photo(program: Program, inbox: Path, photo: Photo) -> None:
    photo(inbox / "blue.jpg", "teddy")
    photo(inbox / "desk.jpg", "none")
    (inbox / "empty.jpg").touch()
    teddy, desk, empty = program.rows("classify", inbox, status=1)
    assert [list(row) for row in (teddy, desk, empty)] == [KEYS] * 3
    assert (teddy["path"], teddy["label"]) == (str(inbox / "blue.jpg"), "teddy")
    assert teddy["confidence"] == teddy["scores"]["teddy"] > 0.9
    assert list(teddy["scores"].values()) == sorted(teddy["scores"].values(), reverse=True)
    assert set(teddy["scores"]) == {"grizzly", "black", "teddy"}
    assert (teddy["reason"], teddy["error"]) == (None, None)
    assert (desk["label"], desk["reason"], desk["error"]) == (None, "unsure", None)
    assert desk["confidence"] == max(desk["scores"].values())
    assert (empty["label"], empty["confidence"], empty["scores"]) == (None, None, {})
    assert (empty["reason"], empty["error"]) == ("unreadable", "empty.jpg is empty")


def test_all_good_is_status_0_and_a_relative_path_stays_one(
    program: Program, inbox: Path, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo(inbox / "-x.jpg")
    photo(inbox / "a.jpg")
    (inbox / "a.jpg").rename(inbox / "photo without an ending")
    monkeypatch.chdir(inbox)
    rows = program.rows("classify", ".", "./-x.jpg", "photo without an ending")
    assert [row["path"] for row in rows] == ["-x.jpg", "-x.jpg", "photo without an ending"]
    assert program.command("classify", "--", "-x.jpg") == "-x.jpg: grizzly, 99 %\n"
    refused = program.try_command("classify", "-x.jpg")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == ("beartray: No such option: -x (see `beartray classify --help`)\n")


ODD = {
    "two\nlines.jpg": "two\\nlines.jpg",
    "\x1b[31mred.jpg": "\\x1b[31mred.jpg",
    "\"quoted\" and 'quoted'.jpg": "\"quoted\" and 'quoted'.jpg",
    "bär 🐻.jpg": "bär 🐻.jpg",
    os.fsdecode(b"b\xff\xfe.jpg"): "b\\udcff\\udcfe.jpg",
    "[bold]markup.jpg": "[bold]markup.jpg",
}


def test_odd_names_come_out_on_one_line_and_whole_as_json(
    program: Program, inbox: Path, photo: Photo
) -> None:
    for name in ODD:
        photo(inbox / name)
    lines = program.command("classify", inbox).splitlines()
    assert sorted(lines) == sorted(f"{inbox}/{shown}: grizzly, 99 %" for shown in ODD.values())
    rows = program.rows("classify", inbox)
    assert {Path(row["path"]).name for row in rows} == set(ODD)
    program.command("sort", inbox)
    assert {path.name for path in (inbox / "grizzly").iterdir()} == set(ODD)
    assert {Path(row["path"]).name for row in program.rows("history")} == set(ODD)
    assert len(program.command("history").splitlines()) == len(ODD)
    assert len(program.command("undo", "--batch").splitlines()) == len(ODD)
    assert {path.name for path in inbox.iterdir()} == set(ODD)


def test_a_terminal_that_knows_only_ascii(program: Program, inbox: Path, photo: Photo) -> None:
    photo(inbox / "bär 🐻.jpg")
    program.environ["PYTHONIOENCODING"] = "ascii"
    assert "b\\xe4r \\U0001f43b.jpg: grizzly, 99 %" in program.command("classify", inbox)
    assert "b\\xe4r \\U0001f43b.jpg \\u2192 grizzly/" in program.command("sort", inbox)
    assert "b\\xe4r" in program.command("history")
    program.command("--help")
    program.command("undo")
    assert (inbox / "bär 🐻.jpg").exists()


def test_a_folder_that_may_not_be_looked_into_is_named(
    program: Program, inbox: Path, photo: Photo
) -> None:
    if os.geteuid() == 0:  # root, but without root's right to read everything
        require_programs("setpriv")
        program.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    photo(inbox / "a.jpg")
    (inbox / "locked").mkdir()
    (inbox / "locked").chmod(0)
    for command in ("classify", "sort"):
        done = program.try_command(command, inbox)
        assert (done.returncode, done.stdout.count("\n")) == (1, 1 + (command == "sort"))
        assert done.stderr == f"{inbox}/locked: no permission; check who may write there\n"
    (inbox / "locked").chmod(0o700)
