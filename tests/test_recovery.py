"""What a crash, a failing disk or a person's hand leaves half-done is settled; each was found by
the simulator (tests/sim)."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
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
from tests.helpers import cannot_be_looked_at, make_tree, read_tree
from tests.sidecars import XMP
from trayapp import disk, filing, place
from trayapp.filing import GoneError, HalfDoneError, PlaceError, UndoError
from trayapp.photo import Action, Entry, Photo
from trayapp.settings import Sort
from trayapp.steps import ChangedError, Step, inverse, prepare, steps_of, undo_steps

PHOTO = {"a.jpg": "photo"}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with open_books(tmp_path, is_gone=lambda name: name != "test") as opened:
        yield opened


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "inbox", PHOTO)


@pytest.fixture
def other_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every folder lay on a disk of its own."""
    part_disks(monkeypatch)


def begun(books: Books, photo: Path, sort: Sort | None = None) -> tuple[Entry, tuple[Step, ...]]:
    """A row that was begun by a process that has ended, with nothing done so far."""
    wanted = plan(photo, sort)
    steps = tuple(prepare(step) for step in next(steps_of(wanted)))
    steps[0].target.parent.mkdir()
    return books.journal.begin(wanted, steps, None), steps


def fail_once(monkeypatch: pytest.MonkeyPatch, part: Any, name: str, number: int) -> None:
    """The next call fails as a disk does; later ones work."""
    real, left = getattr(part, name), [1]

    def call(*arguments: Any) -> Any:
        if left and left.pop():
            raise OSError(number, os.strerror(number), str(arguments[0]))
        return real(*arguments)

    monkeypatch.setattr(part, name, call)


def test_the_empty_file_that_held_the_photos_name_goes(books: Books, inbox: Path) -> None:
    """On a share without hard links the name is taken first, then the photo is moved over it."""
    _, steps = begun(books, inbox / "a.jpg")
    steps[0].target.touch()
    (settled,) = books.filing.recover()
    assert settled.state == "failed"
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {}}


def test_an_empty_file_of_the_persons_own_stays(books: Books, inbox: Path) -> None:
    _, steps = begun(books, inbox / "a.jpg")
    steps[0].target.touch()
    os.utime(steps[0].target, (1, 1))
    books.filing.recover()
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {"a.jpg": ""}}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who writes")
def test_what_somebody_has_just_begun_to_write_stays(books: Books, inbox: Path) -> None:
    _, steps = begun(books, inbox / "a.jpg")
    with steps[0].target.open("w") as stream:
        books.filing.recover()
        stream.write("theirs")
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {"a.jpg": "theirs"}}


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("was_refused", [True, False])
def test_what_somebody_began_to_write_on_a_stick_stays(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch, was_refused: bool, hours: int
) -> None:
    """It tells of no writers; the photo was refused its name, or its filing was killed. The clock
    goes on, or is set back."""
    monkeypatch.setattr(disk, "being_written", lambda _: None)
    entry, steps = begun(books, inbox / "a.jpg", Sort(action="copy"))
    if was_refused:
        books.journal.fail(entry, "a file of that name is in the way")
    steps[0].target.touch()
    books.filing.recover()
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {"a.jpg": ""}}
    later = time.time() + hours * 3600
    monkeypatch.setattr(books.journal, "now", lambda: later)
    books.filing.recover()
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {}}, "one that held the name goes"


@pytest.mark.parametrize("mount_point_stays", [False, True])
def test_a_temporary_file_on_a_disk_that_was_away_goes_when_it_is_back(
    books: Books, inbox: Path, tmp_path: Path, mount_point_stays: bool
) -> None:
    entry, steps = begun(books, inbox / "a.jpg", Sort(action="copy"))
    assert steps[0].temporary is not None
    steps[0].temporary.write_text("half a pho")
    away = (inbox / "grizzly").rename(tmp_path / "away")
    books.journal.fail(entry, "the disk went away")
    if mount_point_stays:
        (inbox / "grizzly").mkdir()
    books.filing.recover()
    away.rename(inbox / "grizzly")
    assert len(list((inbox / "grizzly").iterdir())) == 1
    books.filing.recover()
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {}}
    assert books.journal.untidied() == []


def test_a_disk_that_is_pulled_out_while_its_temporary_file_is_looked_for_is_looked_at_again(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry, steps = begun(books, inbox / "a.jpg", Sort(action="copy"))
    assert steps[0].temporary is not None
    steps[0].temporary.write_text("half a pho")
    books.journal.fail(entry, "the disk turned read-only")
    folder, away, tidy = inbox / "grizzly", tmp_path / "away", place.tidy

    def pull_out(*arguments: Any) -> None:
        folder.rename(away)
        patch.setattr(disk.Folder, "sync", Mock(side_effect=OSError(errno.EIO, "no disk")))
        tidy(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(place, "tidy", pull_out)
        books.filing.recover()
    away.rename(folder)
    books.filing.recover()
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {}}


def test_a_row_whose_folder_somebody_replaced_by_a_file_is_settled(
    books: Books, inbox: Path
) -> None:
    _, steps = begun(books, inbox / "a.jpg")
    steps[0].target.parent.rmdir()
    make_tree(inbox, {"grizzly": "a file"})
    assert [row.state for row in books.filing.recover()] == ["failed"]


def test_an_unfinished_copy_is_gone_for_good_before_the_journal_forgets_it(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a second power cut brings back its name, and nobody knows of it any more."""
    _, steps = begun(books, inbox / "a.jpg", Sort(action="copy"))
    assert steps[0].temporary is not None
    steps[0].temporary.write_text("half a pho")
    synced: list[tuple[Path, list[Path], int]] = []

    def note(folder: disk.Folder) -> None:
        there = list(folder.path.iterdir())
        synced.append((folder.path, there, len(books.journal.unfinished())))

    monkeypatch.setattr(disk.Folder, "sync", note)
    books.filing.recover()
    assert (inbox / "grizzly", [], 1) in synced


def test_a_photo_that_was_edited_before_its_row_was_closed_counts_as_filed(
    books: Books, inbox: Path
) -> None:
    _, steps = begun(books, inbox / "a.jpg")
    (inbox / "a.jpg").rename(steps[0].target)
    steps[0].target.write_text("edited since")
    (settled,) = books.filing.recover()
    assert settled.state == "done"


def test_another_photo_at_the_old_place_does_not_hide_that_the_first_was_filed(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    """Also where file ids tell nothing any more, as on a disk that was plugged in again."""
    _, steps = begun(books, inbox / "a.jpg")
    assert steps[0].photo is not None
    (inbox / "a.jpg").rename(tmp_path / "moved")
    steps[0].target.write_text("photo")
    os.utime(steps[0].target, ns=(1, steps[0].photo.mtime_ns))
    (inbox / "a.jpg").write_text("the next one")
    (settled,) = books.filing.recover()
    assert settled.state == "done"
    assert read_tree(inbox) == {"a.jpg": "the next one", "grizzly": {"a.jpg": "photo"}}


def test_sidecars_come_back_when_somebody_took_the_photo_away(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    make_tree(inbox, {"a.jpg.xmp": "stars"})
    _, steps = begun(books, inbox / "a.jpg")
    (inbox / "a.jpg").rename(tmp_path / "elsewhere.jpg")
    (inbox / "a.jpg.xmp").rename(steps[1].target)
    (settled,) = books.filing.recover()
    assert settled.state == "failed"
    assert read_tree(inbox)["a.jpg.xmp"] == "stars"


def test_a_finished_undo_takes_its_folder_along_after_a_crash(books: Books, inbox: Path) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    back = Step("move", entry.destination, entry.path, Photo.at(entry.destination))
    begin_undo(books, entry, [prepare(back)])
    entry.destination.rename(entry.path)
    (settled,) = books.filing.recover()
    assert settled.state == "undone"
    assert read_tree(inbox) == PHOTO


def test_a_row_whose_end_could_not_be_written_is_closed_without_a_restart(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, books.journal, "finish", errno.ENOSPC)
    with pytest.raises(PlaceError):
        books.filing.file(plan(inbox / "a.jpg"), None)
    (settled,) = books.filing.recover()
    assert settled.state == "done"
    assert read_tree(inbox) == {"grizzly": {"a.jpg": "photo"}}


def test_a_photo_that_is_half_done_is_not_filed_a_second_time(books: Books, inbox: Path) -> None:
    """On its way to another disk, or back, it lies in both places until the row is settled."""
    wanted = plan(inbox / "a.jpg")
    _, steps = begun(books, inbox / "a.jpg")
    shutil.copy2(inbox / "a.jpg", steps[0].target)
    with pytest.raises(GoneError):
        books.filing.file(wanted, None)
    assert read_tree(inbox) == {"grizzly": {"a.jpg": "photo"}}
    assert [entry.state for entry in books.journal.history()] == ["done"]


def test_a_photo_stays_when_its_copy_may_not_last(
    books: Books, inbox: Path, other_disks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, disk.Folder, "sync", errno.EIO)
    with pytest.raises(PlaceError, match="the disk reports an error"):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox) == PHOTO


def test_a_copy_that_may_not_last_stays_where_somebody_has_edited_it(
    books: Books, inbox: Path, other_disks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit_and_fail(folder: disk.Folder) -> None:
        (folder.path / "a.jpg").write_text("edited by somebody who was quick")
        raise OSError(errno.EIO, "Input/output error", str(folder.path))

    monkeypatch.setattr(disk.Folder, "sync", edit_and_fail)
    with pytest.raises(PlaceError):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert read_tree(inbox) == {
        **PHOTO,
        "grizzly": {"a.jpg": "edited by somebody who was quick"},
    }


def test_a_move_that_may_not_last_is_looked_at_again(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, disk.Folder, "sync", errno.EIO)
    with pytest.raises(HalfDoneError, match="looks again soon"):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert [entry.state for entry in books.filing.recover()] == ["done"]


def test_a_disk_that_is_pulled_out_right_after_the_move_is_looked_at_when_it_is_back(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = disk.rename_exclusively

    def pull_out(source: Path, target: Path) -> None:
        rename(source, target)
        target.parent.rename(tmp_path / "away")

    monkeypatch.setattr(disk, "rename_exclusively", pull_out)
    with pytest.raises(HalfDoneError):
        books.filing.file(plan(inbox / "a.jpg"), None)
    (tmp_path / "away").rename(inbox / "grizzly")
    assert [entry.state for entry in books.filing.recover()] == ["done"]


def test_a_copy_that_is_given_up_is_gone_for_good(
    books: Books, inbox: Path, other_disks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or it comes back, and nobody knows of it, when its disk is pulled out."""
    names: list[list[str]] = []

    def change_and_note(folder: disk.Folder) -> None:
        (inbox / "a.jpg").write_text("edited meanwhile")
        names.append([path.name for path in folder.path.iterdir()])

    monkeypatch.setattr(disk.Folder, "sync", change_and_note)
    with pytest.raises(ChangedError):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert names == [["a.jpg"], []]


@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_disk_that_turns_read_only_while_a_file_has_two_names_is_looked_at_again(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch, action: Any
) -> None:
    """Where there is no exclusive rename, the file gets its new name before it loses the old."""

    def refuse(number: int) -> Any:
        def call(path: Path, *_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number), str(path))

        return call

    monkeypatch.setattr(disk, "_rename_by_system", refuse(errno.EINVAL))
    with monkeypatch.context() as patched, pytest.raises(HalfDoneError):
        patched.setattr(Path, "unlink", refuse(errno.EROFS))
        books.filing.file(plan(inbox / "a.jpg", Sort(action=action)), None)
    assert [entry.state for entry in books.filing.recover()] == ["done"]
    kept = PHOTO if action == "copy" else {}
    assert read_tree(inbox) == {**kept, "grizzly": PHOTO}


def test_the_folder_that_a_photo_leaves_is_synced_too(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut brings the photo back to where it was, beside the filed one."""
    synced: list[Path] = []
    monkeypatch.setattr(disk.Folder, "sync", lambda folder: synced.append(folder.path))
    books.filing.file(plan(inbox / "a.jpg"), None)
    assert synced == [inbox / "grizzly", inbox]


def test_what_was_killed_before_it_was_synced_is_synced_before_its_row_is_closed(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a power cut soon after brings the photo back, and the row says that it is filed."""
    _, steps = begun(books, inbox / "a.jpg")
    (inbox / "a.jpg").rename(steps[0].target)  # killed here
    synced: list[tuple[Path, int]] = []

    def note(folder: disk.Folder) -> None:
        synced.append((folder.path, len(books.journal.unfinished())))

    monkeypatch.setattr(disk.Folder, "sync", note)
    books.filing.recover()
    assert synced[-2:] == [(inbox / "grizzly", 1), (inbox, 1)]


def test_a_late_sidecar_that_cannot_follow_does_not_stand_in_the_way_of_undo(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    (inbox / "a.jpg").rename(inbox / "elsewhere.jpg")
    make_tree(inbox, {"a.jpg.xmp": "late"})
    fail_once(monkeypatch, disk, "copy_verified", errno.EROFS)
    with pytest.raises(PlaceError):
        books.filing.follow(inbox / "a.jpg.xmp")
    (inbox / "elsewhere.jpg").rename(inbox / "a.jpg")
    assert books.filing.undo(books.journal.entry(entry.id)).state == "undone"


def test_a_late_sidecar_in_a_folder_that_cannot_be_read_is_a_reason_not_an_error(
    books: Books, inbox: Path
) -> None:
    books.filing.file(plan(inbox / "a.jpg"), None)
    make_tree(inbox, {"a.jpg.xmp": "late"})
    with cannot_be_looked_at(inbox / "a.jpg"), pytest.raises(PlaceError, match="stays in place"):
        books.filing.follow(inbox / "a.jpg.xmp")
    assert books.filing.follow(inbox / "a.jpg.xmp") is not None


def test_a_photo_that_a_killed_process_had_begun_with_is_still_to_be_filed(
    books: Books, inbox: Path
) -> None:
    """The row notes the file at the place where it goes; that is not a name it was renamed from."""
    begun(books, inbox / "a.jpg")
    assert books.notes.noted(Photo.at(inbox / "a.jpg")) is None


def test_a_second_late_sidecar_comes_back_once(books: Books, inbox: Path, tmp_path: Path) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    for content in ("first", "second"):
        make_tree(inbox, {"a.aae": content})
        books.filing.follow(inbox / "a.aae")
        if content == "first":
            (inbox / "grizzly" / "a.aae").rename(tmp_path / "taken")
    make_tree(inbox / "grizzly", {"a.png": "shares the stem"})
    books.filing.undo(books.journal.entry(entry.id))
    assert read_tree(inbox) == {**PHOTO, "a.aae": "second", "grizzly": {"a.png": "shares the stem"}}


def test_what_a_program_writes_into_a_sidecar_meanwhile_is_not_written_over(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(inbox, {"a.jpg.xmp": XMP})

    def write_meanwhile(*_: object) -> None:
        (inbox / "a.jpg.xmp").write_text("stars given just now")

    monkeypatch.setattr(disk, "keep_properties", write_meanwhile)
    with pytest.raises(ChangedError):
        books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    assert read_tree(inbox) == {**PHOTO, "a.jpg.xmp": "stars given just now"}


def test_a_sidecar_that_is_replaced_while_it_is_read_is_not_written_over(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most programs save into a new file; whoever had the old one open reads on in that."""
    make_tree(inbox, {"a.jpg.xmp": XMP, "new": "stars given just now"})
    real, reads = os.open, iter(range(100))

    def replace_meanwhile(path: Any, *arguments: Any) -> int:
        descriptor = real(path, *arguments)
        if str(path).endswith(".xmp") and next(reads) == 3:  # the last look before it is replaced
            (inbox / "new").replace(inbox / "a.jpg.xmp")
        return descriptor

    monkeypatch.setattr(os, "open", replace_meanwhile)
    with pytest.raises(ChangedError):
        books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    assert read_tree(inbox) == {**PHOTO, "a.jpg.xmp": "stars given just now"}


@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_photo_that_is_replaced_while_it_is_compared_is_not_removed(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch, action: Any
) -> None:
    _, (step,) = begun(books, inbox / "a.jpg", Sort(action=action))
    shutil.copy2(step.source, step.target)  # killed in the middle of a move, or all done
    removed = step.source if action == "move" else step.target
    make_tree(inbox, {"new": "saved just now"})
    same_bytes, calls = disk.same_bytes, iter(("is it ours", "is it the same"))

    def replace_meanwhile(*paths: Path) -> bool:
        same = same_bytes(*paths)
        if action == "copy" or next(calls) == "is it the same":
            (inbox / "new").replace(removed)
        return same

    monkeypatch.setattr(disk, "same_bytes", replace_meanwhile)
    with pytest.raises(ChangedError):
        place.carry_out(step if action == "move" else inverse([step])[0], lambda _: None)
    assert removed.read_text() == "saved just now"


def test_undoing_many_goes_on_after_one_that_is_half_done(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(inbox, {"b.jpg": "other"})
    entries = [books.filing.file(plan(inbox / name), None) for name in ("a.jpg", "b.jpg")]
    fail_once(monkeypatch, disk.Folder, "sync", errno.EIO)
    with pytest.raises(UndoError):
        books.filing.undo_all(entry.id for entry in entries)
    assert read_tree(inbox)["a.jpg"] == "photo"
    assert books.journal.entry(entries[0].id).state == "undone"


@pytest.fixture
def stick(tmp_path: Path, other_disk: Path) -> Path:
    """A folder on another disk, under a name that is gone while the stick is pulled out."""
    return plug_in(tmp_path / "stick", other_disk)


def plug_in(name: Path, folder: Path) -> Path:
    name.symlink_to(folder)
    return name


def unmount(name: Path) -> None:
    """The folder that it is mounted on stays, and is empty."""
    name.unlink()
    name.mkdir()


def mount(name: Path, folder: Path) -> None:
    name.rmdir()
    plug_in(name, folder)


def test_an_undo_waits_for_the_stick_that_a_sidecar_is_still_on(
    books: Books, inbox: Path, stick: Path, other_disk: Path
) -> None:
    make_tree(inbox, {"a.jpg.xmp": "stars"})
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(destination=str(stick))), None)
    steps = [prepare(step) for step in undo_steps(entry, books.journal.steps(entry, "do"))]
    begin_undo(books, entry, steps)
    shutil.move(entry.destination, inbox)  # killed here
    stick.unlink()
    assert books.filing.recover() == []
    plug_in(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["undone"]
    assert read_tree(inbox) == {**PHOTO, "a.jpg.xmp": "stars"}


def test_a_card_that_is_pulled_out_while_a_sidecar_goes_back_to_it_is_waited_for(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody had taken the photo away, so its sidecar goes back, too."""

    make_tree(stick, {**PHOTO, "a.jpg.xmp": "stars"})
    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    _, steps = begun(books, stick / "a.jpg", sort)
    (stick / "a.jpg").unlink()
    shutil.move(stick / "a.jpg.xmp", steps[1].target)
    with monkeypatch.context() as patched:
        patched.setattr(disk, "keep_properties", lambda *_: stick.unlink())
        assert books.filing.recover() == []
    plug_in(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["failed"]
    assert read_tree(stick) == {"a.jpg.xmp": "stars"}


def test_a_photo_that_came_back_to_a_card_is_not_gone_because_the_card_is(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path
) -> None:
    """Of which the empty mount point stays, as of one in /etc/fstab."""
    make_tree(stick, PHOTO)
    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    entry = books.filing.file(plan(stick / "a.jpg", sort), None)
    steps = [prepare(step) for step in undo_steps(entry, books.journal.steps(entry, "do"))]
    begin_undo(books, entry, steps)
    shutil.move(entry.destination, stick)
    books.journal.arrived(entry, "undo", 0, Photo.at(entry.path))  # killed here
    unmount(stick)
    assert books.filing.recover() == []
    mount(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["undone"]
    assert read_tree(stick) == PHOTO


def test_a_photo_that_came_back_on_a_card_is_not_gone_because_the_card_is(
    books: Books, stick: Path, other_disk: Path
) -> None:
    """Its class folder, which Beartray had made there, is gone with the card as well."""
    entry = books.filing.file(plan(make_tree(stick, PHOTO) / "a.jpg"), None)
    begin_undo(books, entry, [prepare(step) for step in place_back(books, entry)])
    entry.destination.rename(entry.path)  # killed here
    unmount(stick)
    assert books.filing.recover() == []
    mount(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["undone"]
    assert read_tree(stick) == PHOTO


@pytest.mark.parametrize("action", ["copy", "tag"])
def test_an_undo_waits_for_the_card_with_all_that_it_is_about(
    books: Books, stick: Path, other_disk: Path, action: Action
) -> None:
    """Nothing there to be taken back is not the same as taken back."""
    photo = make_tree(stick, PHOTO) / "a.jpg"
    entry = books.filing.file(plan(photo, Sort(action=action)), None)
    begin_undo(books, entry, place_back(books, entry))  # killed here
    unmount(stick)
    assert books.filing.recover() == []
    mount(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]
    books.filing.undo(books.journal.entry(entry.id))
    assert read_tree(stick) == PHOTO


def test_tags_on_a_card_are_not_given_up_because_the_card_is_away(
    books: Books, stick: Path, other_disk: Path
) -> None:
    wanted = plan(make_tree(stick, PHOTO) / "a.jpg", Sort(action="tag"))
    steps = tuple(prepare(step) for step in next(steps_of(wanted)))
    books.journal.begin(wanted, steps, None)
    place.carry_out(steps[0], lambda _: None)  # killed here
    unmount(stick)
    assert books.filing.recover() == []
    mount(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]


@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_photo_that_has_reached_its_card_is_not_filed_twice(
    books: Books, inbox: Path, stick: Path, other_disk: Path, action: Action
) -> None:
    """Killed right then, the card is pulled out, and the folder that it is mounted on stays."""
    entry, (step,) = begun(books, inbox / "a.jpg", Sort(action=action, destination=str(stick)))
    books.journal.made_folders([os.fsencode(step.target.parent)])
    shutil.copy2(step.source, step.target)
    books.journal.arrived(entry, "do", 0, Photo.at(step.target))  # killed here
    unmount(stick)
    assert books.filing.recover() == []
    with pytest.raises(PlaceError):
        books.filing.file(plan(inbox / "a.jpg", Sort(action=action)), None)
    mount(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert read_tree(stick) == {"grizzly": PHOTO}


@pytest.mark.parametrize("action", ["move", "copy"])
def test_an_undo_waits_for_the_card_from_which_a_photo_has_yet_to_go(
    books: Books, inbox: Path, stick: Path, other_disk: Path, action: Action
) -> None:
    sort = Sort(action=action, destination=str(stick))
    entry = books.filing.file(plan(inbox / "a.jpg", sort), None)
    (step,) = map(prepare, undo_steps(entry, books.journal.steps(entry, "do")))
    begin_undo(books, entry, [step])
    if action == "move":
        shutil.copy2(step.source, step.target)
        books.journal.arrived(entry, "undo", 0, Photo.at(step.target))  # killed here
    unmount(stick)
    assert books.filing.recover() == []
    mount(stick, other_disk)
    (settled,) = books.filing.recover()
    if settled.state == "done":
        books.filing.undo(settled)
    assert (read_tree(inbox), read_tree(stick)) == (PHOTO, {})


@pytest.mark.parametrize("before", [{}, {"a.jpg.xmp": XMP}])
@pytest.mark.parametrize("is_back", [False, True])
def test_tags_on_a_card_are_not_taken_back_because_the_card_is_away(
    books: Books, stick: Path, other_disk: Path, before: dict[str, str], is_back: bool
) -> None:
    """Of a card that is always mounted there the empty folder stays."""
    make_tree(stick, {**PHOTO, **before})
    entry = books.filing.file(plan(stick / "a.jpg", Sort(action="tag")), None)
    steps = [prepare(step) for step in place_back(books, entry)]
    begin_undo(books, entry, steps)
    for step in steps if is_back else ():
        place.carry_out(step, lambda _: None)  # killed here
    unmount(stick)
    assert books.filing.recover() == []
    mount(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["undone" if is_back else "done"]
    assert ("grizzly" in str(read_tree(stick))) is not is_back


def test_a_photo_that_was_on_its_way_back_from_a_stick_lies_there_once(
    books: Books, inbox: Path, other_disks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was filed a second time, as another one: FAT keeps even seconds."""
    make_tree(inbox, {"a.jpg.xmp": "stars"})
    os.utime(inbox / "a.jpg", (1_600_000_001.9,) * 2)
    keep_even_seconds(monkeypatch)
    wanted, unlink = plan(inbox / "a.jpg"), Path.unlink

    def killed_before_it_goes(path: Path, **options: Any) -> None:
        if path == inbox / "grizzly" / "a.jpg":
            raise KeyboardInterrupt
        unlink(path, **options)

    with (
        no_room_for_sidecars(),
        monkeypatch.context() as killed,
        pytest.raises(KeyboardInterrupt),
    ):
        killed.setattr(Path, "unlink", killed_before_it_goes)
        killed.setattr(books.journal, "fail", Mock(side_effect=KeyboardInterrupt))
        books.filing.file(wanted, None)
    assert (inbox / "a.jpg").exists() and (inbox / "grizzly" / "a.jpg").exists()
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert read_tree(inbox) == {"grizzly": {"a.jpg": "photo", "a.jpg.xmp": "stars"}}


def test_a_sidecar_whose_disk_is_pulled_out_this_moment_is_waited_for(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its photo has gone before it, and the folder that the disk is mounted on stays."""
    make_tree(inbox, {"a.jpg.xmp": "stars"})
    _, (step, _) = begun(books, inbox / "a.jpg")
    books.journal.made_folders([os.fsencode(step.target.parent)])
    step.source.rename(step.target)  # killed here

    def pull_out(*_: Any) -> None:
        inbox.rename(tmp_path / "away")
        inbox.mkdir()
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(inbox))

    def fail_if_away(_: disk.Folder) -> None:
        if not step.target.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(place, "carry_out", pull_out)
        patched.setattr(disk.Folder, "sync", fail_if_away)
        assert books.filing.recover() == []
    inbox.rmdir()
    (tmp_path / "away").rename(inbox)
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert read_tree(inbox) == {"grizzly": {**PHOTO, "a.jpg.xmp": "stars"}}


@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_photo_that_was_deleted_before_its_class_folder_was_made_is_not_waited_for(
    books: Books, inbox: Path, action: Action
) -> None:
    wanted = plan(inbox / "a.jpg", Sort(action=action))
    books.journal.begin(wanted, [prepare(step) for step in next(steps_of(wanted))], None)
    (inbox / "a.jpg").unlink()  # and killed here
    assert [row.state for row in books.filing.recover()] == ["failed"]


def test_a_copy_on_a_card_is_not_gone_because_the_card_is(
    books: Books, inbox: Path, stick: Path, other_disk: Path
) -> None:
    """Its class folder, which Beartray had made there, is gone with the card as well."""
    wanted = plan(inbox / "a.jpg", Sort(action="copy", destination=str(stick)))
    with pytest.MonkeyPatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(books.journal, "finish", Mock(side_effect=KeyboardInterrupt))
        books.filing.file(wanted, None)
    unmount(stick)
    assert books.filing.recover() == []
    mount(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert read_tree(stick) == {"grizzly": PHOTO}


def test_a_photo_that_was_deleted_with_its_folder_is_waited_for_no_longer(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    begun(books, inbox / "a.jpg", sort)
    shutil.rmtree(inbox)
    assert [row.state for row in books.filing.recover()] == ["failed"]


def test_a_photo_on_a_stick_is_not_back_because_another_one_came_to_its_old_place(
    books: Books, inbox: Path, stick: Path, other_disk: Path
) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(destination=str(stick))), None)
    steps = [prepare(step) for step in undo_steps(entry, books.journal.steps(entry, "do"))]
    begin_undo(books, entry, steps)  # killed here
    stick.unlink()
    make_tree(inbox, {"a.jpg": "the next one"})
    assert books.filing.recover() == []
    plug_in(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert read_tree(stick) == {"grizzly": PHOTO}


def test_a_photo_that_may_still_be_on_its_card_is_removed_from_it_later(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path
) -> None:
    make_tree(stick, PHOTO)
    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    entry, steps = begun(books, stick / "a.jpg", sort)
    shutil.copy2(stick / "a.jpg", steps[0].target)
    books.journal.arrived(entry, "do", 0, Photo.at(steps[0].target))  # killed here
    stick.unlink()
    assert books.filing.recover() == []
    plug_in(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert (read_tree(stick), read_tree(steps[0].target.parent)) == ({}, PHOTO)


@pytest.mark.parametrize("looked_at_first", ["by recovery", "by the app"])
def test_a_photo_that_comes_back_with_its_card_is_not_filed_twice(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path, looked_at_first: str
) -> None:
    """Killed before it went from the card, which is pulled out before the next start; the folder
    that it is mounted on stays."""
    make_tree(stick, {**PHOTO, "a.jpg.xmp": "stars"})
    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    entry, steps = begun(books, stick / "a.jpg", sort)
    for position, step in enumerate(steps):
        shutil.copy2(step.source, step.target)
        books.journal.arrived(entry, "do", position, Photo.at(step.target))  # killed here
    unmount(stick)
    assert [row.state for row in books.filing.recover()] == ["done"]
    filed = read_tree(tmp_path / "sorted")
    mount(stick, other_disk)
    if looked_at_first == "by recovery":
        books.filing.recover()
    else:
        with pytest.raises(GoneError):
            books.filing.file(plan(stick / "a.jpg", sort), None)
    assert (read_tree(stick), read_tree(tmp_path / "sorted")) == ({}, filed)
    books.filing.undo(books.journal.entry(entry.id))
    assert read_tree(stick) == {**PHOTO, "a.jpg.xmp": "stars"}


def test_a_photo_that_stays_filed_and_comes_back_with_its_card_is_not_filed_twice(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path
) -> None:
    """An undo that was killed before its end, and the card was pulled out."""
    make_tree(stick, PHOTO)
    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    entry = books.filing.file(plan(stick / "a.jpg", sort), None)
    (step,) = map(prepare, undo_steps(entry, books.journal.steps(entry, "do")))
    begin_undo(books, entry, [step])
    shutil.copy2(step.source, step.target)
    books.journal.arrived(entry, "undo", 0, Photo.at(step.target))  # killed here
    unmount(stick)
    assert [row.state for row in books.filing.recover()] == ["done"]
    mount(stick, other_disk)
    with pytest.raises(GoneError):
        books.filing.file(plan(stick / "a.jpg", sort), None)
    assert (read_tree(stick), read_tree(tmp_path / "sorted")) == ({}, {"grizzly": PHOTO})


def test_a_photo_that_comes_back_where_it_was_filed_from_and_is_nowhere_else_stays(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path
) -> None:
    make_tree(stick, PHOTO)
    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    entry, (step,) = begun(books, stick / "a.jpg", sort)
    shutil.copy2(step.source, step.target)
    books.journal.arrived(entry, "do", 0, Photo.at(step.target))  # killed here
    unmount(stick)
    books.filing.recover()
    step.target.unlink()
    mount(stick, other_disk)
    books.filing.recover()
    assert read_tree(stick) == PHOTO
    books.filing.file(plan(stick / "a.jpg", sort), None)
    assert (read_tree(stick), read_tree(tmp_path / "sorted")) == ({}, {"grizzly": PHOTO})


def test_another_photo_that_was_put_where_one_was_filed_from_is_no_affair_of_that_one(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path
) -> None:
    make_tree(stick, PHOTO)
    entry, (step,) = begun(books, stick / "a.jpg", Sort(destination=str(tmp_path)))
    shutil.copy2(step.source, step.target)
    books.journal.arrived(entry, "do", 0, Photo.at(step.target))  # killed here
    unmount(stick)
    books.filing.recover()
    make_tree(other_disk, {"a.jpg": "the next one"})
    mount(stick, other_disk)
    books.notes.note([Photo.at(stick / "a.jpg")], "existing")
    books.filing.recover()
    assert books.notes.noted(Photo.at(stick / "a.jpg")) == "existing"
    assert read_tree(stick) == {"a.jpg": "the next one"}


def test_a_card_that_is_pulled_out_before_a_photo_is_gone_from_it_for_good(
    books: Books, tmp_path: Path, stick: Path, other_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(stick, PHOTO)
    times = (stick / "a.jpg").stat()

    def pull_out(folder: disk.Folder) -> None:
        if folder.path == stick:  # the photo was removed, but that has not reached the card
            make_tree(stick, PHOTO)
            os.utime(stick / "a.jpg", ns=(times.st_atime_ns, times.st_mtime_ns))
            stick.unlink()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    sort = Sort(destination=str(make_tree(tmp_path / "sorted", {})))
    with monkeypatch.context() as patched, pytest.raises(HalfDoneError):
        patched.setattr(disk.Folder, "sync", pull_out)
        books.filing.file(plan(stick / "a.jpg", sort), None)
    assert books.filing.recover() == []
    plug_in(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert (read_tree(stick), read_tree(tmp_path / "sorted")) == ({}, {"grizzly": PHOTO})


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the folders that are synced."""
    found: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: found.append(os.fstat(number).st_ino))
    return found


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot sync a folder")
def test_the_folder_that_was_opened_is_synced_and_not_the_one_that_has_its_name_since(
    tmp_path: Path, synced: list[int]
) -> None:
    """As the empty mount point has, once the disk is pulled out."""
    (tmp_path / "stick").mkdir()
    with disk.held_open(tmp_path / "stick") as folder:
        (tmp_path / "stick").rename(tmp_path / "away")
        (tmp_path / "stick").mkdir()
        folder.sync()
    assert synced == [(tmp_path / "away").stat().st_ino]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot sync a folder")
def test_a_folder_that_was_refused_for_a_moment_is_synced(
    tmp_path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or what was removed from it came back with a power cut, when its row had been closed."""
    fail_once(monkeypatch, os, "open", errno.EACCES)
    with disk.held_open(tmp_path) as folder:
        folder.sync()
    assert synced == [tmp_path.stat().st_ino]


def test_a_folder_that_somebody_removed_after_the_move_is_not_on_a_disk_that_is_away(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    wanted = plan(inbox / "a.jpg", Sort(destination=str(make_tree(tmp_path / "sorted", {}))))
    (step,) = next(steps_of(wanted))
    assert step.photo is not None
    elsewhere = prepare(replace(step, photo=replace(step.photo, file_id="1:1")))
    books.journal.begin(wanted, [elsewhere], None)
    step.target.parent.mkdir()
    step.source.rename(step.target)  # killed here
    inbox.rmdir()
    assert [row.state for row in books.filing.recover()] == ["done"]


def test_a_photo_that_was_renamed_is_not_waited_for_in_a_folder_that_is_empty_now(
    books: Books, tmp_path: Path
) -> None:
    """Killed before the row was closed, the disk got another number, and somebody has moved the
    photo on: as the place where it was filed can be looked at, its disk is there."""
    folder = make_tree(tmp_path / "inbox", {"new": PHOTO}) / "new"
    wanted = plan(folder / "a.jpg", Sort(destination=str(tmp_path)))
    (step,) = map(prepare, next(steps_of(wanted)))
    assert step.photo is not None
    elsewhere = replace(step, photo=replace(step.photo, file_id="1:1"))
    books.journal.begin(wanted, [elsewhere], None)
    books.journal.made_folders([os.fsencode(step.target.parent)])
    step.target.parent.mkdir()
    step.source.rename(step.target)  # killed here
    step.target.rename(tmp_path / "my favourite.jpg")
    assert [row.state for row in books.filing.recover()] == ["failed"]


def test_a_copy_is_known_after_a_power_cut_whatever_has_its_photos_name_by_now(
    books: Books, inbox: Path
) -> None:
    """Its disk has another number, and to FAT, which counts in two seconds, a photo of the same
    size that was put in the place of the first one looks the same."""
    entry, (step,) = begun(books, inbox / "a.jpg")
    shutil.copy2(step.source, step.target)
    arrived = Photo.at(step.target)
    books.journal.arrived(entry, "do", 0, replace(arrived, file_id=f"1:{arrived.number}"))
    step.source.write_text("other")  # killed before this was removed, and it is another one now
    os.utime(step.source, ns=(arrived.mtime_ns, arrived.mtime_ns))
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert read_tree(inbox) == {"a.jpg": "other", "grizzly": {"a.jpg": "photo"}}


def test_a_photo_is_known_after_a_power_cut_whatever_has_its_old_name_by_now(
    books: Books, inbox: Path
) -> None:
    """As the copy above; this one was renamed on its own disk."""
    wanted = plan(inbox / "a.jpg")
    (step,) = map(prepare, next(steps_of(wanted)))
    photo = wanted.photo
    elsewhere = replace(step, photo=replace(photo, file_id=f"1:{photo.number}"))
    books.journal.begin(wanted, [elsewhere], None)
    step.target.parent.mkdir()
    step.source.rename(step.target)  # killed before the row was closed
    step.source.write_text("other")
    os.utime(step.source, ns=(photo.mtime_ns, photo.mtime_ns))
    assert [row.state for row in books.filing.recover()] == ["done"]
    assert read_tree(inbox) == {"a.jpg": "other", "grizzly": {"a.jpg": "photo"}}


def test_a_folder_that_undo_has_removed_is_not_on_a_disk_that_is_away(
    books: Books, inbox: Path
) -> None:
    """After a restart disks may have other numbers."""
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    back = prepare(Step("move", entry.destination, entry.path, Photo.at(entry.destination)))
    assert back.photo is not None
    elsewhere = replace(back, photo=replace(back.photo, file_id="1:1"))
    begin_undo(books, entry, [elsewhere])
    entry.destination.rename(entry.path)
    entry.destination.parent.rmdir()  # killed here
    assert [row.state for row in books.filing.recover()] == ["undone"]


def test_a_folder_that_recovery_has_removed_is_not_on_a_disk_that_is_away(
    books: Books, inbox: Path
) -> None:
    """With the first of two photos that were on their way back from it."""
    make_tree(inbox, {"b.jpg": "second"})
    for entry in [books.filing.file(plan(inbox / name), None) for name in ("a.jpg", "b.jpg")]:
        back = prepare(Step("move", entry.destination, entry.path, Photo.at(entry.destination)))
        assert back.photo is not None
        elsewhere = replace(back, photo=replace(back.photo, file_id="1:1"))
        begin_undo(books, entry, [elsewhere])
        entry.destination.rename(entry.path)
        books.journal.arrived(entry, "undo", 0, Photo.at(entry.path))  # killed here
    assert [row.state for row in books.filing.recover()] == ["undone", "undone"]


def test_a_copy_on_a_stick_is_not_gone_because_the_stick_is(
    books: Books, inbox: Path, stick: Path, other_disk: Path
) -> None:
    sort = Sort(action="copy", destination=str(stick))
    entry = books.filing.file(plan(inbox / "a.jpg", sort), None)
    steps = place_back(books, entry)
    begin_undo(books, entry, steps)  # killed here
    stick.unlink()
    assert books.filing.recover() == []
    plug_in(stick, other_disk)
    assert [row.state for row in books.filing.recover()] == ["done"]


def test_a_copy_that_was_taken_back_does_not_count_as_filed_for_another_file_of_its_name(
    books: Books, inbox: Path
) -> None:
    make_tree(inbox, {"a.jpg.xmp": "stars"})
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="copy")), None)
    steps = place_back(books, entry)
    begin_undo(books, entry, steps)
    entry.destination.unlink()  # killed here
    steps[1].target.rename(entry.destination)
    assert [row.state for row in books.filing.recover()] == ["undone"]
    assert read_tree(inbox) == {**PHOTO, "a.jpg.xmp": "stars", "grizzly": {"a.jpg": "stars"}}


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_a_disk_that_fails_once_all_is_done_leaves_the_row_to_recovery(
    books: Books, inbox: Path, monkeypatch: pytest.MonkeyPatch, action: Any
) -> None:
    fail_once(monkeypatch, filing, "look", errno.EIO)
    with pytest.raises(HalfDoneError, match="looks again soon"):
        books.filing.file(plan(inbox / "a.jpg", Sort(action=action)), None)
    (filed,) = books.filing.recover()
    assert filed.state == "done"
    fail_once(monkeypatch, filing, "look", errno.EIO)
    with pytest.raises(HalfDoneError, match="looks again soon"):
        books.filing.undo(filed)
    assert [entry.state for entry in books.filing.recover()] == ["undone"]
    assert read_tree(inbox) == PHOTO


def test_the_next_photo_of_a_stem_does_not_take_a_sidecar_that_is_on_its_way(
    books: Books, inbox: Path, other_disks: None
) -> None:
    """Copied with its own photo to another disk, and killed before it went from the first."""
    make_tree(inbox, {"a.aae": "edits"})
    entry, (photo, sidecar) = begun(books, inbox / "a.jpg")
    shutil.copy2(photo.source, photo.target)
    photo.source.unlink()
    shutil.copy2(sidecar.source, sidecar.target)
    for position, step in enumerate((photo, sidecar)):
        books.journal.arrived(entry, "do", position, Photo.at(step.target))  # killed here
    make_tree(inbox, {"a.jpeg": "the next"})
    books.filing.file(plan(inbox / "a.jpeg"), None)
    assert read_tree(inbox) == {"grizzly": {**PHOTO, "a.aae": "edits", "a.jpeg": "the next"}}


def test_a_photo_that_another_process_is_at_work_on_is_left_to_it(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    with open_books(tmp_path, owner="other", is_gone=lambda _: False) as other:
        begun(other, inbox / "a.jpg")
    held = open_books(tmp_path, is_gone=lambda _: False)
    with held as mine, pytest.raises(PlaceError, match="being filed just now"):
        mine.filing.file(plan(inbox / "a.jpg"), None)


def test_what_a_killed_process_left_is_settled_by_one_other(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app and `beartray undo`, started together: what is taken back does not count as filed."""
    entry, (step,) = begun(books, inbox / "a.jpg")
    step.source.rename(step.target)  # killed here
    sync, is_gone = disk.Folder.sync, lambda name: name == "test"
    with (
        open_books(tmp_path, "app", is_gone) as app,
        open_books(tmp_path, "undo", is_gone) as undo,
    ):

        def meanwhile(folder: disk.Folder) -> None:
            monkeypatch.setattr(disk.Folder, "sync", sync)
            undo.filing.recover()
            with suppress(UndoError):
                undo.filing.undo(undo.journal.entry(entry.id))
            sync(folder)

        monkeypatch.setattr(disk.Folder, "sync", meanwhile)
        app.filing.recover()
    assert books.journal.entry(entry.id).state == "done"
    assert read_tree(inbox) == {"grizzly": {"a.jpg": "photo"}}


def test_a_copy_on_the_photos_own_disk_is_not_gone_because_the_disk_is(
    books: Books, inbox: Path, tmp_path: Path
) -> None:
    entry, (step,) = begun(books, inbox / "a.jpg", Sort(action="copy"))

    def note(copied: Step) -> None:
        assert copied.arrived is not None
        books.journal.arrived(entry, "do", 0, copied.arrived)

    place.carry_out(step, note)  # killed here
    inbox.rename(tmp_path / "away")
    inbox.mkdir()  # the empty mount point
    assert books.filing.recover() == []
    inbox.rmdir()
    (tmp_path / "away").rename(inbox)
    assert [row.state for row in books.filing.recover()] == ["done"]


def test_a_disk_that_is_pulled_out_while_a_row_is_settled_is_waited_for(
    books: Books, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was not synced may be undone when it is back."""
    _, (step,) = begun(books, inbox / "a.jpg")
    step.source.rename(step.target)  # killed here
    stand, fsync, folder = place.stand, os.fsync, step.target.parent
    looks, number = iter((False, True)), folder.stat().st_ino

    def pulled_out(asked: Step) -> place.Stand:
        found = stand(asked)
        if next(looks):
            folder.rename(tmp_path / "away")
        return found

    def fail_if_away(descriptor: int) -> None:
        if os.fstat(descriptor).st_ino == number and not folder.exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(place, "stand", pulled_out)
    monkeypatch.setattr(os, "fsync", fail_if_away)
    assert books.filing.recover() == []
    monkeypatch.undo()
    (tmp_path / "away").rename(folder)
    assert [row.state for row in books.filing.recover()] == ["done"]


def test_a_photo_that_was_renamed_before_it_was_removed_lies_there_once(
    books: Books, inbox: Path, other_disks: None
) -> None:
    """Killed, or its disk pulled out, between the copy on the other disk and the removal."""
    entry, (step,) = begun(books, inbox / "a.jpg")
    shutil.copy2(step.source, step.target)
    books.journal.arrived(entry, "do", 0, Photo.at(step.target))  # killed here
    step.source.rename(inbox / "b.jpg")
    assert [row.state for row in books.filing.recover()] == ["failed"]
    assert read_tree(inbox) == {"b.jpg": "photo", "grizzly": {}}


def test_a_copy_that_was_never_made_is_not_another_one_of_that_name(
    books: Books, inbox: Path
) -> None:
    """Two rows would call it theirs, and taking back the wrong one ended in an internal error."""
    entry, (step,) = begun(books, inbox / "a.jpg", Sort(action="copy"))  # killed here
    shutil.copy2(step.source, step.target)
    assert [row.state for row in books.filing.recover()] == ["failed"]
    with pytest.raises(UndoError, match="never filed"):
        books.filing.undo(books.journal.entry(entry.id))
    assert read_tree(inbox) == {"a.jpg": "photo", "grizzly": {"a.jpg": "photo"}}


def test_tags_of_a_photo_that_was_taken_away_need_not_be_taken_back(
    books: Books, inbox: Path
) -> None:
    entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
    steps = [prepare(step) for step in place_back(books, entry)]
    begin_undo(books, entry, steps)
    (inbox / "a.jpg").rename(inbox / "b.jpg")
    (settled,) = books.filing.recover()
    assert settled.state in ("undone", "done")


def begin_undo(books: Books, entry: Entry, steps: Sequence[Step]) -> None:
    books.journal.begin_undo(entry, books.journal.steps(entry, "do"), steps)


def place_back(books: Books, entry: Entry) -> tuple[Step, ...]:
    return inverse(books.journal.steps(entry, "do"))
