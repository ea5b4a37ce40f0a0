"""A person says what a photo is: it goes to its place, and undo takes it back."""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from tests.books import Books, open_books
from tests.helpers import names
from trayapp import database, place, tags
from trayapp.app.reviewing import Reviewing
from trayapp.audit import audit
from trayapp.correct import Correct, Rules
from trayapp.corrections import Corrections
from trayapp.database import Database
from trayapp.decide import decide
from trayapp.files import sha256
from trayapp.paths import Paths
from trayapp.photo import BeartrayError, Entry, Photo, Verdict
from trayapp.settings import Sort
from trayapp.settings_file import SettingsFile
from trayapp.steps import Step

LABELS = ("black", "grizzly", "teddy")
JUNE = datetime(2024, 6, 1)  # noqa: DTZ001 (a camera knows no zone)


class Bench:
    """A folder of photos, its books, and rules that a test may change."""

    def __init__(self, folder: Path, books: Books) -> None:
        self.folder, self.root, self.books, self.sort = folder, folder, books, Sort()
        database = books.journal._database
        self.corrections = Corrections(database)
        self.correct = Correct(
            *(database, books.journal, books.filing),
            rules=lambda: Rules(self.sort, self.root, LABELS),
            taken=lambda _: JUNE,
        )

    def photo(self, name: str = "a.jpg") -> Photo:
        (self.folder / name).write_bytes(f"photo {name}".encode())
        return Photo.at(self.folder / name)

    def file(self, photo: Photo, label: str = "grizzly") -> Entry:
        verdict = Verdict(label, 0.9, {"grizzly": 0.9, "teddy": 0.1}, model="bears")
        plan = decide(photo, verdict, self.sort, self.folder)
        assert plan is not None
        return self.books.filing.file(plan, None)

    def undo(self, entry: Entry) -> None:
        self.books.filing.undo(self.books.journal.entry(entry.id))

    def said(self) -> list[tuple[str | None, str | None]]:
        return [(found.was, found.label) for found in self.corrections.all()]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    folder = tmp_path / "photos"
    folder.mkdir()
    with open_books(tmp_path) as books:
        yield Bench(folder, books)


def test_a_photo_counts_once_as_what_it_is_now(bench: Bench) -> None:
    journal, filed = bench.books.journal, bench.file(bench.photo())
    other = bench.file(bench.photo("b.jpg"))
    once = bench.correct(filed.id, "teddy")
    assert journal.labels_filed(0) == {"grizzly": 1, "teddy": 1}
    again = bench.correct(once.id, "black")
    assert journal.labels_filed(0) == {"black": 1, "grizzly": 1}
    assert [entry.id for entry in journal.filed(once=True)] == [again.id, other.id]
    bench.undo(again)
    assert journal.labels_filed(0) == {"grizzly": 1, "teddy": 1}
    bench.undo(once)
    assert journal.labels_filed(0) == {"grizzly": 2}
    assert [entry.id for entry in journal.filed(once=True)] == [other.id, filed.id]


def test_a_wrong_one_moves_with_its_sidecar_and_comes_back(bench: Bench) -> None:
    photo = bench.photo()
    (bench.folder / "a.jpg.xmp").write_text("mine")
    filed = bench.file(photo)
    right = bench.correct(filed.id, "teddy")
    assert names(bench.folder) == {"teddy/a.jpg", "teddy/a.jpg.xmp"}
    assert (right.label, right.confidence, right.state) == ("teddy", None, "done")
    (found,) = bench.corrections.all()
    assert (found.was, found.label, found.model) == ("grizzly", "teddy", "bears")
    assert found.path == bench.folder / "teddy" / "a.jpg"
    assert found.sha256 == sha256(found.path)
    bench.undo(right)
    assert names(bench.folder) == {"grizzly/a.jpg", "grizzly/a.jpg.xmp"}
    assert bench.said() == []
    bench.undo(filed)
    assert names(bench.folder) == {"a.jpg", "a.jpg.xmp"}


def test_put_right_twice_the_model_was_wrong_only_once(bench: Bench) -> None:
    filed = bench.file(bench.photo())
    once = bench.correct(filed.id, "black")
    twice = bench.correct(once.id, "teddy")
    assert names(bench.folder) == {"teddy/a.jpg"}
    assert bench.said() == [("grizzly", "teddy")]
    bench.undo(twice)
    assert names(bench.folder) == {"black/a.jpg"}
    assert bench.said() == [("grizzly", "black")]


@pytest.mark.parametrize(
    ("action", "unsure", "tree", "back"),
    [
        ("move", "leave", {"a.jpg"}, {"grizzly/a.jpg"}),
        ("move", "folder", {"unsure/a.jpg"}, {"grizzly/a.jpg"}),
        ("copy", "leave", {"a.jpg", "unsure/a.jpg"}, {"a.jpg", "grizzly/a.jpg"}),
    ],
)
def test_none_of_these_goes_where_such_photos_go(
    bench: Bench, action: Any, unsure: Any, tree: set[str], back: set[str]
) -> None:
    bench.sort = Sort(action=action, unsure=unsure)
    filed = bench.file(bench.photo())
    none = bench.correct(filed.id, None)
    assert names(bench.folder) == tree
    assert bench.books.notes.noted(Photo.at(none.destination)) == "unsure"
    assert bench.said() == [("grizzly", None)]
    bench.undo(none)
    assert names(bench.folder) == back


def test_a_copy_is_moved_and_its_original_stays(bench: Bench) -> None:
    bench.sort = Sort(action="copy")
    filed = bench.file(bench.photo())
    right = bench.correct(filed.id, "teddy")
    assert names(bench.folder) == {"a.jpg", "teddy/a.jpg"}
    bench.undo(right)
    bench.undo(filed)
    assert names(bench.folder) == {"a.jpg"}


def test_none_of_these_puts_no_copy_beside_a_photo_that_was_not_recognised(bench: Bench) -> None:
    """Put right it was copied; the copy was put back as "a (2).jpg", beside the photo itself."""
    bench.sort, photo = Sort("copy"), bench.photo()
    bench.books.notes.leave(photo, Verdict(None, 0.4, {}, "unsure"))
    (id_,) = _left(bench)
    done = [bench.correct(id_, "teddy")]
    trees = [{"a.jpg", "teddy/a.jpg"}, {"a.jpg", "black/a.jpg"}, {"a.jpg", "unsure/a.jpg"}]
    for label in ("black", None):
        done.append(bench.correct(done[-1].id, label))
    assert Photo.at(photo.path).is_same_file(photo)
    for entry, tree in zip(reversed(done), reversed(trees), strict=True):
        assert names(bench.folder) == tree
        bench.undo(entry)
    assert names(bench.folder) == {"a.jpg"} and _left(bench) == [id_]


def test_tags_are_replaced_not_added_to(bench: Bench) -> None:
    bench.sort = Sort(action="tag")
    photo = bench.photo()
    sidecar = bench.folder / "a.jpg.xmp"
    sidecar.write_bytes(before := tags.merge_xmp(None, ["river"]))
    filed = bench.file(photo)
    assert b"grizzly" in sidecar.read_bytes()
    right = bench.correct(filed.id, "teddy")
    again = bench.correct(right.id, "black")
    text = sidecar.read_bytes()
    assert b"river" in text and b"black" in text
    assert b"grizzly" not in text and b"teddy" not in text
    none = bench.correct(again.id, None)
    assert sidecar.read_bytes() == before
    for entry in (none, again, right):
        bench.undo(entry)
    assert b"grizzly" in sidecar.read_bytes()
    bench.undo(filed)
    assert sidecar.read_bytes() == before and names(bench.folder) == {"a.jpg", "a.jpg.xmp"}


def test_a_photo_that_was_not_recognised_gets_its_label(bench: Bench) -> None:
    photo = bench.photo()
    bench.books.notes.leave(photo, Verdict(None, 0.4, {"teddy": 0.4}, "unsure", model="bears"))
    (id_,) = _left(bench)
    right = bench.correct(id_, "teddy")
    bench.books.notes.forget(photo.path)  # the folder's watcher tells that it went away
    assert names(bench.folder) == {"teddy/a.jpg"}
    assert bench.said() == [(None, "teddy")]
    assert bench.books.journal.history() == [right]
    bench.undo(right)
    assert names(bench.folder) == {"a.jpg"} and _left(bench) == [id_]


def test_what_is_no_longer_there_is_not_listed(bench: Bench) -> None:
    photo = bench.photo()
    for confidence in (0.4, 0.5):  # looked at twice: it was edited
        bench.books.notes.leave(photo, Verdict(None, confidence, {}, "unsure"))
    assert len(_left(bench)) == 1
    bench.books.notes.forget(photo.path)
    assert _left(bench) == []
    bench.books.notes.leave(photo, Verdict(None, 0.5, {}, "unsure"))
    bench.file(photo)
    assert _left(bench) == []


def test_a_folder_that_says_nothing_of_the_label_stays_and_the_journal_knows(bench: Bench) -> None:
    bench.sort = Sort(subfolder="{year}")
    filed = bench.file(bench.photo())
    once = bench.correct(filed.id, "teddy")
    place = bench.folder / "2024" / "a.jpg"
    assert place.exists()
    again = bench.correct(once.id, "black")
    assert names(bench.folder) == {"2024/a.jpg"}
    assert tags.read_system_tags(place) is None
    assert bench.said() == [("grizzly", "black")]
    bench.undo(again)
    assert bench.said() == [("grizzly", "teddy")]


@pytest.mark.parametrize(
    ("label", "spoil", "words"),
    [
        ("grizzly", lambda _: None, "is a grizzly already"),
        ("panda", lambda _: None, "no label 'panda'"),
        ("teddy", lambda path: path.write_text("another"), "has changed since"),
        ("teddy", lambda path: path.unlink(), "no longer there"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_changes(
    bench: Bench, label: str, spoil: Callable[[Path], None], words: str
) -> None:
    filed = bench.file(bench.photo())
    spoil(filed.destination)
    before = names(bench.folder)
    with pytest.raises(BeartrayError, match=words):
        bench.correct(filed.id, label)
    assert names(bench.folder) == before
    assert [entry.id for entry in bench.books.journal.history()] == [filed.id]


def test_one_that_was_taken_back_is_not_put_right(bench: Bench) -> None:
    filed = bench.file(bench.photo())
    bench.undo(filed)
    with pytest.raises(BeartrayError, match="not where it was filed any more"):
        bench.correct(filed.id, "teddy")


def test_a_journal_of_the_first_version_learns_of_what_was_not_recognised(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    old = sqlite3.connect(file)
    old.executescript(database.SCHEMA)
    old.execute("INSERT INTO notes VALUES (x'2f61', 1, 1, '1:1', 'unsure', 7.0)")
    old.execute(
        "INSERT INTO entries (time, batch, action, path, destination, label, confidence, state,"
        " owner) VALUES (1, 1, 'move', x'2f61', x'2f62', 'teddy', 1, 'done', '')"
    )
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()
    for _ in range(2):
        new = Database(file)
        with new.reading() as db:
            rows = db.execute("SELECT path, state, label, scores FROM entries ORDER BY id")
            assert rows.fetchall() == [(b"/a", "done", "teddy", None), (b"/a", "left", None, None)]
        new.close()


def test_one_that_was_looked_at_again_before_its_row_was_settled_is_not_listed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before it was gone from its card, which came back after the next start."""
    photo, unsure = bench.photo(), Verdict(None, 0.4, {}, "unsure")
    bench.books.notes.leave(photo, unsure)
    (id_,) = _left(bench)
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(bench.books.journal, "finish", Mock(side_effect=KeyboardInterrupt))
        bench.correct(id_, "teddy")
    bench.books.notes.forget(photo.path)
    bench.books.notes.leave(photo, unsure)
    bench.books.filing.recover()
    assert _left(bench) == [id_], "it is kept to come back to"
    assert names(bench.folder) == {"teddy/a.jpg"}


def test_the_next_photo_at_the_place_of_one_put_to_none_of_these_is_a_new_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed before the row was closed; meanwhile somebody has given the first one another name."""
    filed = bench.file(bench.photo())
    with monkeypatch.context() as killed, pytest.raises(KeyboardInterrupt):
        killed.setattr(bench.books.journal, "finish", Mock(side_effect=KeyboardInterrupt))
        bench.correct(filed.id, None)
    (bench.folder / "a.jpg").rename(bench.folder / "my favourite.jpg")
    (bench.folder / "a.jpg").write_bytes(b"the next one")
    bench.books.filing.recover()
    assert bench.books.notes.noted(Photo.at(bench.folder / "a.jpg")) is None


def test_one_that_was_not_recognised_is_listed_under_its_new_name(bench: Bench) -> None:
    photo = bench.photo()
    bench.books.notes.leave(photo, Verdict(None, 0.4, {}, "unsure"))
    listed = _left(bench)
    photo.path.rename(bench.folder / "b.jpg")
    assert bench.books.notes.noted(Photo.at(bench.folder / "b.jpg")) == "unsure"
    assert _left(bench) == listed
    assert bench.books.journal.entry(listed[0]).place == bench.folder / "b.jpg"
    (bench.folder / "b.jpg").unlink()
    bench.books.notes.forget_vanished(bench.folder, "unsure")
    assert _left(bench) == []


@pytest.mark.parametrize(("action", "label"), [("tag", "grizzly"), ("tag", None), ("copy", None)])
def test_a_photo_that_could_not_be_put_right_is_not_taken_for_a_new_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, action: Any, label: str | None
) -> None:
    bench.sort, photo = Sort(action=action), bench.photo()
    if label is None:
        bench.books.notes.leave(photo, Verdict(None, 0.4, {}, "unsure"))
        (id_,) = _left(bench)
    else:
        id_ = bench.file(photo, label).id
    before, known = names(bench.folder), bench.books.notes.noted(photo)

    def full(step: Step, arrived: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(step.target))

    with monkeypatch.context() as patch:
        patch.setattr(place, "carry_out", full)
        with pytest.raises(BeartrayError, match="stays in place"):
            bench.correct(id_, "teddy")
    assert names(bench.folder) == before
    assert bench.books.notes.noted(photo) == known
    assert bench.correct(id_, "teddy").state == "done", "there is room again"


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_the_journal_and_the_disk_agree_whatever_was_put_right(
    bench: Bench, tmp_path: Path, action: Any
) -> None:
    def told() -> set[str]:
        return {one.kind for one in audit(tmp_path / "books" / "journal.sqlite", lambda _: False)}

    bench.sort = Sort(action=action)
    bench.books.notes.leave(bench.photo("left.jpg"), Verdict(None, 0.4, {}, "unsure"))
    (left,) = _left(bench)
    filed = bench.file(bench.photo())
    once = bench.correct(filed.id, "teddy")
    again = bench.correct(once.id, None)
    found = bench.correct(left, "black")
    assert told() <= {"ok", "filed again"}
    for entry in (found, again, once, filed):
        bench.undo(entry)
        assert told() <= {"ok", "filed again"}


def test_a_copy_that_came_back_is_not_taken_for_one_left_behind(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put right, copied once more, as `sort` used to, and all but the first taken back: to that
    the copy belongs."""
    bench.sort, photo = Sort("copy"), bench.photo()
    right = bench.correct(bench.file(photo).id, "teddy")
    monkeypatch.setattr(bench.books.filing, "_refuse_second_copy", lambda *_: None)
    again = bench.file(photo)
    for entry in (again, right):
        bench.undo(entry)
    assert names(bench.folder) == {"a.jpg", "grizzly/a.jpg"}
    found = audit(tmp_path / "books" / "journal.sqlite", lambda _: False)
    assert {finding.kind for finding in found} <= {"ok", "filed again"}


def test_what_is_being_put_right_is_not_taken_for_left_half_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page works on threads of its own, beside the one that files and recovers."""
    filed, carry_out = bench.file(bench.photo()), place.carry_out
    settled: list[Entry] = []

    def recover() -> None:
        settled.extend(bench.books.filing.recover())

    def slowly(step: Step, arrived: place.Arrived) -> None:
        other = threading.Thread(target=recover)
        other.start()
        other.join()
        carry_out(step, arrived)

    with monkeypatch.context() as patch:
        patch.setattr(place, "carry_out", slowly)
        right = bench.correct(filed.id, "teddy")
        bench.undo(right)
    assert settled == []
    assert names(bench.folder) == {"grizzly/a.jpg"}
    assert bench.books.filing.recover() == []


@pytest.mark.parametrize(
    ("sort", "label"),
    [
        *[(Sort(), "teddy"), (Sort("copy"), "teddy"), (Sort(subfolder="{year}"), "teddy")],
        *[(Sort("tag"), "teddy"), (Sort("tag"), None)],
    ],
)
def test_what_was_put_right_is_taken_back_before_its_filing(
    bench: Bench, sort: Sort, label: str | None
) -> None:
    bench.sort = sort
    filed = bench.file(bench.photo())
    right = bench.correct(filed.id, label)
    before = names(bench.folder)
    with pytest.raises(BeartrayError, match=rf"put right since; .* \(entry {right.id}\)"):
        bench.undo(filed)
    assert names(bench.folder) == before and bench.said() == [("grizzly", label)]
    bench.undo(right)
    bench.undo(filed)
    assert names(bench.folder) == {"a.jpg"}


def test_put_right_to_where_it_was_first_it_is_still_taken_back_in_order(bench: Bench) -> None:
    """The simulator found that the filing was taken back, and the corrections were not."""
    filed = bench.file(bench.photo())
    none = bench.correct(filed.id, None)
    again = bench.correct(none.id, "grizzly")
    assert names(bench.folder) == {"grizzly/a.jpg"}
    with pytest.raises(BeartrayError, match="put right since"):
        bench.undo(filed)
    for entry in (again, none, filed):
        bench.undo(entry)
    assert names(bench.folder) == {"a.jpg"}


@pytest.mark.parametrize("subfolder", ["{label}", "{year}/{label}", "of {label}"])
@pytest.mark.parametrize("action", ["move", "copy"])
def test_a_photo_stays_among_the_class_folders_where_it_was_filed(
    bench: Bench, tmp_path: Path, subfolder: str, action: Any
) -> None:
    """Also when another folder is watched since; it went to class folders in that."""
    bench.sort, photo = Sort(action, subfolder=subfolder, unsure="folder"), bench.photo()
    os.utime(photo.path, (JUNE.timestamp(), JUNE.timestamp()))
    entry = bench.file(Photo.at(photo.path))
    bench.root = tmp_path / "another"
    copied = {"a.jpg"} if action == "copy" else set()
    for label in ("teddy", None, "black"):
        entry = bench.correct(entry.id, label)
        folder = "unsure" if label is None else subfolder.format(label=label, year="2024")
        assert names(bench.folder) == {f"{folder}/a.jpg", *copied}
    assert not bench.root.exists()


@pytest.mark.parametrize("destination", ["", "sorted"])
def test_one_that_was_not_recognised_goes_to_a_class_folder_beside_it(
    bench: Bench, tmp_path: Path, destination: str
) -> None:
    bench.sort, photo = Sort(destination=destination), bench.photo()
    bench.books.notes.leave(photo, Verdict(None, 0.4, {}, "unsure"))
    (id_,) = _left(bench)
    bench.root = tmp_path / "another"
    right = bench.correct(id_, "teddy")
    assert names(bench.folder / destination) == {"teddy/a.jpg"}
    none = bench.correct(right.id, None)
    assert names(bench.folder) == {"a.jpg"}
    bench.correct(none.id, "black")
    assert names(bench.folder / destination) == {"black/a.jpg"}


def test_a_photo_gets_back_the_name_that_it_came_with(bench: Bench) -> None:
    bench.file(bench.photo())
    second = bench.photo()
    (bench.folder / "a.jpg.xmp").write_text("mine")
    filed = bench.file(second)
    assert names(bench.folder / "grizzly") == {"a.jpg", "a (2).jpg", "a (2).jpg.xmp"}
    right = bench.correct(filed.id, "teddy")
    assert names(bench.folder / "teddy") == {"a.jpg", "a.jpg.xmp"}
    back = bench.correct(right.id, "grizzly")
    assert names(bench.folder) == {"grizzly/a.jpg", "grizzly/a (2).jpg", "grizzly/a (2).jpg.xmp"}
    bench.undo(back)
    assert names(bench.folder / "teddy") == {"a.jpg", "a.jpg.xmp"}


@pytest.mark.parametrize("subfolder", ["{label}", "{label}/{year}"])
def test_back_and_forth_and_all_the_way_back(bench: Bench, subfolder: str) -> None:
    """The simulator found that undo removed a folder, empty, to which the next undo had to go."""
    bench.sort = Sort(subfolder=subfolder)
    done = [bench.file(bench.photo())]
    for label in ("teddy", "grizzly", "teddy", "black"):
        done.append(bench.correct(done[-1].id, label))
    for entry in reversed(done):
        bench.undo(entry)
    assert [path.name for path in bench.folder.rglob("*")] == ["a.jpg"]


def test_a_slip_that_was_put_right_again_is_no_mistake_of_the_model(bench: Bench) -> None:
    slip = bench.correct(bench.file(bench.photo()).id, "teddy")
    again = bench.correct(slip.id, "grizzly")
    assert bench.said() == []
    bench.undo(again)
    assert bench.said() == [("grizzly", "teddy")]


def test_without_settings_nobody_knows_where_it_belongs(bench: Bench, tmp_path: Path) -> None:
    """The simulator found that it went below the folder of the defaults."""
    paths = Paths.from_environment({"BEARTRAY_HOME": str(tmp_path)})
    paths.settings_file.write_text("[sort")
    live = Mock(
        database=bench.books.journal._database,
        journal=bench.books.journal,
        filing=bench.books.filing,
        settings_file=SettingsFile(paths.settings_file),
    )
    filed = bench.file(bench.photo())
    with pytest.raises(BeartrayError, match="settings cannot be read"):
        Reviewing(live, paths, pytest.fail)._put_right(filed.id, "teddy")
    assert names(bench.folder) == {"grizzly/a.jpg"}


def test_an_old_page_does_not_put_a_photo_right_twice(bench: Bench) -> None:
    bench.sort, photo = Sort("copy"), bench.photo()
    bench.books.notes.leave(photo, Verdict(None, 0.4, {}, "unsure"))
    (id_,) = _left(bench)
    bench.correct(id_, "teddy")
    with pytest.raises(BeartrayError, match="was put right already; reload the page"):
        bench.correct(id_, "black")
    assert names(bench.folder) == {"a.jpg", "teddy/a.jpg"}


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_of_two_pages_one_puts_it_right(bench: Bench, action: Any) -> None:
    bench.sort = Sort(action, subfolder="{year}")
    bench.books.notes.leave(bench.photo(), Verdict(None, 0.4, {}, "unsure"))
    (id_,) = _left(bench)

    def other_page_is_quicker(_: Path) -> datetime:
        bench.correct._taken = lambda _: JUNE
        bench.correct(id_, "teddy")
        return JUNE

    bench.correct._taken = other_page_is_quicker
    with pytest.raises(BeartrayError):
        bench.correct(id_, "black")
    assert bench.said() == [(None, "teddy")]
    assert len(bench.books.journal.filed()) == 1


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_one_that_is_taken_back_this_moment_is_not_put_right(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Any
) -> None:
    """With `beartray undo`, after the page has looked: no row is begun of a photo that is gone."""
    bench.sort = Sort(action)
    filed, begin = bench.file(bench.photo()), bench.books.journal.begin
    with open_books(tmp_path, "other") as other:

        def undo_is_quicker(*arguments: Any) -> Entry:
            other.filing.undo(filed)
            return begin(*arguments)

        monkeypatch.setattr(bench.books.journal, "begin", undo_is_quicker)
        with pytest.raises(BeartrayError, match="taken back just now; reload the page"):
            bench.correct(filed.id, "teddy")
    assert names(bench.folder) == {"a.jpg"}
    assert [entry.state for entry in bench.books.journal.history()] == ["undone"]


@pytest.mark.parametrize("action", ["move", "copy", "tag"])
def test_taken_back_it_is_as_known_as_before(bench: Bench, action: Any) -> None:
    """The tray counts it among those not recognised again, and the page shows it until it goes."""
    bench.sort, photo = Sort(action), bench.photo()
    bench.books.notes.leave(photo, Verdict(None, 0.4, {}, "unsure"))
    (id_,) = _left(bench)
    bench.undo(bench.correct(id_, "teddy"))
    assert bench.books.notes.count_unsure(bench.folder) == 1
    photo.path.rename(bench.folder / "b.jpg")
    assert bench.books.notes.noted(Photo.at(bench.folder / "b.jpg")) == "unsure"
    assert bench.books.journal.entry(id_).place == bench.folder / "b.jpg"
    bench.books.notes.forget(bench.folder / "b.jpg")
    assert _left(bench) == []


def test_taken_back_it_says_nothing_of_the_next_photo_of_its_name(bench: Bench) -> None:
    bench.sort, photo = Sort("tag"), bench.photo()
    bench.books.notes.leave(photo, Verdict(None, 0.4, {}, "unsure"))
    (id_,) = _left(bench)
    once = bench.correct(id_, "teddy")
    photo.path.unlink()
    photo.path.write_bytes(b"the next one")
    bench.undo(bench.file(next_one := Photo.at(photo.path)))
    bench.undo(once)
    assert bench.books.notes.noted(next_one) == "undone"


def test_of_a_filed_one_the_correction_alone_is_forgotten(bench: Bench) -> None:
    filed = bench.file(bench.photo())
    bench.undo(bench.correct(filed.id, "teddy"))
    assert bench.books.notes.noted(Photo.at(filed.destination)) == "filed"


@pytest.mark.parametrize("sort", [Sort(), Sort(subfolder="{year}")])
def test_a_late_sidecar_finds_the_photo_where_it_was_put_right(bench: Bench, sort: Sort) -> None:
    bench.sort = sort
    filed = bench.file(bench.photo())
    once = bench.correct(filed.id, "teddy")
    again = bench.correct(once.id, "black")
    sidecar = bench.folder / "a.xmp"
    sidecar.write_text("late")
    bench.books.filing.follow(sidecar)
    photo = bench.books.journal.entry(again.id).place
    assert names(bench.folder) == {
        name.relative_to(bench.folder).as_posix() for name in (photo, photo.with_suffix(".xmp"))
    }
    for entry in (again, once, filed):
        bench.undo(entry)
    assert names(bench.folder) == {"a.jpg", "a.xmp"}


def test_a_sidecar_where_the_photo_was_put_back_to_stays(bench: Bench) -> None:
    """The simulator found that it was taken for one that is there twice, and removed."""
    bench.correct(bench.file(bench.photo()).id, None)
    assert names(bench.folder) == {"a.jpg"}
    (bench.folder / "a.jpg").unlink()
    sidecar = bench.folder / "a.xmp"
    sidecar.write_text("of another photo")
    bench.books.filing.follow(sidecar)
    assert names(bench.folder) == {"a.xmp"}


def _left(bench: Bench) -> list[int]:
    with bench.books.journal._database.reading() as db:
        rows = db.execute("SELECT id FROM entries WHERE state = 'left'").fetchall()
    return [id_ for (id_,) in rows]
