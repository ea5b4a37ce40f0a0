"""`beartray sort`: a folder of photos, sorted once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import files, make_tree, require_programs
from tests.program import Program

pytestmark = pytest.mark.flow

Photo = Callable[..., bytes]


@pytest.fixture
def card(inbox: Path, photo: Photo) -> Path:
    """A camera's card: photos in nested folders, one with a sidecar, and other files."""
    photo(inbox / "a.jpg", "grizzly")
    photo(inbox / "DCIM" / "100" / "b.jpg", "black")
    photo(inbox / "DCIM" / "101" / "b.jpg", "black")
    photo(inbox / "DCIM" / "101" / "desk.jpg", "none")
    make_tree(inbox, {"a.jpg.xmp": "mine", "notes.txt": "mine", "DCIM": {"clip.mp4": "mine"}})
    return inbox


LEFT = {"notes.txt", "DCIM/clip.mp4", "DCIM/101/desk.jpg"}
SORTED = {"grizzly/a.jpg", "grizzly/a.jpg.xmp", "black/b.jpg", "black/b (2).jpg"}


def test_a_dry_run_says_what_would_be_done_and_touches_nothing(
    program: Program, card: Path, tmp_path: Path
) -> None:
    before = files(card)
    said = program.command("sort", card, "--dry-run")
    assert said.splitlines() == [
        "DCIM/100/b.jpg → black/b.jpg  99 %",
        "DCIM/101/b.jpg → black/b (2).jpg  99 %",
        "a.jpg → grizzly/a.jpg  99 %",
        "3 would be filed, 1 not recognised and left in place",
    ]
    elsewhere = tmp_path / "elsewhere"
    rows = program.rows("sort", card, "--dry-run", "--to", elsewhere)
    assert [row["state"] for row in rows] == ["planned", "planned", "left", "planned"]
    assert not elsewhere.exists()
    assert files(card) == before
    assert program.rows("history") == []


def test_photos_and_their_sidecars_are_sorted_once(program: Program, card: Path) -> None:
    before = files(card)
    said = program.command("sort", card)
    assert said.splitlines()[-1] == (
        "3 filed, 1 not recognised and left in place; `beartray undo --batch` takes them back"
    )
    assert set(files(card)) == LEFT | SORTED
    assert sorted(files(card).values()) == sorted(before.values())
    again = program.command("sort", card)
    assert again == "0 filed, 1 not recognised and left in place\n"
    program.command("undo", "--batch")
    assert files(card) == before
    assert {path.name for path in card.iterdir()} == {"DCIM", "a.jpg", "a.jpg.xmp", "notes.txt"}


def test_json_tells_what_became_of_each(program: Program, card: Path) -> None:
    (card / "broken.jpg").write_text("not a picture")
    rows = {Path(row["path"]).name: row for row in program.rows("sort", card, status=1)}
    assert list(rows["a.jpg"]) == [
        *("path", "destination", "label", "confidence", "action", "state", "reason", "error")
    ]
    assert rows["a.jpg"]["destination"] == str(card / "grizzly" / "a.jpg")
    assert {name: row["state"] for name, row in rows.items()} == {
        "a.jpg": "done",
        "b.jpg": "done",
        "desk.jpg": "left",
        "broken.jpg": "unreadable",
    }


def test_to_another_disk_and_back(program: Program, card: Path, other_disk: Path) -> None:
    before = files(card)
    program.command("sort", card, "--to", other_disk)
    assert set(files(card)) == LEFT
    assert set(files(other_disk)) == SORTED
    assert program.command("undo", "--batch").count("is back in") == 3
    assert files(card) == before
    assert list(other_disk.iterdir()) == []


def test_a_copy_is_made_once_however_often_it_is_sorted(
    program: Program, card: Path, other_disk: Path
) -> None:
    before = files(card)
    assert "3 copied, 1 not" in program.command("sort", card, "--to", other_disk, "--action=copy")
    assert files(card) == before
    assert set(files(other_disk)) == SORTED
    again = program.command("sort", card, "--to", other_disk, "--action=copy")
    assert again == "0 copied, 1 not recognised and left in place, 3 copied before\n"
    program.command("undo", "--batch")
    assert (files(card), files(other_disk)) == (before, {})


def test_tags_leave_the_photo_where_it_is(program: Program, card: Path) -> None:
    before = files(card)
    done = program.try_command("sort", card, "--action", "tag")
    assert (done.returncode, "2 tagged" in done.stdout) == (1, True)
    assert done.stderr.startswith(f"{card}/a.jpg.xmp: the sidecar is not well-formed XML")
    after = files(card)
    added = {"DCIM/100/b.jpg.xmp", "DCIM/101/b.jpg.xmp"}
    assert {name: data for name, data in after.items() if name not in added} == before
    assert b"black" in after["DCIM/100/b.jpg.xmp"]
    assert program.command("undo", "--batch").count("the tags of b.jpg removed again") == 2
    assert files(card) == before


def test_only_the_folder_itself(program: Program, card: Path) -> None:
    program.command("sort", card, "--no-recursive")
    assert set(files(card)) == {
        *LEFT, "grizzly/a.jpg", "grizzly/a.jpg.xmp", "DCIM/100/b.jpg", "DCIM/101/b.jpg"
    }  # fmt: skip


def test_into_the_folder_that_the_card_lies_in(program: Program, card: Path) -> None:
    program.command("sort", card / "DCIM", "--to", card)
    assert {"black/b.jpg", "black/b (2).jpg"} < set(files(card))


def test_unreadable_photos_are_named_and_do_not_stop_the_rest(
    program: Program, card: Path, photo: Photo
) -> None:
    whole = photo(card / "whole.jpg", "teddy", (640, 480))
    (card / "cut.jpg").write_bytes(whole[:2000])
    (card / "DCIM" / "empty.jpg").touch()
    done = program.try_command("sort", card)
    assert done.returncode == 1
    assert sorted(done.stderr.splitlines()) == [
        f"{card}/DCIM/empty.jpg is empty",
        f"{card}/cut.jpg is cut short or damaged",
    ]
    assert "2 could not be read or placed" in done.stdout.splitlines()[-1]
    assert set(files(card)) == {*LEFT, *SORTED, "teddy/whole.jpg", "cut.jpg", "DCIM/empty.jpg"}


def test_a_destination_that_may_not_be_written_to(program: Program, card: Path) -> None:
    if os.geteuid() == 0:  # root, but without root's right to write everywhere
        require_programs("setpriv")
        program.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    before = files(card)
    (card / "black").mkdir()
    (card / "black").chmod(0o500)
    done = program.try_command("sort", card)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2
    for folder, line in zip(("100", "101"), done.stderr.splitlines(), strict=True):
        assert line.startswith(f"{card}/DCIM/{folder}/b.jpg stays in place: ")
        assert line.endswith("no permission; check who may write there")
    assert set(files(card)) == {
        *LEFT, "grizzly/a.jpg", "grizzly/a.jpg.xmp", "DCIM/100/b.jpg", "DCIM/101/b.jpg"
    }  # fmt: skip
    (card / "black").chmod(0o700)
    program.prefix = ()
    program.command("undo", "--batch")
    assert files(card) == before


def test_what_cannot_be_sorted_is_said_in_one_line(program: Program, card: Path) -> None:
    for words, complaint in {
        (card / "nowhere",): "is not a folder",
        (card / "a.jpg",): "is not a folder",
        (card, "--action", "burn"): "'burn' is not one of",
    }.items():
        done = program.try_command("sort", *words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert complaint in done.stderr
