"""The gallery's queries: the right photos, newest first, whatever the length of the journal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from starlette.datastructures import QueryParams

from trayapp.database import Database
from trayapp.journal import Journal
from trayapp.review.filters import address, label_chips, read_filter, show_chips
from trayapp.review.gallery import Cursor, Filter, Gallery, Show
from trayapp.review.overview import Overview

NOON = datetime(2026, 11, 21, 12).astimezone()
LABELS = ("grizzly", "black", "teddy", None)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "journal.sqlite")
    yield database
    database.close()


def fill(database: Database, count: int, corrected: int = 0) -> None:
    """Photos of every kind, one a minute, the last one at noon; the first ones put right since."""
    rows = []
    for number in range(count):
        label = LABELS[number % 4]
        state = "left" if label is None else "undone" if number % 10 == 1 else "done"
        moment = NOON - timedelta(minutes=count - number)
        sure = 0.5 + number % 50 / 100
        place = f"/p/{number}.jpg".encode()
        model = "old" if number < count // 2 else "bears"
        rows.append((moment.timestamp(), place, place, label, sure, state, model))
    with database.writing() as db:
        db.executemany(
            "INSERT INTO entries (time, batch, action, path, destination, label, confidence, state,"
            " owner, model, scores) VALUES (?, 1, 'move', ?, ?, ?, ?, ?, '', ?, '{}')",
            rows,
        )
        wrong = db.execute("SELECT id FROM entries WHERE state = 'done' LIMIT ?", (corrected,))
        for (id_,) in wrong.fetchall():
            (new,) = db.execute(
                "INSERT INTO entries (time, batch, action, path, destination, label, state, owner)"
                " SELECT ? + id, 1, 'move', destination, destination, 'teddy', 'done', ''"
                " FROM entries WHERE id = ? RETURNING id",
                (NOON.timestamp(), id_),
            ).fetchone()
            db.execute(
                "INSERT INTO corrections VALUES (?, ?, 'grizzly', 'teddy', 'old', '', ?)",
                (new, id_, NOON.timestamp()),
            )


def gallery(database: Database) -> Gallery:
    return Gallery(database, Journal(database, "test"))


def walk(found: Gallery, wanted: Filter, limit: int = 7) -> list[int]:
    """Every photo, page after page."""
    ids: list[int] = []
    after: Cursor | None = None
    while page := found.page(wanted, after, limit):
        ids += [tile.id for tile in page]
        after = Cursor.parse(str(page[-1].cursor))
        assert after == page[-1].cursor
    return ids


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        (Filter(), "1"),
        (Filter(label="grizzly"), "label = 'grizzly'"),
        (Filter(show="none"), "label IS NULL"),
        (Filter(show="unsure"), "label IS NOT NULL AND confidence < 0.9"),
        (Filter(show="corrected"), "id IN (SELECT entry FROM corrections)"),
        (Filter(model="old"), "model = 'old'"),
        (Filter(model="old", label="teddy"), "model = 'old' AND label = 'teddy'"),
        (Filter(day=date(2026, 11, 21)), "date(time, 'unixepoch', 'localtime') = '2026-11-21'"),
        (
            Filter(day=date(2026, 11, 20), show="none"),
            "date(time, 'unixepoch', 'localtime') = '2026-11-20' AND label IS NULL",
        ),
        (
            Filter(show="unsure", label="teddy"),
            "label = 'teddy' AND label IS NOT NULL AND confidence < 0.9",
        ),
        (
            Filter(show="corrected", label="teddy", day=date(2026, 11, 21)),
            "id IN (SELECT entry FROM corrections) AND label = 'teddy'",
        ),
        (Filter(label="panda"), "0"),
    ],
)
def test_each_filter_shows_what_it_says_each_once_the_newest_first(
    database: Database, wanted: Filter, where: str
) -> None:
    fill(database, 1200, corrected=30)
    with database.reading() as db:
        rows = db.execute(
            f"SELECT id FROM entries WHERE {where} AND state IN ('done', 'left')"
            " AND id NOT IN (SELECT corrects FROM corrections) ORDER BY time DESC, id DESC"
        ).fetchall()
    expected = [id_ for (id_,) in rows]
    assert walk(gallery(database), wanted) == expected
    assert expected or wanted.label == "panda"


def test_a_filter_that_is_clicked_keeps_those_that_go_with_it() -> None:
    wanted = Filter("unsure", "teddy", date(2026, 11, 21), "bears")
    rest = "day=2026-11-21&model=bears"
    shows = {chip.words: chip.address for chip in show_chips(wanted)}
    assert shows == {
        "All": f"/?{rest}",
        "Not recognised": f"/?show=none&{rest}",
        "Unsure": address(wanted),
        "Put right": f"/?show=corrected&label=teddy&{rest}",
    }
    assert [chip.words for chip in show_chips(wanted) if chip.on] == ["Unsure"]
    black, teddy = label_chips(wanted, ["black & white", "teddy"])
    assert black.address == f"/?show=unsure&label=black+%26+white&{rest}" and not black.on
    assert teddy.address == f"/?show=unsure&{rest}" and teddy.on
    for chip in (*show_chips(wanted), black, teddy):
        assert address(read_filter(QueryParams(chip.address[2:]))) == chip.address


def test_photos_of_the_same_moment_are_each_shown_once(database: Database) -> None:
    fill(database, 40)
    with database.writing() as db:
        db.execute("UPDATE entries SET time = 5.25")
    found = walk(gallery(database), Filter(), limit=3)
    assert found == sorted(set(found), reverse=True) and len(found) > 30


@pytest.mark.parametrize("text", ["", "x", "1", "1-", "-1-1", "1e9-1", "nan-1", "1-1'", "1" * 99])
def test_a_cursor_is_a_time_and_a_number_or_none(text: str) -> None:
    assert Cursor.parse(text) is None


def test_a_hundred_thousand_entries_are_no_more_work_than_a_hundred(database: Database) -> None:
    """Each page walks along an index: SQLite's own plan says so, and the time bears it out."""
    fill(database, 100_000, corrected=500)
    found = gallery(database)
    shows: list[Show] = ["all", "none", "unsure", "corrected"]
    wanted = [*map(Filter, shows), Filter(label="teddy"), Filter(model="old")]
    wanted += [Filter("unsure", "teddy"), Filter("corrected", "teddy")]
    wanted += [Filter(day=date(2026, 10, 1)), Filter(label="grizzly", day=date(2026, 10, 1))]
    deep = found.page(Filter(), Cursor(NOON.timestamp() - 60 * 80_000, 10**9))[-1].cursor
    for one in wanted:
        for after in (None, deep):
            took = []
            for _ in range(3):
                start = time.perf_counter()
                found.page(one, after)
                took.append(time.perf_counter() - start)
            assert min(took) < 0.05, (one, after, took)
    start = time.perf_counter()
    assert (found.labels(), found.models()) == (["black", "grizzly", "teddy"], ["bears", "old"])
    assert time.perf_counter() - start < 0.05


def test_the_overview_of_a_long_journal(database: Database) -> None:
    fill(database, 20_000, corrected=500)
    start = time.perf_counter()
    month = Overview(database).of("month", NOON.date())
    year = Overview(database).of("year", NOON.date())
    assert time.perf_counter() - start < 5
    assert 18_000 < month.total == year.total < 20_000 and year.wrong == 500
    assert sum(year.bins) == pytest.approx(year.total, rel=0.05)
    assert len(month.times) == 30 and len(year.times) == 12
    assert sum(sum(counts.values()) for _, counts in month.times) == month.total
    heights = [bar.height for bar in year.by_time.bars]
    assert min(heights) > 0 and max(bar.y + bar.height for bar in year.by_time.bars) <= 220
