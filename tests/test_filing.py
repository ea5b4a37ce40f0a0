"""Photos and their sidecars go to their place and come back; nothing is ever written over."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.books import (
    Books,
    keep_even_seconds,
    no_room_for_sidecars,
    open_books,
    part_disks,
    plan,
)
from tests.helpers import cannot_be_looked_at, make_tree, read_tree, tiny_disk
from tests.sidecars import XMP
from trayapp import disk, place, tags
from trayapp.carry import Carrier
from trayapp.commands.sorting import Sorting
from trayapp.filing import GoneError, PlaceError, UndoError
from trayapp.photo import BeartrayError, Corrects, Entry, Photo, Plan, Verdict
from trayapp.rows import TakenError
from trayapp.settings import Sort
from trayapp.steps import ChangedError, Step, prepare, steps_of
from trayapp.tags import SystemTags, add_xdg_tags


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "inbox", {"a.jpg": "photo", "notes.txt": "mine"})


@pytest.fixture(params=["same disk", "other disk"])
def destination(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Also as if every folder lay on a disk of its own."""
    if request.param == "other disk":
        part_disks(monkeypatch)
    return str(request.param)


def test_a_photo_moves_with_its_sidecars_and_comes_back(
    books: Books, tmp_path: Path, destination: str
) -> None:
    before = {"a.jpg": "photo", "a.jpg.xmp": "1", "a.xmp": "2", "a.AAE": "3", "ab.xmp": "not its"}
    inbox = make_tree(tmp_path / "inbox", before)
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox) == {
        "grizzly": {"a.jpg": "photo", "a.jpg.xmp": "1", "a.xmp": "2", "a.AAE": "3"},
        "ab.xmp": "not its",
    }
    assert (entry.state, entry.label, entry.destination) == (
        *("done", "grizzly"),
        inbox / "grizzly" / "a.jpg",
    )
    undone = books.filing.undo(entry)
    assert undone.state == "undone"
    assert read_tree(inbox) == before, "and no empty folder stays behind"


def test_a_raw_files_sidecar_stays_with_the_raw_file(books: Books, tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "p", "a.cr2": "raw", "a.xmp": "the raw's"})
    books.filing.file(plan(inbox / "a.jpg"), None)
    assert books.filing.follow(inbox / "a.xmp") is None, "nor does it when it comes later"
    assert read_tree(inbox) == {"a.cr2": "raw", "a.xmp": "the raw's", "grizzly": {"a.jpg": "p"}}


def test_a_copy_leaves_the_photo_and_undo_removes_only_the_copy(
    books: Books, inbox: Path, destination: str
) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    assert read_tree(inbox) == {
        "a.jpg": "photo",
        "notes.txt": "mine",
        "grizzly": {"a.jpg": "photo"},
    }
    books.filing.undo(entry)
    assert read_tree(inbox) == {"a.jpg": "photo", "notes.txt": "mine"}


def test_a_copy_whose_sidecar_was_deleted_is_taken_back_all_the_same(
    books: Books, inbox: Path
) -> None:
    make_tree(inbox, {"a.jpg.xmp": XMP})
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    (inbox / "grizzly" / "a.jpg.xmp").unlink()
    books.filing.undo(entry)
    assert read_tree(inbox) == {"a.jpg": "photo", "a.jpg.xmp": XMP, "notes.txt": "mine"}


def test_to_take_back_a_copy_that_is_gone_is_not_even_begun(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed then, and the photos' card mounted anew, it was waited for on a disk that is away."""
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    entry.destination.unlink()
    monkeypatch.setattr(books.journal, "begin_undo", Mock(side_effect=AssertionError))
    with pytest.raises(UndoError, match="it is no longer there"):
        books.filing.undo(entry)
    entry.destination.write_text("edited")
    with pytest.raises(UndoError, match="has changed since"):
        books.filing.undo(entry)


def test_the_last_copy_of_a_photo_is_never_removed(books: Books, inbox: Path) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    (inbox / "a.jpg").unlink()
    with pytest.raises(UndoError, match="no longer the same photo, so its copy was kept"):
        books.filing.undo(entry)
    assert read_tree(inbox) == {"notes.txt": "mine", "grizzly": {"a.jpg": "photo"}}


def test_a_copy_is_not_made_of_another_photo_where_its_sidecar_cannot_be_taken_back(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner saves the original anew while its copy is compared with it."""
    photo = make_tree(inbox, {"a.jpg.xmp": XMP}) / "a.jpg"
    entry = books.filing.file(plan(photo, Sort(action="copy")), None)
    make_tree(inbox / "grizzly", {"a.jpg.xmp": "their own"})

    def saved_anew(one: Path, other: Path) -> bool:
        same = same_bytes(one, other)
        photo.write_text("edited")
        return same

    same_bytes = disk.same_bytes
    monkeypatch.setattr(disk, "same_bytes", saved_anew)
    with pytest.raises(UndoError, match=r"a\.jpg\.xmp has changed since"):
        books.filing.undo(entry)
    assert read_tree(inbox / "grizzly") == {"a.jpg": "photo", "a.jpg.xmp": "their own"}


@pytest.mark.parametrize("kept", [1_600_000_000, 1_700_000_000])
def test_sorted_once_more_a_stick_gets_no_second_copy(
    books: Any, inbox: Path, tmp_path: Path, kept: float
) -> None:
    """FAT keeps even seconds; of a share that is somebody else's no time can be set at all."""
    stick = make_tree(tmp_path / "stick", {})
    os.utime(inbox / "a.jpg", (1_600_000_001.9, 1_600_000_001.9))
    sorting = Sorting(books, Sort("copy", str(stick)), inbox, dry_run=False, json=True)
    for _ in range(2):
        sorting._one(inbox / "a.jpg", Verdict("grizzly", 0.98, seen=Photo.at(inbox / "a.jpg")))
        os.utime(stick / "grizzly" / "a.jpg", (kept, kept))
    assert read_tree(stick) == {"grizzly": {"a.jpg": "photo"}}
    assert sorting.counts == {"done": 1, "known": 1}


def test_sorted_once_more_a_photo_that_was_put_right_gets_no_second_copy(
    books: Any, inbox: Path
) -> None:
    """It got one in the folder of the label that the person had said it is not."""
    sort, verdict = Sort("copy"), Verdict("grizzly", 0.98, seen=Photo.at(inbox / "a.jpg"))
    sorting = Sorting(books, sort, inbox, dry_run=False, json=True)
    sorting._one(inbox / "a.jpg", verdict)
    (entry,) = books.journal.history()
    wrong = Photo.at(entry.destination)
    right = Plan(wrong, Verdict("black", None), "move", inbox / "black")
    books.filing.file(replace(right, corrects=Corrects(entry.id, "grizzly", None, "")), None)
    sorting._one(inbox / "a.jpg", verdict)
    with pytest.raises(TakenError, match=r"was copied before, to .*black"):
        books.filing.file(plan(inbox / "a.jpg", sort), None)
    assert read_tree(inbox / "black") == {"a.jpg": "photo"}
    assert not list(inbox.glob("grizzly/*"))
    assert sorting.counts == {"done": 1, "known": 1}


def test_of_two_sorts_at_once_one_copies_a_photo(
    books: Any, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sort = Sort("copy", str(make_tree(tmp_path / "stick", {})))
    sorting = Sorting(books, sort, inbox, dry_run=False, json=True)
    file = books.filing.file

    def file_after_the_other(wanted: Plan, batch: int | None) -> Any:
        file(plan(inbox / "a.jpg", sort), None)
        return file(wanted, batch)

    monkeypatch.setattr(books.filing, "file", file_after_the_other)
    sorting._one(inbox / "a.jpg", Verdict("grizzly", 0.98, seen=Photo.at(inbox / "a.jpg")))
    assert read_tree(tmp_path / "stick") == {"grizzly": {"a.jpg": "photo"}}
    assert sorting.counts == {"known": 1}


def test_sorted_once_more_a_tagged_photo_gets_no_second_row(books: Any, inbox: Path) -> None:
    """Or one row could be taken back, and the other still said that the photo has its tag."""
    sorting = Sorting(books, Sort("tag"), inbox, dry_run=False, json=True)
    for _ in range(2):
        sorting._one(inbox / "a.jpg", Verdict("grizzly", 0.98, seen=Photo.at(inbox / "a.jpg")))
    assert sorting.counts == {"done": 1, "known": 1}
    assert len(books.journal.history()) == 1


def test_what_was_copied_is_known_also_after_a_second_try_that_failed(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    """Or the app copied it again once the stick was back."""
    stick = make_tree(tmp_path / "stick", {})
    wanted = plan(inbox / "a.jpg", Sort("copy", str(stick)))
    books.filing.file(wanted, None)
    stick.rename(tmp_path / "pulled out")
    with pytest.raises(PlaceError, match="connect its disk"):
        books.filing.file(wanted, None)
    assert books.notes.noted(wanted.photo) == "filed"


def test_a_copy_on_a_stick_that_cannot_be_taken_back_is_not_made_again(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FAT keeps even seconds, and it is the original that is known to be copied."""
    (inbox / "a.jpg.xmp").write_text(XMP)
    os.utime(inbox / "a.jpg", (1_600_000_001.9, 1_600_000_001.9))
    keep = disk.keep_properties

    def keep_even_seconds(source: Path, target: Path) -> None:
        keep(source, target)
        os.utime(target, (1_600_000_000, 1_600_000_000))

    monkeypatch.setattr(disk, "keep_properties", keep_even_seconds)
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    (inbox / "a.jpg.xmp").write_text("edited since")
    with pytest.raises(UndoError, match="no longer the same"):
        books.filing.undo(entry)
    assert books.notes.noted(Photo.at(inbox / "a.jpg")) == "filed"


def test_a_copy_that_cannot_be_taken_back_says_nothing_of_the_next_photo_of_that_name(
    books: Books, inbox: Path
) -> None:
    first = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    (inbox / "a.jpg").rename(inbox / "b.jpg")
    (inbox / "a.jpg").write_text("another photo")
    again = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    books.filing.undo(again)
    with pytest.raises(UndoError, match="no longer the same"):
        books.filing.undo(first)
    assert books.notes.noted(Photo.at(inbox / "a.jpg")) == "undone"


def test_what_comes_back_from_a_stick_has_its_exact_time(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it is another version to all that is known of it, tags that were taken back for one."""
    part_disks(monkeypatch)
    keep_even_seconds(monkeypatch)
    photo, sidecar = inbox / "a.jpg", inbox / "a.jpg.xmp"
    sidecar.write_text(XMP)
    for path in (photo, sidecar):
        os.utime(path, ns=(1_600_000_001_987_654_321,) * 2)
    exact = Photo.at(photo), Photo.at(sidecar)
    with no_room_for_sidecars(), pytest.raises(PlaceError, match="disk is full"):
        books.filing.file(plan(photo), None)
    assert Photo.at(photo).looks_like(exact[0])
    entry = books.filing.file(plan(photo), None)
    assert entry.destination.stat().st_mtime == 1_600_000_000
    books.filing.undo(entry)
    assert all(Photo.at(was.path).looks_like(was) for was in exact)
    assert books.notes.noted(Photo.at(photo)) == "undone"


def test_tags_are_written_beside_the_photo_and_taken_back(books: Books, tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "photo", "a.jpg.xmp": XMP})
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    assert entry.destination == inbox / "a.jpg.xmp"
    assert "grizzly" in read_tree(inbox)["a.jpg.xmp"]
    assert (inbox / "a.jpg").read_bytes() == b"photo"
    books.filing.undo(entry)
    assert read_tree(inbox) == {"a.jpg": "photo", "a.jpg.xmp": XMP}


class Attributes:
    """Of one photo, on a disk that `stalls` while its attributes are read."""

    def __init__(self, value: bytes | None) -> None:
        self.value, self.stalls = value, False

    def get(self, path: Path, _name: str, /) -> bytes:
        if self.stalls or self.value is None:
            number = errno.EIO if self.stalls else errno.ENODATA
            raise OSError(number, os.strerror(number), str(path))
        return self.value

    def set(self, _path: Path, _name: str, value: bytes, /) -> None:
        self.value = value

    def remove(self, _path: Path, _name: str, /) -> None:
        self.value = None


@pytest.fixture
def attributes(monkeypatch: pytest.MonkeyPatch) -> Attributes:
    kept = Attributes(b"river")
    monkeypatch.setattr(tags, "system_tags", lambda: SystemTags(kept, "tags", add_xdg_tags))
    return kept


def test_tags_that_cannot_be_read_are_not_written_over(
    books: Books, inbox: Path, attributes: Attributes
) -> None:
    attributes.stalls = True
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    attributes.stalls = False
    assert attributes.value == b"river"
    assert "grizzly" in (inbox / "a.jpg.xmp").read_text()
    books.filing.undo(entry)
    assert attributes.value == b"river"
    assert read_tree(inbox) == {"a.jpg": "photo", "notes.txt": "mine"}


def test_tags_that_cannot_be_read_do_not_count_as_taken_back(
    books: Books, inbox: Path, attributes: Attributes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when the sidecar was gone and the system's tags were not."""
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    assert attributes.value == b"river,grizzly"
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        for where, what in ((tags, "write_system_tags"), (Carrier, "take_back")):
            killed.setattr(where, what, Mock(side_effect=KeyboardInterrupt))
        books.filing.undo(entry)
    attributes.stalls = True
    assert books.filing.recover() == [], "it waits"
    attributes.stalls = False
    assert [settled.state for settled in books.filing.recover()] == ["undone"]
    assert attributes.value == b"river"


def test_tags_that_another_program_changed_since_are_left_alone(books: Books, inbox: Path) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    (inbox / "a.jpg.xmp").write_text("edited")
    with pytest.raises(UndoError, match="has changed since"):
        books.filing.undo(entry)
    assert (inbox / "a.jpg.xmp").read_text() == "edited"


@pytest.mark.parametrize("action", ["move", "copy"])
def test_nothing_is_written_over(books: Books, tmp_path: Path, action: Any) -> None:
    taken = {"a.jpg": "other", "a (2).jpg.xmp": "other sidecar"}
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "photo", "a.jpg.xmp": "x", "grizzly": taken})
    books.filing.file(plan(inbox / "a.jpg", Sort(action=action)), None)
    assert read_tree(inbox)["grizzly"] == {**taken, "a (3).jpg": "photo", "a (3).jpg.xmp": "x"}


def test_a_name_that_is_taken_at_the_last_moment_is_not_written_over(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = disk.rename_exclusively

    def somebody_is_quicker(source: Path, target: Path) -> None:
        if target.name == "a.jpg":
            target.write_text("quicker")
        rename(source, target)

    monkeypatch.setattr(disk, "rename_exclusively", somebody_is_quicker)
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox)["grizzly"] == {"a.jpg": "quicker", "a (2).jpg": "photo"}
    assert books.journal.entry(entry.id).destination == inbox / "grizzly" / "a (2).jpg"
    monkeypatch.undo()
    books.filing.undo(entry)
    assert read_tree(inbox)["grizzly"] == {"a.jpg": "quicker"}


NAMES = [
    "new\nline.jpg",
    "quo'te\".jpg",
    "🐻.jpg",
    "-rf.jpg",
    " .jpg",
    "ü" * 122 + ".jpg",
    b"\xff\xfe.jpg",
]


def test_a_name_that_cannot_be_looked_at_is_not_taken_for_a_free_one(
    books: Books, inbox: Path
) -> None:
    """Of a photo and a copy of it in the class folder, one was removed; undo did the same."""
    copy = make_tree(inbox / "grizzly", {}) / "a.jpg"
    shutil.copy2(inbox / "a.jpg", copy)
    before = read_tree(inbox)
    with cannot_be_looked_at(copy), pytest.raises(PlaceError, match="stays in place"):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox) == before
    copy.unlink()
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    shutil.copy2(copy, inbox / "a.jpg")
    with cannot_be_looked_at(inbox / "a.jpg"), pytest.raises(UndoError, match="stays filed"):
        books.filing.undo(entry)
    assert read_tree(inbox) == before


def test_a_folder_that_cannot_be_looked_at_is_not_taken_for_one_that_was_made(
    books: Books, inbox: Path
) -> None:
    """It went with the photo when that was taken back."""
    years = make_tree(inbox / "2026", {})
    sort = Sort(subfolder="2026/{label}")
    with (
        cannot_be_looked_at(years, for_long=True),
        pytest.raises(PlaceError, match="stays in place"),
    ):
        books.filing.file(plan(inbox / "a.jpg", sort), None)
    books.filing.undo(books.filing.file(plan(inbox / "a.jpg", sort), None))
    assert read_tree(inbox) == {"2026": {}, "a.jpg": "photo", "notes.txt": "mine"}


def test_a_photo_that_cannot_be_looked_at_is_not_gone(books: Books, inbox: Path) -> None:
    wanted = plan(inbox / "a.jpg")
    with pytest.MonkeyPatch.context() as patch:
        gone = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(inbox))
        patch.setattr(place, "check", Mock(side_effect=gone))
        with cannot_be_looked_at(inbox / "a.jpg"), pytest.raises(PlaceError, match="stays in"):
            books.filing.file(wanted, None)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_names_of_every_kind(books: Books, tmp_path: Path, name: str | bytes) -> None:
    text = os.fsdecode(name)
    inbox = make_tree(tmp_path / "inbox", {"grizzly": {}})
    for folder in (inbox, inbox / "grizzly"):
        (folder / text).write_bytes(b"photo")
    entry = books.filing.file(plan(inbox / text), None)
    assert len(os.fsencode(entry.destination.name)) <= 255
    assert books.journal.entry(entry.id).path == inbox / text
    books.filing.undo(entry)
    assert (inbox / text).read_bytes() == b"photo"


def test_a_photo_that_changed_since_it_was_looked_at_is_not_touched(
    books: Books, inbox: Path
) -> None:
    decided = plan(inbox / "a.jpg")
    (inbox / "a.jpg").write_text("another photo")
    with pytest.raises(ChangedError):
        books.filing.file(decided, None)
    assert read_tree(inbox) == {"a.jpg": "another photo", "notes.txt": "mine"}
    assert books.journal.history() == []


def test_a_photo_that_changes_while_it_is_moved_goes_back(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = disk.rename_exclusively

    def written_to(source: Path, target: Path) -> None:
        if source.parent == inbox:
            source.write_text("the rest of the photo")
        rename(source, target)

    monkeypatch.setattr(disk, "rename_exclusively", written_to)
    with pytest.raises(ChangedError):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox) == {"a.jpg": "the rest of the photo", "notes.txt": "mine"}


def test_a_photo_that_changes_while_it_is_copied_is_kept_and_the_copy_is_not(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = disk.copy_verified

    def written_to(source: Path, target: Path) -> None:
        copy(source, target)
        source.write_text("the rest of the photo")

    monkeypatch.setattr(disk, "copy_verified", written_to)
    with pytest.raises(ChangedError):
        books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    assert read_tree(inbox) == {"a.jpg": "the rest of the photo", "notes.txt": "mine"}


def test_a_photo_that_is_gone_is_gone(books: Books, inbox: Path) -> None:
    decided = plan(inbox / "a.jpg")
    (inbox / "a.jpg").unlink()
    with pytest.raises(GoneError):
        books.filing.file(decided, None)


def test_a_sidecar_that_cannot_go_along_brings_the_photo_back(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {"a.jpg": "photo", "a.jpg.xmp": "x", "a.aae": "y"}
    inbox = make_tree(tmp_path / "inbox", before)
    rename = disk.rename_exclusively

    def disk_full(source: Path, target: Path) -> None:
        if source.suffix == ".xmp":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        rename(source, target)

    monkeypatch.setattr(disk, "rename_exclusively", disk_full)
    with pytest.raises(PlaceError, match=r"a.jpg stays in place: .*the disk is full"):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox) == before
    assert [entry.state for entry in books.journal.history()] == ["failed"]


def test_a_file_where_the_class_folder_should_be(books: Books, tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "photo", "grizzly": "a file"})
    with pytest.raises(PlaceError, match="grizzly is a file, not a folder; rename it"):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": "a file"}


def test_a_copy_that_does_not_read_back_is_thrown_away(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(bytes):
        def digest(self) -> bytes:
            return b"different"

    monkeypatch.setattr(hashlib, "file_digest", lambda *_: Broken())
    with pytest.raises(PlaceError, match="the disk reports an error"):
        books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    assert read_tree(inbox) == {"a.jpg": "photo", "notes.txt": "mine"}


def test_undo_says_why_not(books: Books, inbox: Path) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    (inbox / "a.jpg").write_text("a new photo of that name")
    with pytest.raises(UndoError, match=r"its old place .* is taken"):
        books.filing.undo(entry)
    (inbox / "a.jpg").unlink()
    (inbox / "grizzly" / "a.jpg").write_text("edited since")
    with pytest.raises(UndoError, match="has changed since"):
        books.filing.undo(entry)
    (inbox / "grizzly" / "a.jpg").unlink()
    with pytest.raises(UndoError, match="it is no longer there"):
        books.filing.undo(entry)
    assert books.journal.entry(entry.id).state == "done"


def test_undo_works_once(books: Books, inbox: Path) -> None:
    undone = books.filing.undo(books.filing.file(plan(inbox / "a.jpg"), None))
    with pytest.raises(UndoError, match="undone already"):
        books.filing.undo(undone)


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_of_two_who_take_a_photo_back_at_once_only_one_does(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Any
) -> None:
    """From the tray and with `beartray undo`; the second one does not call it filed again."""
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action=action)), None)
    begin = books.journal.begin_undo
    with open_books(tmp_path, "other") as other:

        def other_is_quicker(*arguments: Any) -> None:
            other.filing.undo(entry)
            begin(*arguments)

        monkeypatch.setattr(books.journal, "begin_undo", other_is_quicker)
        with pytest.raises(UndoError):
            books.filing.undo(entry)
    assert books.journal.entry(entry.id).state == "undone"
    assert read_tree(inbox) == {"a.jpg": "photo", "notes.txt": "mine"}


def test_a_photo_stays_filed_while_another_one_comes_to_its_old_place(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`beartray sort` copies the very same picture there: it is not taken for the one that is
    on its way back."""
    twin = make_tree(tmp_path / "card", {"b.jpg": "photo"}) / "b.jpg"
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    begin, back = books.journal.begin_undo, inbox / "a.jpg"
    with open_books(tmp_path, "other") as other:

        def other_is_quicker(*arguments: Any) -> None:
            copy = Step("copy", twin, back, Photo.at(twin))
            wanted = Plan(Photo.at(twin), Verdict("black", None), "copy", inbox)
            other.journal.begin(wanted, [prepare(copy)], None)
            back.write_bytes(twin.read_bytes())
            begin(*arguments)

        monkeypatch.setattr(books.journal, "begin_undo", other_is_quicker)
        with pytest.raises(UndoError, match="somebody else was quicker"):
            books.filing.undo(entry)
    assert read_tree(inbox)["a.jpg"] == "photo" and entry.destination.exists()
    assert books.journal.entry(entry.id).state == "done"


def test_what_was_just_copied_to_the_old_place_is_not_taken_for_the_photo(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy was put right, and `beartray sort` made another one, from its first step to its
    last, after whoever takes that back had seen that the name is free."""
    photo, sort = inbox / "a.jpg", Sort(action="copy")
    copy = books.filing.file(plan(photo, sort), None).destination
    right = Plan(Photo.at(copy), Verdict("black", None), "move", inbox / "black")
    entry, begin = books.filing.file(right, None), books.journal.begin_undo
    with open_books(tmp_path, "other") as other:

        def other_is_quicker(*arguments: Any) -> None:
            other.filing.file(plan(photo, sort), None)
            begin(*arguments)

        monkeypatch.setattr(books.journal, "begin_undo", other_is_quicker)
        with pytest.raises(UndoError, match=r"a\.jpg: a file of that name is in the way"):
            books.filing.undo(entry)
    assert read_tree(inbox) == {
        **{"a.jpg": "photo", "notes.txt": "mine"},
        **{"grizzly": {"a.jpg": "photo"}, "black": {"a.jpg": "photo"}},
    }
    assert books.notes.noted(Photo.at(copy)) == "filed"


def test_what_was_just_taken_back_to_its_name_is_not_taken_for_the_photo(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`beartray undo` brings the very same picture to where `beartray sort` is about to put it."""
    twin = make_tree(tmp_path / "card", {"a.jpg": "photo"}) / "a.jpg"
    shutil.copystat(inbox / "a.jpg", twin)
    back = books.filing.file(plan(inbox / "a.jpg"), None)
    begin = books.journal.begin
    with open_books(tmp_path, "other") as other:

        def other_is_quicker(*arguments: Any) -> Entry:
            monkeypatch.setattr(books.journal, "begin", begin)
            other.filing.undo(back)
            return begin(*arguments)

        monkeypatch.setattr(books.journal, "begin", other_is_quicker)
        wanted = Plan(Photo.at(twin), Verdict("black", None), "move", inbox)
        entry = books.filing.file(wanted, None)
    assert entry.destination == inbox / "a (2).jpg"
    assert read_tree(inbox) == {"a.jpg": "photo", "a (2).jpg": "photo", "notes.txt": "mine"}
    assert books.notes.noted(Photo.at(inbox / "a.jpg")) == "undone"


def test_a_photo_whose_filing_fails_while_it_is_looked_at_is_not_known(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It seemed to be renamed from where it never came: noted as filed, it was left for ever."""
    wanted = plan(inbox / "a.jpg")
    steps = tuple(map(prepare, next(steps_of(wanted))))
    entry, lexists = books.journal.begin(wanted, steps, None), os.path.lexists

    def fails_now(path: Any) -> bool:
        books.journal.fail(entry, "the disk is full")
        return lexists(path)

    moved = (inbox / "a.jpg").rename(inbox / "b.jpg")
    monkeypatch.setattr(os.path, "lexists", fails_now)
    assert books.notes.noted(Photo.at(moved)) is None


def test_a_copy_is_not_taken_back_while_its_photo_is_moved_to_that_very_place(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    """Its copy had been deleted, and `beartray sort` moves the photo to another disk: what lies in
    both places for a moment is no copy to be removed."""
    photo = inbox / "a.jpg"
    entry = books.filing.file(plan(photo, Sort(action="copy")), None)
    entry.destination.unlink()
    with open_books(tmp_path, "other") as other:
        move = prepare(Step("move", photo, entry.destination, Photo.at(photo)))
        other.journal.begin(plan(photo), [move], None)
        shutil.copy2(photo, entry.destination)
        with pytest.raises(UndoError, match="somebody else was quicker"):
            books.filing.undo(entry)
        photo.unlink()
    assert read_tree(inbox) == {"grizzly": {"a.jpg": "photo"}, "notes.txt": "mine"}


def test_of_two_who_file_a_photo_at_once_only_one_does(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app and `beartray sort`: the second one leaves it alone while the first is at work."""
    begin, wanted = books.journal.begin, plan(inbox / "a.jpg", Sort(action="copy"))
    with open_books(tmp_path, "other") as other:

        def other_is_quicker(*arguments: Any) -> Entry:
            other.journal.begin(wanted, [prepare(step) for step in next(steps_of(wanted))], None)
            return begin(*arguments)

        monkeypatch.setattr(books.journal, "begin", other_is_quicker)
        with pytest.raises(BeartrayError, match="it is being filed just now"):
            books.filing.file(wanted, None)
    assert [entry.state for entry in books.journal.history()] == ["begun"]


def test_nothing_is_copied_to_where_a_half_done_row_has_its_photo_from(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    """Or recovery took it for that photo, left behind in both places."""
    sort = Sort(action="copy")
    copied = books.filing.file(plan(inbox / "a.jpg", sort), None)
    moved = Step("move", copied.destination, inbox / "black.jpg", Photo.at(copied.destination))
    right = Plan(Photo.at(copied.destination), Verdict("black", None), "move", inbox)
    with open_books(tmp_path, "other") as other:
        other.journal.begin(right, [prepare(moved)], None)
        copied.destination.rename(inbox / "black.jpg")  # and there it stopped
        again = books.filing.file(plan(inbox / "a.jpg", sort), None)
    assert again.destination.name == "a (2).jpg"


def test_a_late_sidecar_does_not_follow_a_photo_that_is_taken_back_this_moment(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    (inbox / "a.jpg.xmp").write_text(XMP)
    reopen = books.journal.reopen
    with open_books(tmp_path, "other") as other:

        def other_is_quicker(*arguments: Any) -> int:
            other.filing.undo(entry)
            return reopen(*arguments)

        monkeypatch.setattr(books.journal, "reopen", other_is_quicker)
        assert books.filing.follow(inbox / "a.jpg.xmp") is None
    assert books.journal.entry(entry.id).state == "undone"
    assert read_tree(inbox) == {"a.jpg": "photo", "a.jpg.xmp": XMP, "notes.txt": "mine"}


def test_a_photo_that_a_late_sidecar_follows_this_moment_is_not_taken_back_without_it(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`beartray undo` had listed what lies beside the photo when the app brought the sidecar."""
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    begin = books.journal.begin_undo
    with open_books(tmp_path, "app") as app:

        def app_is_quicker(*arguments: Any) -> None:
            make_tree(inbox, {"a.jpg.xmp": XMP})
            app.filing.follow(inbox / "a.jpg.xmp")
            begin(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(books.journal, "begin_undo", app_is_quicker)
            with pytest.raises(UndoError, match="a sidecar has just come; try again"):
                books.filing.undo(entry)
    books.filing.undo(entry)
    assert read_tree(inbox) == {"a.jpg": "photo", "a.jpg.xmp": XMP, "notes.txt": "mine"}


def test_a_sidecar_made_since_comes_back_with_the_photo(books: Books, inbox: Path) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    (inbox / "grizzly" / "a.jpg.xmp").write_text("by darktable")
    books.filing.undo(entry)
    assert read_tree(inbox) == {"a.jpg": "photo", "a.jpg.xmp": "by darktable", "notes.txt": "mine"}


def test_undo_makes_the_photos_old_folder_again(books: Books, tmp_path: Path) -> None:
    trip = make_tree(tmp_path / "inbox" / "trip", {"a.jpg": "photo"})
    (tmp_path / "out").mkdir()
    entry = books.filing.file(plan(trip / "a.jpg", Sort(destination=str(tmp_path / "out"))), None)
    trip.rmdir()
    books.filing.undo(entry)
    assert read_tree(tmp_path / "inbox") == {"trip": {"a.jpg": "photo"}}
    assert read_tree(tmp_path / "out") == {}


def test_a_folder_that_was_there_before_stays(books: Books, inbox: Path) -> None:
    (inbox / "grizzly").mkdir()
    books.filing.undo(books.filing.file(plan(inbox / "a.jpg"), None))
    assert read_tree(inbox) == {"a.jpg": "photo", "notes.txt": "mine", "grizzly": {}}


def test_file_systems_without_an_exclusive_rename_get_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(source: Path, target: Path, **_: bool) -> None:
        raise OSError(errno.EINVAL, "no such flag")

    make_tree(tmp_path, {"a": "1", "b": "2"})
    monkeypatch.setattr(disk, "_rename_by_system", unsupported)
    for links in (True, False):
        if not links:
            monkeypatch.setattr(os, "link", unsupported)
        with pytest.raises(FileExistsError):
            disk.rename_exclusively(tmp_path / "a", tmp_path / "b")
        disk.rename_exclusively(tmp_path / "a", tmp_path / "c")
        assert read_tree(tmp_path) == {"b": "2", "c": "1"}
        disk.rename_exclusively(tmp_path / "c", tmp_path / "a")


def test_a_name_that_was_held_in_vain_is_free_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut brings back the empty file that held it, or the photo under a second name."""

    def unsupported(source: Path, target: Path, **_: bool) -> None:
        raise OSError(errno.EINVAL, "no such flag")

    monkeypatch.setattr(disk, "_rename_by_system", unsupported)
    synced: list[object] = []
    monkeypatch.setattr(disk.Folder, "sync", lambda at: synced.append(list(at.path.iterdir())))
    photo = make_tree(tmp_path / "inbox", {"a.jpg": "photo"}) / "a.jpg"
    to = make_tree(tmp_path / "grizzly", {}) / "a.jpg"
    unlink = Path.unlink

    def stays(path: Path, **options: bool) -> None:
        if path == photo:
            raise OSError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        unlink(path, **options)

    with monkeypatch.context() as patched, pytest.raises(PermissionError):
        patched.setattr(Path, "unlink", stays)
        disk.rename_exclusively(photo, to)
    assert synced == [[]]
    monkeypatch.setattr(os, "link", unsupported)
    with pytest.raises(FileNotFoundError):
        disk.rename_exclusively(photo.with_name("gone"), to)
    assert synced == [[], []]


def test_a_writer_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a.jpg"
    with file.open("wb"):
        assert bool(disk.being_written(file)) == (sys.platform == "linux")
    with file.open("rb"):
        assert not disk.being_written(file)
    assert not disk.being_written(tmp_path / "none.jpg")


def test_a_sidecar_that_comes_late_follows_its_photo(books: Books, inbox: Path) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    for name in ("a.jpg.xmp", "a.aae", "b.xmp"):
        (inbox / name).write_text(name)
    followed = [books.filing.follow(inbox / name) for name in ("a.jpg.xmp", "a.aae", "b.xmp")]
    assert [found and found.id for found in followed] == [entry.id, entry.id, None]
    assert read_tree(inbox) == {
        "grizzly": {"a.jpg": "photo", "a.jpg.xmp": "a.jpg.xmp", "a.aae": "a.aae"},
        "b.xmp": "b.xmp",
        "notes.txt": "mine",
    }
    assert books.journal.entry(entry.id).state == "done"
    books.filing.undo(books.journal.entry(entry.id))
    assert set(read_tree(inbox)) == {"a.jpg", "a.jpg.xmp", "a.aae", "b.xmp", "notes.txt"}


def test_a_late_sidecar_does_not_follow_a_photo_that_was_deleted(books: Books, inbox: Path) -> None:
    """It is of the next photo, maybe, which is still to come."""
    books.filing.file(plan(inbox / "a.jpg"), None)
    (inbox / "grizzly" / "a.jpg").unlink()
    make_tree(inbox, {"a.aae": "of a.jpeg"})
    assert books.filing.follow(inbox / "a.aae") is None
    assert read_tree(inbox) == {"a.aae": "of a.jpeg", "notes.txt": "mine", "grizzly": {}}


def test_a_sidecar_of_a_copy_is_copied_once(books: Books, inbox: Path) -> None:
    """Its photo was taken elsewhere: at each look it was said to be in its own copy's way."""
    (inbox / "a.jpg.xmp").write_text(XMP)
    books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    (inbox / "a.jpg").rename(inbox / "favourite.jpg")
    (inbox / "a.aae").write_text("late")
    assert books.filing.follow(inbox / "a.aae") is not None
    before = read_tree(inbox)
    assert set(before["grizzly"]) == {"a.jpg", "a.jpg.xmp", "a.aae"}
    for name in ("a.aae", "a.jpg.xmp"):
        assert books.filing.follow(inbox / name) is None
    assert read_tree(inbox) == before


def test_a_late_sidecar_of_a_new_photo_stays_with_that(books: Books, inbox: Path) -> None:
    books.filing.file(plan(inbox / "a.jpg"), None)
    make_tree(inbox, {"a.jpg": "new", "a.jpg.xmp": "the new one's"})
    assert books.filing.follow(inbox / "a.jpg.xmp") is None
    assert (inbox / "a.jpg.xmp").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes a file")
def test_a_sidecar_that_is_being_written_comes_later(books: Books, inbox: Path) -> None:
    with (inbox / "a.jpg.xmp").open("w") as writer:
        writer.write("half")
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert (inbox / "a.jpg.xmp").exists()
    assert books.filing.follow(inbox / "a.jpg.xmp") is not None
    assert read_tree(inbox)["grizzly"] == {"a.jpg": "photo", "a.jpg.xmp": "half"}


def test_a_destination_that_is_not_connected_is_not_made(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    away = tmp_path / "usb" / "sorted"
    with pytest.raises(PlaceError, match="is not there; connect its disk or make it"):
        books.filing.file(plan(inbox / "a.jpg", Sort(destination=str(away))), None)
    assert read_tree(inbox) == {"a.jpg": "photo", "notes.txt": "mine"}
    assert not away.parent.exists()


def test_a_destination_that_is_pulled_out_this_moment_is_not_made(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder would be one of another disk, and the card be mounted beside or over it."""
    card, is_dir = make_tree(tmp_path / "card", {}), Path.is_dir

    def pull_out(path: Path) -> bool:
        was_there = is_dir(path)
        if path == card and was_there:
            card.rmdir()
        return was_there

    monkeypatch.setattr(Path, "is_dir", pull_out)
    with pytest.raises(PlaceError, match="stays in place"):
        books.filing.file(plan(inbox / "a.jpg", Sort(destination=str(card))), None)
    assert not card.exists()
    assert not books.journal.made_folder(os.fsencode(card))


@pytest.mark.parametrize("inside", ["", "DCIM"])
def test_a_photo_does_not_go_back_to_a_card_that_is_pulled_out(
    books: Books, tmp_path: Path, inside: str
) -> None:
    """Below its empty mount point it would be gone once the card is there again."""
    photo = tmp_path / "card" / inside / "a.jpg"
    with tiny_disk(tmp_path / "card", "64k"):
        make_tree(photo.parent, {"a.jpg": "photo"})
        sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
        entry = books.filing.file(plan(photo, sort), None)
    with pytest.raises(UndoError, match=f"{photo.parent} is on a disk that is not connected"):
        books.filing.undo(entry)
    assert read_tree(tmp_path / "sorted") == {"grizzly": {"a.jpg": "photo"}}
    with tiny_disk(tmp_path / "card", "64k"):
        assert books.filing.undo(entry).state == "undone"
        assert photo.read_text() == "photo"
    assert read_tree(tmp_path / "card") == {}


def test_where_a_move_stands_is_told_from_the_disk(tmp_path: Path) -> None:
    make_tree(tmp_path, {"a": "photo"})
    step = Step("move", tmp_path / "a", tmp_path / "b", Photo.at(tmp_path / "a"))
    assert place.stand(step) is place.Stand.BEFORE
    os.link(tmp_path / "a", tmp_path / "b")
    assert place.stand(step) is place.Stand.BETWEEN
    (tmp_path / "a").unlink()
    assert place.stand(step) is place.Stand.AFTER
    (tmp_path / "a").write_text("a new one of that name")
    assert place.stand(step) is place.Stand.AFTER
    (tmp_path / "b").write_text("somebody else's")
    assert place.stand(step) is place.Stand.BEFORE
