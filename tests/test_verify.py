"""`verify` and `audit`: a journal beside a real folder that was changed behind its back."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.books import Books, plan
from tests.helpers import make_tree
from tests.sidecars import XMP
from trayapp import place
from trayapp.audit import audit
from trayapp.database import Database, JournalError
from trayapp.filing import HalfDoneError, PlaceError
from trayapp.settings import Sort
from trayapp.steps import Step, is_temporary, prepare
from trayapp.verify import Finding, verify


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    tree = {"a.jpg": "photo a", "a.jpg.xmp": XMP, "b.jpg": "photo b"}
    return make_tree(tmp_path / "inbox", tree)


@pytest.fixture
def look(tmp_path: Path) -> Callable[..., list[Finding]]:
    def find(*places: Path, at_work: bool = False, newest: int | None = None) -> list[Finding]:
        file = tmp_path / "books" / "journal.sqlite"
        return list(audit(file, lambda _: at_work, places, newest))

    return find


def kinds(found: list[Finding]) -> list[str]:
    return [finding.kind for finding in found]


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_what_was_filed_and_taken_back_agrees(
    books: Books, inbox: Path, look: Callable[..., list[Finding]], action: Any
) -> None:
    assert look() == []
    entries = [
        books.filing.file(plan(inbox / name, Sort(action=action)), None)
        for name in ("a.jpg", "b.jpg")
    ]
    assert kinds(look()) == ["ok", "ok"]
    books.filing.undo(entries[0])
    assert kinds(look()) == ["ok", "ok"]
    books.filing.file(plan(inbox / "a.jpg", Sort(action=action)), None)
    books.filing.undo(entries[1])
    found = look()
    assert all(finding.agrees for finding in found)
    assert len(found) == 3
    if action == "move":
        assert kinds(found) == ["filed again", "ok", "ok"]


def test_photos_that_a_person_moved_edited_or_deleted(
    books: Books, inbox: Path, tmp_path: Path, look: Callable[..., list[Finding]]
) -> None:
    make_tree(inbox, {f"{n}.jpg": f"photo {n}" for n in range(6)})
    for number in range(6):
        books.filing.file(plan(inbox / f"{number}.jpg"), None)
    grizzly, black = inbox / "grizzly", inbox / "black"
    black.mkdir()
    (grizzly / "0.jpg").rename(black / "renamed.jpg")  # a bear of another kind, she says
    (grizzly / "1.jpg").rename(inbox / "1.jpg")  # taken back by hand
    (grizzly / "2.jpg").write_text("with a frame around it")
    (grizzly / "3.jpg").unlink()
    album = make_tree(tmp_path / "album", {"deep": {}}) / "deep"
    shutil.copy2(grizzly / "4.jpg", album)  # to another disk: another file of the same time
    (grizzly / "4.jpg").unlink()
    found = {finding.entry.id: finding for finding in look(inbox) if finding.entry}
    assert [found[n].kind for n in (1, 2, 3, 4, 5, 6)] == [
        *("moved", "moved", "edited", "missing", "missing", "ok")
    ]
    assert found[1].found == black / "renamed.jpg"
    assert found[2].found == inbox / "1.jpg"
    found = {finding.entry.id: finding for finding in look(inbox, album.parent) if finding.entry}
    assert (found[5].kind, found[5].found) == ("moved", album / "4.jpg")
    assert [number for number, finding in found.items() if not finding.agrees] == [4]


def test_a_lost_photo_is_not_taken_for_another_that_looks_the_same(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    """Two files of one size and time, both filed; one is gone."""
    shutil.copy2(inbox / "b.jpg", inbox / "twin.jpg")
    for name in ("b.jpg", "twin.jpg"):
        books.filing.file(plan(inbox / name), None)
    (inbox / "grizzly" / "b.jpg").unlink()
    assert sorted(kinds(look(inbox))) == ["missing", "ok"]


def test_a_name_that_was_used_again_does_not_hide_a_loss(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    books.filing.file(plan(inbox / "b.jpg"), None)
    (inbox / "grizzly" / "b.jpg").unlink()
    (inbox / "b.jpg").write_text("another photo of that name")
    books.filing.file(plan(inbox / "b.jpg"), None)
    assert sorted(kinds(look(inbox))) == ["missing", "ok"]


def test_a_photo_that_went_on_from_its_place_and_came_back_further(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    """Filed twice in a row, then taken back: each row knows of the other."""
    first = books.filing.file(plan(inbox / "b.jpg"), None)
    second = books.filing.file(plan(inbox / "grizzly" / "b.jpg", label="black"), None)
    assert kinds(look()) == ["filed again", "ok"]
    books.filing.undo(second)
    assert kinds(look()) == ["ok", "ok"]
    books.filing.undo(first)
    assert kinds(look()) == ["ok", "filed again"]
    (inbox / "b.jpg").unlink()
    assert "missing" in kinds(look(inbox))


@pytest.mark.parametrize("again", ["done", "undone"])
def test_a_photo_that_lies_in_both_places(
    books: Books, inbox: Path, look: Callable[..., list[Finding]], again: str
) -> None:
    entry = books.filing.file(plan(inbox / "b.jpg"), None)
    if again == "undone":
        books.filing.undo(entry)
        (inbox / "grizzly").mkdir()
    os.link(
        *((entry.destination, entry.path) if again == "done" else (entry.path, entry.destination))
    )
    (finding,) = (finding for finding in look() if finding.kind != "ok")
    assert (finding.kind, finding.agrees) == ("twice", False)
    assert {finding.path, finding.found} == {entry.path, entry.destination}


def test_a_sidecar_that_is_gone_or_stayed_behind(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    books.filing.file(plan(inbox / "a.jpg"), None)
    there, here = inbox / "grizzly" / "a.jpg.xmp", inbox / "a.jpg.xmp"
    there.write_text("stars and captions, added since")
    assert kinds(look()) == ["ok"]
    there.rename(here)
    found = look()
    assert kinds(found) == ["ok", "left behind"]
    assert (found[1].path, found[1].found) == (there, here)
    here.unlink()
    assert kinds(look()) == ["ok", "missing"]


def test_tags_that_were_edited_or_deleted(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    for name in ("a.jpg", "b.jpg"):
        books.filing.file(plan(inbox / name, Sort(action="tag")), None)
    (inbox / "a.jpg.xmp").write_text(XMP)
    (inbox / "b.jpg.xmp").unlink()
    assert kinds(look()) == ["ok", "edited", "ok", "missing"]
    (inbox / "a.jpg").unlink()
    assert kinds(look())[0] == "ok"
    assert [finding.path for finding in look() if finding.kind == "missing"] == [
        *(inbox / "b.jpg.xmp", inbox / "a.jpg")
    ]


def test_a_tag_that_was_added_to_by_a_later_one_agrees(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    tagged = Sort(action="tag")
    books.filing.file(plan(inbox / "a.jpg", tagged), None)
    books.filing.file(plan(inbox / "a.jpg", tagged, label="black"), None)
    assert kinds(look()) == ["ok", "ok"]


@pytest.mark.parametrize("labels", [["grizzly", "black"], ["grizzly", "grizzly"]])
def test_tags_that_were_added_to_each_other_and_all_undone(
    books: Books, inbox: Path, look: Callable[..., list[Finding]], labels: list[str]
) -> None:
    """The first had made the sidecar, which is gone with it; the second only added to it."""
    tags = Sort(action="tag")
    entries = [books.filing.file(plan(inbox / "b.jpg", tags, label), None) for label in labels]
    books.filing.undo(entries[1])
    assert kinds(look()) == ["ok", "ok"]
    sidecar = inbox / "b.jpg.xmp"
    tagged = sidecar.read_bytes()
    sidecar.unlink()
    assert kinds(look()) == ["ok", "ok", "missing"]
    sidecar.write_bytes(tagged)
    books.filing.undo(entries[0])
    assert kinds(look()) == ["ok", "ok"]
    sidecar.write_text(XMP)
    assert kinds(look()) == ["ok", "ok", "edited"]


def test_a_sidecar_that_went_along_and_was_then_taken_back_itself(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    tagged = books.filing.file(plan(inbox / "b.jpg", Sort(action="tag")), None)
    moved = books.filing.file(plan(inbox / "b.jpg"), None)
    books.filing.undo(moved)
    books.filing.undo(tagged)
    assert {finding.kind for finding in look()} <= {"ok", "filed again"}


def test_a_row_left_half_done_is_told_from_one_that_is_at_work(
    books: Books,
    inbox: Path,
    look: Callable[..., list[Finding]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def torn(step: Step, arrived: Callable[[Step], None]) -> None:
        shutil.copy2(step.source, step.temporary or "")
        raise HalfDoneError("power cut")

    monkeypatch.setattr(place, "carry_out", torn)
    with pytest.raises(HalfDoneError):
        books.filing.file(plan(inbox / "b.jpg"), None)
    monkeypatch.undo()
    assert kinds(look(at_work=True)) == ["at work"]
    assert kinds(look()) == ["half-done"]
    books.filing.recover()
    assert kinds(look()) == ["ok"]


def test_temporary_files_that_nothing_needs(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    """One that a row remembers, which could not be removed then, and one that none does."""
    sort = Sort(destination=str(make_tree(inbox / "out", {})))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "carry_out", lambda step, _: step.source.rename(step.target / "x"))
        with pytest.raises(PlaceError):
            books.filing.file(plan(inbox / "b.jpg", sort), None)
    (entry,) = books.journal.history()
    (step,) = books.journal.steps(entry, "do")
    assert step.temporary is not None
    make_tree(step.target.parent, {step.temporary.name: "half", ".beartray-x.part": "long ago"})
    found = look()
    assert kinds(found) == ["ok", "temporary", "temporary"]
    assert [finding.path.name for finding in found[1:]] == [
        *(step.temporary.name, ".beartray-x.part")
    ]


def test_a_disk_that_is_away_says_nothing(
    books: Books, inbox: Path, tmp_path: Path, look: Callable[..., list[Finding]]
) -> None:
    usb = make_tree(tmp_path / "usb", {})
    books.filing.file(plan(inbox / "b.jpg", Sort(destination=str(usb))), None)
    unplugged = make_tree(tmp_path / "drawer", {}) / "unplugged"
    usb.rename(unplugged)
    (finding,) = look(inbox)
    assert (finding.kind, finding.why) == ("away", "its folder is not there")
    unplugged.rename(usb)
    assert kinds(look()) == ["ok"]


@pytest.mark.parametrize("folder", ["grizzly", "grizzly/2026"])
def test_photos_in_a_folder_that_was_renamed(
    books: Books, inbox: Path, look: Callable[..., list[Finding]], folder: str
) -> None:
    books.filing.file(plan(inbox / "b.jpg", Sort(subfolder=folder)), None)
    (inbox / "grizzly").rename(inbox / "bears")
    (finding,) = look()
    assert finding.kind == "moved"
    assert finding.found == inbox / folder.replace("grizzly", "bears") / "b.jpg"


def test_a_copy_that_is_gone_is_not_taken_for_its_original(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    copied = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    sidecar = inbox / "grizzly" / "a.jpg.xmp"
    sidecar.unlink()
    (_, finding) = look()
    assert (finding.kind, finding.path, finding.found) == ("missing", sidecar, None)
    copied.destination.unlink()
    assert kinds(look(inbox)) == ["missing"]


def test_a_photo_that_was_copied_on_and_then_deleted(
    books: Books, inbox: Path, tmp_path: Path, look: Callable[..., list[Finding]]
) -> None:
    """The copy took nothing away, neither the photo nor its tags."""
    album = Sort(action="copy", destination=str(make_tree(tmp_path / "album", {})))
    books.filing.file(plan(inbox / "b.jpg", Sort(action="tag")), None)
    books.filing.file(plan(inbox / "b.jpg", album), None)
    (inbox / "b.jpg.xmp").unlink()
    assert kinds(look()) == ["ok", "missing", "ok"]
    moved = books.filing.file(plan(inbox / "a.jpg"), None)
    books.filing.file(plan(moved.destination, album), None)
    moved.destination.unlink()
    assert [one.path for one in look() if one.kind == "missing"][-1] == moved.destination


@pytest.mark.parametrize("before", ["move", "copy"])
def test_a_photo_that_was_taken_back_filed_again_and_then_deleted(
    books: Books, inbox: Path, look: Callable[..., list[Finding]], before: Any
) -> None:
    books.filing.undo(books.filing.file(plan(inbox / "b.jpg", Sort(action=before)), None))
    again = books.filing.file(plan(inbox / "b.jpg"), None)
    again.destination.unlink()
    assert [one.path for one in look() if one.kind == "missing"] == [again.destination]


def test_a_photo_that_another_one_was_put_over(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    for name in ("a.jpg", "b.jpg"):
        books.filing.file(plan(inbox / name), None)
    one, other = inbox / "grizzly" / "a.jpg", inbox / "grizzly" / "b.jpg"
    other.rename(one)
    lost, moved = sorted(look(), key=lambda finding: finding.path)
    assert (lost.kind, lost.path, lost.why) == ("missing", one, "another photo has its name now")
    assert (moved.kind, moved.path, moved.found) == ("moved", other, one)


def test_a_sidecar_that_is_gone_while_another_photo_of_its_name_brought_one(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    books.filing.file(plan(inbox / "a.jpg"), None)
    (inbox / "grizzly" / "a.jpg.xmp").unlink()
    make_tree(inbox, {"a.jpg": "another", "a.jpg.xmp": "its own"})
    (_, finding) = look()
    assert (finding.kind, finding.found) == ("missing", None)


def test_a_sidecar_that_was_there_before_the_tags_and_is_gone(
    books: Books, inbox: Path, look: Callable[..., list[Finding]]
) -> None:
    tagged = books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    books.filing.undo(tagged)
    books.filing.undo(books.filing.file(plan(inbox / "a.jpg"), None))
    (inbox / "a.jpg.xmp").unlink()
    assert "missing" in kinds(look())


def test_the_newest_only(books: Books, inbox: Path, look: Callable[..., list[Finding]]) -> None:
    for name in ("a.jpg", "b.jpg"):
        books.filing.file(plan(inbox / name), None)
    (inbox / "grizzly" / "a.jpg").unlink()
    assert kinds(look(newest=1)) == ["ok"]
    assert "missing" in kinds(look(newest=2))
    assert "missing" in kinds(look(newest=99))


def test_a_row_that_changes_while_its_files_are_looked_at(
    books: Books,
    inbox: Path,
    look: Callable[..., list[Finding]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Undone between the look at the journal and the look at the disk."""
    entry = books.filing.file(plan(inbox / "b.jpg"), None)

    def late(*arguments: Any) -> list[Finding]:
        monkeypatch.undo()
        books.filing.undo(entry)
        return verify(*arguments)

    monkeypatch.setattr("trayapp.audit.verify", late)
    assert kinds(look()) == ["ok"]


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        ("DELETE FROM steps", "1 entries have no steps"),
        ("DELETE FROM entries", "1 steps belong to no entry"),
        ("UPDATE entries SET state = 'gone'", "1 entries are of no known kind"),
        ("UPDATE notes SET outcome = 'x' WHERE outcome = 'filed'", "1 notes are of no known kind"),
    ],
)
def test_a_journal_that_contradicts_itself(
    books: Books,
    inbox: Path,
    tmp_path: Path,
    damage: str,
    why: str,
    look: Callable[..., list[Finding]],
) -> None:
    books.filing.file(plan(inbox / "b.jpg"), None)
    with sqlite3.connect(tmp_path / "books" / "journal.sqlite") as db:
        db.execute(damage)
    db.close()
    found = look()
    assert [finding.why for finding in found if finding.kind == "damaged"] == [why]


def test_a_damaged_index_is_found(
    books: Books, inbox: Path, tmp_path: Path, look: Callable[..., list[Finding]]
) -> None:
    books.filing.file(plan(inbox / "b.jpg"), None)
    with sqlite3.connect(tmp_path / "books" / "journal.sqlite") as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("UPDATE sqlite_schema SET sql = replace(sql, '(time)', '(batch)')")
    db.close()
    assert kinds(look())[0] == "damaged"


def test_nothing_is_written(books: Books, inbox: Path, tmp_path: Path) -> None:
    books.filing.file(plan(inbox / "b.jpg"), None)
    file = tmp_path / "books" / "journal.sqlite"
    database = Database(file, read_only=True)
    try:
        with pytest.raises(JournalError, match="readonly"), database.writing() as db:
            db.execute("DELETE FROM entries")
    finally:
        database.close()
    with pytest.raises(JournalError, match="cannot be opened"):
        Database(tmp_path / "none.sqlite", read_only=True)
    assert not (tmp_path / "none.sqlite").exists()


def test_a_temporary_name_is_known_by_its_form(tmp_path: Path) -> None:
    step = prepare(Step("move", tmp_path / "a", tmp_path / "b", None))
    assert step.temporary is not None and is_temporary(step.temporary.name)
    assert not is_temporary("a.part")
