"""What was put right is listed, and copied into class folders to learn from."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.books import Books
from tests.helpers import files, names
from tests.program import Program
from trayapp.correct import Correct, Rules
from trayapp.database import Database
from trayapp.learning.dataset import scan
from trayapp.photo import Entry
from trayapp.settings import Sort

pytestmark = pytest.mark.flow


def put_right(program: Program, folder: Path, wanted: dict[str, str | None]) -> None:
    """As on the review page, all that were chosen together."""
    database = Database(program.home / "journal.sqlite")
    try:
        books = Books(database, "test", lambda _: False)
        correct = Correct(
            *(database, books.journal, books.filing),
            rules=lambda: Rules(Sort(), folder, ("black", "grizzly", "teddy")),
            taken=lambda _: None,
        )
        entries: dict[str, Entry] = {
            entry.path.name: entry for entry in books.journal.filed() if entry.label
        }
        batch: int | None = None
        for name, label in wanted.items():
            batch = correct(entries[name].id, label, batch).batch
    finally:
        database.close()


def test_class_folders_that_can_be_learnt_from(
    program: Program, inbox: Path, tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    assert "Nothing has been put right yet" in program.command("corrections", "list")
    content = {f"{n}.jpg": photo(inbox / f"{n}.jpg", size=(64 + n, 48)) for n in range(4)}
    program.command("sort", inbox)
    put_right(program, inbox, {"0.jpg": "teddy", "1.jpg": "black", "2.jpg": None})
    rows = program.rows("corrections", "list")
    assert [(row["was"], row["label"]) for row in rows] == [
        ("grizzly", "teddy"),
        ("grizzly", "black"),
        ("grizzly", None),
    ]
    assert Path(rows[0]["path"]) == inbox / "teddy" / "0.jpg"
    out = tmp_path / "learn"
    assert "3 photos copied" in program.command("corrections", "export", out)
    assert {name.split("/")[0] for name in names(out)} == {"black", "none", "teddy", "labels.csv"}
    copied = {data for name, data in files(out).items() if name.endswith(".jpg")}
    assert copied == {content["0.jpg"], content["1.jpg"], content["2.jpg"]}
    assert (inbox / "teddy" / "0.jpg").read_bytes() == content["0.jpg"], "they were copied"
    found = scan(out)  # as `beartray train` looks at it
    said = {(picture.label, picture.before, picture.kind) for picture in found.pictures}
    assert said == {(label, "grizzly", "corrections") for label in ("teddy", "black", None)}


def test_undo_takes_back_what_was_put_right_and_then_the_filing(
    program: Program, inbox: Path, photo: Callable[..., bytes]
) -> None:
    content = {f"{n}.jpg": photo(inbox / f"{n}.jpg", size=(64 + n, 48)) for n in range(3)}
    program.command("sort", inbox)
    put_right(program, inbox, {"0.jpg": "teddy", "1.jpg": "teddy"})
    assert names(inbox) == {"teddy/0.jpg", "teddy/1.jpg", "grizzly/2.jpg"}
    refused = program.try_command("undo", "1")
    assert refused.returncode == 1
    assert "0.jpg was put right since; take that back first (entry 4)" in refused.stderr
    program.command("undo", "--batch")
    assert names(inbox) == {f"grizzly/{n}.jpg" for n in range(3)}
    assert "Nothing has been put right yet" in program.command("corrections", "list")
    program.command("undo", "--batch")
    assert files(inbox) == content
    assert "damaged" not in program.command("history", "--verify")


def test_what_a_person_called_none_of_these_is_not_sorted_again(
    program: Program, inbox: Path, photo: Callable[..., bytes]
) -> None:
    for number in range(2):
        photo(inbox / f"{number}.jpg", size=(64 + number, 48))
    program.command("sort", inbox)
    put_right(program, inbox, {"0.jpg": None})
    said = program.command("sort", inbox)
    assert said == "0 filed, 0 not recognised and left in place, 1 none of these, as you said\n"
    assert [row["state"] for row in program.rows("sort", inbox, "--dry-run")] == ["none"]
    assert names(inbox) == {"0.jpg", "grizzly/1.jpg"}
    photo(inbox / "0.jpg", size=(99, 48))  # another one of that name
    assert "\n1 filed, " in program.command("sort", inbox)
    assert names(inbox) == {"grizzly/0.jpg", "grizzly/1.jpg"}


def test_once_more_brings_what_is_new_and_names_what_is_gone(
    program: Program, inbox: Path, tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    for number in range(3):
        photo(inbox / f"{number}.jpg", size=(64 + number, 48))
    program.command("sort", inbox)
    put_right(program, inbox, {"0.jpg": "teddy", "1.jpg": "teddy"})
    out = tmp_path / "learn"
    program.command("corrections", "export", out)
    put_right(program, inbox, {"2.jpg": "black"})
    (inbox / "teddy" / "0.jpg").unlink()
    (inbox / "teddy" / "1.jpg").write_bytes(b"edited")
    done = program.try_command("corrections", "export", out)
    assert done.returncode == 1 and "1 photo copied" in done.stdout
    assert "0.jpg is no longer there" in done.stderr and "1.jpg has changed" in done.stderr
    with (out / "labels.csv").open(newline="") as stream:
        assert sorted(row["label"] for row in csv.DictReader(stream)) == ["black", "teddy", "teddy"]
    (row,) = program.rows("corrections", "export", out, status=1)
    assert (row["copied"], row["known"], len(row["problems"])) == (0, 1, 2)


def test_a_table_of_ones_own_is_left_alone(program: Program, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "labels.csv").write_text("file,label\na.jpg,x\n")
    done = program.try_command("corrections", "export", out)
    assert done.returncode == 2 and "is not of this command" in done.stderr
    assert (out / "labels.csv").read_text() == "file,label\na.jpg,x\n"
