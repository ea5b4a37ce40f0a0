"""The journal's file: what is refused in one line, and what two processes write at once."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
from pathlib import Path

import pytest

from tests.books import open_books, plan
from tests.helpers import make_tree, tiny_disk
from trayapp.database import VERSION, Database, JournalError

EACH = 40


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    with open_books(tmp_path):
        mode = (tmp_path / "books" / "journal.sqlite").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_what_was_written_is_there_in_the_next_process(tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "1", "b.jpg": "2"})
    with open_books(tmp_path) as books:
        first = books.filing.file(plan(inbox / "a.jpg"), None)
        second = books.filing.file(plan(inbox / "b.jpg", label="black"), first.batch)
    with open_books(tmp_path) as books:
        assert books.journal.history() == [second, first]
        assert books.journal.last_batch() == [second.id, first.id]
        assert books.journal.filed(1) == [second]
        assert books.journal.filed_since(second.time) == [second.id]
        assert books.journal.labels_filed(0) == {"grizzly": 1, "black": 1}
        books.filing.undo(first)
        assert books.journal.labels_filed(0) == {"black": 1}
        with pytest.raises(JournalError, match="there is no entry 99 in the history"):
            books.journal.entry(99)


def test_a_newer_journal_is_refused_and_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    Database(file).close()
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(JournalError) as caught:
        Database(file)
    assert str(caught.value) == f"{file} was made by a newer Beartray; please update Beartray"


@pytest.mark.parametrize("content", [b"not a database at all " * 100, b"SQLite format 3\0" * 100])
def test_a_damaged_journal_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "journal.sqlite"
    file.write_bytes(content)
    with pytest.raises(JournalError) as caught:
        Database(file)
    message = str(caught.value)
    assert message.startswith(f"{file}: the journal cannot be used (")
    assert message.endswith("rename the file to start a new one")
    assert "\n" not in message
    assert file.read_bytes() == content


def test_a_file_or_a_folder_in_the_way(tmp_path: Path) -> None:
    make_tree(tmp_path, {"file": "", "journal.sqlite": {}})
    for place in (tmp_path / "file" / "journal.sqlite", tmp_path / "journal.sqlite"):
        with pytest.raises(JournalError, match="the journal cannot be opened"):
            Database(place)


def test_a_change_is_made_whole_or_not_at_all(tmp_path: Path) -> None:
    database = Database(tmp_path / "journal.sqlite")
    try:
        with pytest.raises(ZeroDivisionError), database.writing() as db:
            db.execute("INSERT INTO made_folders VALUES (?)", (b"x",))
            raise ZeroDivisionError
        with database.reading() as db:
            assert db.execute("SELECT count(*) FROM made_folders").fetchone() == (0,)
    finally:
        database.close()


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {f"{n}.jpg": str(n) for n in range(2 * EACH)})
    with open_books(tmp_path):  # the file is there before they begin
        pass
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_file_some, args=(tmp_path, inbox, n)) for n in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
        worker.close()
    with open_books(tmp_path) as books:
        entries = books.journal.history(999)
    assert {entry.path.name for entry in entries} == {f"{n}.jpg" for n in range(2 * EACH)}
    assert {entry.state for entry in entries} == {"done"}
    batches = {entry.batch for entry in entries}
    assert len(batches) == 2, "each process has a batch of its own"
    assert len(list((inbox / "grizzly").iterdir())) == 2 * EACH


def _file_some(folder: Path, inbox: Path, share: int) -> None:
    with open_books(folder, owner=f"worker {share}") as books:
        batch = None
        for number in range(share, 2 * EACH, 2):
            batch = books.filing.file(plan(inbox / f"{number}.jpg"), batch).batch


def test_a_full_disk_touches_no_photo_and_is_over_when_there_is_space(tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "a photo"})
    with tiny_disk(tmp_path / "disk", "512k") as disk, open_books(disk) as books:
        filler = disk / "filler"
        with pytest.raises(OSError, match="No space"), filler.open("wb", buffering=0) as stream:
            while True:
                stream.write(b"x" * 4096)
        with pytest.raises(JournalError) as caught:
            for _ in range(200):
                books.filing.undo(books.filing.file(plan(inbox / "a.jpg"), None))
        message = str(caught.value)
        assert message.startswith(f"{disk}/books/journal.sqlite: the journal cannot be written")
        assert "free some space" in message
        assert [path.read_text() for path in inbox.rglob("*.jpg")] == ["a photo"]
        filler.unlink()
        books.filing.recover()
        (photo,) = inbox.rglob("*.jpg")
        if photo.parent == inbox:
            books.filing.file(plan(photo), None)
        assert (inbox / "grizzly" / "a.jpg").read_text() == "a photo"
