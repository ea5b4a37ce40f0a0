"""What the tray counts is right whoever files, and costs the same however many photos there are."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.books import Books, open_books, plan
from tests.helpers import make_tree
from trayapp.database import QUARTER_SECONDS, Database
from trayapp.filing import Filing, PlaceError
from trayapp.journal import Journal
from trayapp.photo import Entry

TODAY = time.time() // QUARTER_SECONDS * QUARTER_SECONDS
INSTRUCTIONS = 1  # of SQLite's machine, between two calls of a progress handler


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "inbox", {f"{number}.jpg": str(number) for number in range(6)})


def test_two_programs_write_into_one_journal(tmp_path: Path, inbox: Path) -> None:
    """The app, and `beartray sort` and `undo` beside it; then a restart."""
    with open_books(tmp_path) as app, open_books(tmp_path) as command:
        first = app.filing.file(plan(inbox / "0.jpg"), None)
        app.filing.file(plan(inbox / "1.jpg", label="teddy"), first.batch)
        command.filing.file(plan(inbox / "2.jpg"), first.batch)
        other = command.filing.file(plan(inbox / "3.jpg"), None)
        for books in (app, command):
            assert _counted(books, first, other) == ({"grizzly": 3, "teddy": 1}, 3, 1)
        command.filing.undo(first)
        app.filing.undo(other)
        for books in (app, command):
            assert _counted(books, first, other) == ({"grizzly": 1, "teddy": 1}, 2, 0)
    with open_books(tmp_path) as again:
        assert _counted(again, first, other) == ({"grizzly": 1, "teddy": 1}, 2, 0)


def _counted(books: Books, first: Entry, other: Entry) -> tuple[dict[str | None, int], int, int]:
    journal = books.journal
    labels = journal.labels_filed(TODAY)
    return labels, journal.count_batch(first.batch), journal.count_batch(other.batch)


def test_what_came_to_nothing_is_not_counted(
    tmp_path: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_books(tmp_path) as books:
        entry = books.filing.file(plan(inbox / "0.jpg"), None)
        make_tree(inbox, {"black": "a file lies in the way of the folder"})
        with pytest.raises(PlaceError):
            books.filing.file(plan(inbox / "1.jpg", label="black"), entry.batch)
        make_tree(inbox, {"0.xmp": "a sidecar that came late"})
        books.filing.follow(inbox / "0.xmp")
        assert books.journal.labels_filed(TODAY) == {"grizzly": 1}
        assert books.journal.count_batch(entry.batch) == 1


def test_at_midnight_the_day_begins_anew(tmp_path: Path, inbox: Path) -> None:
    midnight = 1_700_000_100.0  # such as it is in Kathmandu, at a quarter past an hour elsewhere
    assert midnight % QUARTER_SECONDS == 0
    clock = [midnight - 1.0]
    with closing(Database(tmp_path / "journal.sqlite")) as database:
        journal = Journal(database, "test", lambda: clock[0])
        filing = Filing(journal, lambda _: True)
        late = filing.file(plan(inbox / "0.jpg"), None)
        clock[0] = midnight
        filing.file(plan(inbox / "1.jpg", label="black"), late.batch)
        assert journal.labels_filed(midnight) == {"black": 1}
        assert journal.labels_filed(midnight - 86400) == {"black": 1, "grizzly": 1}
        filing.undo(late)  # after midnight
        assert journal.labels_filed(midnight) == {"black": 1}
        assert journal.labels_filed(midnight - 86400) == {"black": 1}


def test_a_journal_from_before_there_were_totals(tmp_path: Path, inbox: Path) -> None:
    with open_books(tmp_path) as books:
        first = books.filing.file(plan(inbox / "0.jpg"), None)
        books.filing.file(plan(inbox / "1.jpg"), first.batch)
        books.filing.undo(books.filing.file(plan(inbox / "2.jpg"), first.batch))
    with closing(sqlite3.connect(tmp_path / "books" / "journal.sqlite")) as db:
        for what in ("TRIGGER count_filed", "TABLE filed_by_batch", "TABLE filed_by_quarter"):
            db.execute(f"DROP {what}")
        db.execute("CREATE INDEX entries_by_batch ON entries (batch, state)")
    with open_books(tmp_path) as books:
        books.filing.file(plan(inbox / "3.jpg", label="teddy"), first.batch)
        assert books.journal.labels_filed(TODAY) == {"grizzly": 2, "teddy": 1}
        assert books.journal.count_batch(first.batch) == 3


@pytest.mark.parametrize(
    "ask",
    [
        lambda journal: journal.count_batch(1),
        lambda journal: journal.labels_filed(0),
        lambda journal: journal.filed(5, once=True),
        lambda journal: journal.history(20),
    ],
    ids=["of one batch", "today", "newest", "history"],
)
def test_what_the_tray_shows_costs_the_same_with_many_photos(
    tmp_path: Path, ask: Callable[[Journal], object]
) -> None:
    with closing(Database(tmp_path / "journal.sqlite")) as database:
        journal = Journal(database, "test")
        _have_filed(database, 50)
        few = _instructions(database, journal, ask)
        _have_filed(database, 5000)
        assert journal.count_batch(1) == 5050
        assert _instructions(database, journal, ask) <= 1.5 * few


def _have_filed(database: Database, count: int) -> None:
    with database.writing() as db:
        db.executemany(
            "INSERT INTO entries (time, batch, action, path, destination, label, state, owner)"
            " VALUES (1e9, 1, 'move', x'2f61', x'2f62', ?, 'begun', '')",
            [(("grizzly", "teddy", None)[number % 3],) for number in range(count)],
        )
        db.execute("UPDATE entries SET state = 'done' WHERE state = 'begun'")


def _instructions(database: Database, journal: Journal, ask: Callable[[Journal], object]) -> int:
    """How much SQLite has to do for an answer, whatever else the machine does."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with database.reading() as db:
        db.set_progress_handler(count, INSTRUCTIONS)
        ask(journal)
        db.set_progress_handler(None, 0)
    return counted
