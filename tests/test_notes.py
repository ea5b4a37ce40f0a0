"""What Beartray remembers of photos that it has dealt with or has to leave alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.books import open_books
from tests.helpers import cannot_be_looked_at, make_tree
from trayapp.notes import Notes, Outcome
from trayapp.photo import Photo


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Notes]:
    with open_books(tmp_path) as books:
        yield books.notes


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "inbox", {"a.jpg": "a photo"}) / "a.jpg"


def test_a_new_photo_is_not_known(notes: Notes, path: Path) -> None:
    assert notes.noted(Photo.at(path)) is None


def test_a_photo_is_known_until_it_is_edited(notes: Notes, path: Path) -> None:
    notes.note([Photo.at(path)], "unsure")
    assert notes.noted(Photo.at(path)) == "unsure"
    path.write_text("an edited photo")
    assert notes.noted(Photo.at(path)) is None


@pytest.mark.parametrize("outcome", ["existing", "undone"])
def test_what_is_left_alone_stays_so_when_it_is_edited(
    notes: Notes, path: Path, outcome: Outcome
) -> None:
    notes.note([Photo.at(path)], outcome)
    for content in ("edited", "edited again"):
        path.write_text(content)
        assert notes.noted(Photo.at(path)) == outcome


@pytest.mark.parametrize("outcome", ["existing", "undone", "unsure", "unreadable", "filed"])
def test_a_photo_is_known_under_its_new_name(notes: Notes, path: Path, outcome: Outcome) -> None:
    notes.note([Photo.at(path)], outcome)
    renamed = path.rename(path.with_name("b.jpg"))
    assert notes.noted(Photo.at(renamed)) == outcome
    path.write_text("another photo with the old name")
    assert notes.noted(Photo.at(path)) is None


def test_a_copy_with_the_same_time_is_another_photo(notes: Notes, path: Path) -> None:
    notes.note([Photo.at(path)], "existing")
    copy = path.with_name("copy.jpg")
    copy.write_bytes(path.read_bytes())
    os.utime(copy, ns=(path.stat().st_mtime_ns,) * 2)
    assert notes.noted(Photo.at(copy)) is None


def test_other_file_ids_after_a_restart_of_the_machine(notes: Notes, path: Path) -> None:
    notes.note([Photo.at(path)], "existing")
    assert notes.noted(replace(Photo.at(path), file_id="99:99")) == "existing"


def test_a_photo_that_is_forgotten_is_new(notes: Notes, path: Path) -> None:
    notes.note([Photo.at(path)], "existing")
    notes.forget(path)
    assert notes.noted(Photo.at(path)) is None


def test_what_is_in_a_folder_when_it_is_chosen(notes: Notes, tmp_path: Path) -> None:
    root = make_tree(tmp_path / "inbox", {"old.jpg": "1", "filed.jpg": "2"})
    photos = [Photo.at(path) for path in sorted(root.iterdir())]
    notes.note(photos[:1], "filed")
    assert not notes.knows_root(root)
    notes.add_root(root, photos)
    assert notes.knows_root(root)
    assert notes.existing(root) == [root / "old.jpg"], "what was filed is not offered"
    assert notes.count_existing(root) == 1


@pytest.mark.parametrize("name", [b"in", b"in\xff\xfe", b"100%_", b"[a]", "bär 🐻".encode()])
def test_existing_photos_are_those_below_the_folder(
    notes: Notes, tmp_path: Path, name: bytes
) -> None:
    root = tmp_path / os.fsdecode(name)
    inside = [root / "a.jpg", root / "deep" / os.fsdecode(b"b\xff.jpg"), root / "\x7f"]
    beside = [
        tmp_path / os.fsdecode(name + ending) / "x.jpg" for ending in (b"x", b"!", b"\xff", b"0")
    ]
    for path in (*inside, *beside):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    notes.note([Photo.at(path) for path in (*inside, *beside)], "existing")
    assert sorted(notes.existing(root)) == sorted(inside)
    assert notes.count_existing(root) == len(inside)
    assert notes.count_existing(tmp_path) == len(inside) + len(beside)
    assert notes.count_existing(Path("/")) == len(inside) + len(beside)


def test_what_cannot_be_looked_at_has_not_vanished(notes: Notes, tmp_path: Path) -> None:
    """It was filed as a new one, as soon as its folder could be read again."""
    root = make_tree(tmp_path / "inbox", {"a.jpg": "a", "b.jpg": "b", "c.jpg": "c"})
    notes.add_root(root, [Photo.at(path) for path in root.iterdir()])
    (root / "b.jpg").unlink()
    with cannot_be_looked_at(root / "a.jpg"):
        notes.forget_vanished(root, "existing", unless_all=True)
    assert notes.existing(root) == [root / "a.jpg", root / "c.jpg"]


def test_what_vanished_is_forgotten_page_by_page(
    notes: Notes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trayapp.notes.PAGE", 3)
    root = make_tree(tmp_path / "inbox", {f"{n}.jpg": str(n) for n in range(10)})
    notes.add_root(root, [Photo.at(path) for path in root.iterdir()])
    for number in (0, 3, 4, 9):
        (root / f"{number}.jpg").unlink()
    notes.forget_vanished(root, "existing", unless_all=True)
    assert notes.existing(root) == [root / f"{n}.jpg" for n in (1, 2, 5, 6, 7, 8)]
    for path in root.iterdir():
        path.unlink()
    notes.forget_vanished(root, "existing", unless_all=True)
    assert notes.count_existing(root) == 6, "an empty mount point tells nothing"
    notes.forget_vanished(root, "existing")
    assert notes.count_existing(root) == 0
