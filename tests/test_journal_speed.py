"""A journal of many thousands of photos answers as soon as a new one, and stays small."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.books import Books, open_books, plan
from tests.helpers import make_tree, wait_until
from trayapp.app.face import COST_SHARE, Kept
from trayapp.database import Database
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.photo import Entry, Photo

ANYWHERE = Path("/photos/grizzly/a.jpg")
PHOTO = Photo(ANYWHERE, 1, 1, "1:1")
ENTRY = Entry(1, 0.0, 1, ANYWHERE, ANYWHERE, None, None, "move", "done")
ASKED: list[tuple[str, Callable[[Journal, Notes], object]]] = [
    ("newest", lambda journal, _: journal.filed(5, once=True)),
    ("of one batch", lambda journal, _: journal.count_batch(1)),
    ("today", lambda journal, _: journal.labels_filed(0)),
    ("unfinished", lambda journal, _: journal.unfinished()),
    ("to be tidied", lambda journal, _: journal.untidied()),
    ("a page", lambda journal, _: journal.after(0, 500)),
    ("began at", lambda journal, _: journal.began_at(ANYWHERE)),
    ("of a sidecar", lambda journal, _: journal.filed_from(ANYWHERE.parent, "a")),
    ("steps", lambda journal, _: journal.steps(ENTRY, "do")),
    ("known", lambda _, notes: notes.noted(PHOTO)),
    ("last filed", lambda _, notes: notes.filed_at(ANYWHERE)),
    ("taken back", lambda journal, _: journal.taken_back_from(PHOTO.path)),
    ("put right since", lambda journal, _: journal.put_right_by(ENTRY)),
    ("way back", lambda journal, _: journal.leads_back_to(b"/photos/grizzly")),
    ("gone", lambda _, notes: notes.forget(ANYWHERE)),
    ("left alone", lambda _, notes: notes.count_existing(ANYWHERE.parent)),
    ("not recognised", lambda _, notes: notes.count_unsure(ANYWHERE.parent)),
]


@pytest.fixture
def tmp_path(in_memory: Path) -> Path:
    """Hundreds of photos are filed, and how long a disk takes for that is not what is tested."""
    return in_memory


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "journal.sqlite")
    yield opened
    opened.close()


@pytest.mark.parametrize("ask", [ask for _, ask in ASKED], ids=[name for name, _ in ASKED])
def test_nothing_that_is_asked_often_looks_through_everything(
    database: Database, ask: Callable[[Journal, Notes], object]
) -> None:
    said: list[str] = []
    with database.reading() as db:
        db.set_trace_callback(said.append)
        ask(Journal(database, "test"), Notes(database))
        db.set_trace_callback(None)
        plans = [db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall() for query in said]
    steps = [step[3] for plan in plans for step in plan]
    assert steps, "it was asked"
    assert not [step for step in steps if step.startswith("SCAN") and "INDEX" not in step], steps


def test_the_newest_come_first_without_looking_for_them(database: Database) -> None:
    said: list[str] = []
    with database.reading() as db:
        db.set_trace_callback(said.append)
        Journal(database, "test").history(20)
        db.set_trace_callback(None)
        (step,) = db.execute(f"EXPLAIN QUERY PLAN {said[0]}").fetchall()
    assert "PRIMARY KEY" in step[3], "in the order of the rows, twenty of them, without sorting"


def test_the_write_ahead_log_does_not_grow_with_the_journal(tmp_path: Path) -> None:
    count = 150
    inbox = make_tree(tmp_path / "inbox", {f"{n}.jpg": str(n) for n in range(count)})
    with open_books(tmp_path) as books:
        log = tmp_path / "books" / "journal.sqlite-wal"
        sizes = [_file(books, inbox / f"{n}.jpg", log) for n in range(count)]
    assert max(sizes) < 5_000_000
    assert sizes[-1] < sizes[2 * count // 3] + 100_000, "it is written over"


def _file(books: Books, photo: Path, log: Path) -> int:
    books.filing.file(plan(photo), None)
    return log.stat().st_size


def test_a_photo_takes_a_few_hundred_bytes(tmp_path: Path) -> None:
    count, journal = 150, tmp_path / "books" / "journal.sqlite"
    inbox = make_tree(tmp_path / "inbox", {f"IMG_{n:04}.jpg": str(n) for n in range(count)})
    with open_books(tmp_path):
        pass
    empty = journal.stat().st_size
    with open_books(tmp_path) as books:
        for path in sorted(inbox.iterdir()):
            books.filing.file(plan(path), None)
    assert (journal.stat().st_size - empty) / count < 1100


def test_a_count_that_takes_long_is_kept_for_longer() -> None:
    """With 30,000 photos in unsure/, counting them twice a second would hold up the filing."""
    asked: list[float] = []

    def count() -> int:
        asked.append(time.monotonic())
        began = time.thread_time()
        while time.thread_time() < began + 0.02:
            pass
        return len(asked)

    kept = Kept(count, None)
    assert (kept.get(), kept.get()) == (1, 1)
    wait_until(lambda: kept.get() == 2, 10, "it is asked again")
    assert asked[1] - asked[0] >= 0.02 * COST_SHARE
