"""What people have put right: kept with the journal, for learning from and for counting."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from trayapp.database import Database, path_of
from trayapp.photo import BeartrayError, Corrects

_ROWS = """
SELECT c.entry, c.corrects, c.was, c.label, c.model, c.sha256, c.time,
       CASE e.action WHEN 'tag' THEN e.path ELSE e.destination END
FROM corrections c CROSS JOIN entries e ON e.id = c.entry
WHERE e.state = 'done' AND NOT EXISTS (
    SELECT 1 FROM corrections later CROSS JOIN entries l ON l.id = later.entry
    WHERE later.corrects = c.entry AND l.state = 'done')
"""

_BY = """FROM corrections c CROSS JOIN entries n ON n.id = c.entry
    WHERE c.corrects = {} AND n.state IN ('begun', 'done', 'undoing')"""
# Of entries: not those that somebody has put right since; of these only the last one counts.
CURRENT = f"NOT EXISTS (SELECT 1 {_BY.format('entries.id')})"

T = TypeVar("T")


class CorrectionError(BeartrayError):
    """A photo cannot be put right; it stays as it is."""


@dataclass(frozen=True, slots=True)
class Correction:
    """One photo that a person has named: `label` in place of `was`, None for none of these.

    `entry` is the journal entry that it was done with, `corrects` the one before; `path` is where
    the photo lies now, `sha256` is of its bytes, `time` in seconds since the epoch.
    """

    entry: int
    corrects: int
    was: str | None
    label: str | None
    model: str | None
    sha256: str
    time: float
    path: Path


class Corrections:
    """Those that hold: neither undone nor put right once more."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Correction]:
        """The oldest first; of a photo that was put right twice, `was` is what the model said.

        Not where a person came back to that: then there was nothing to put right.
        """
        with self._database.reading() as db:
            rows = db.execute(f"{_ROWS} ORDER BY c.entry").fetchall()
            found = [Correction(*(*row[:7], path_of(row[7]))) for row in rows]
            found = [replace(one, was=_first_word(db, one)) for one in found]
        return [one for one in found if one.label != one.was]

    def none_of_these(self) -> frozenset[Path]:
        """Where the photos lie of which a person says that they are of no class."""
        with self._database.reading() as db:
            rows = db.execute(f"{_ROWS} AND c.label IS NULL").fetchall()
        return frozenset(path_of(row[-1]) for row in rows)


def chain(start: T, following: Callable[[T], T | None]) -> Iterator[T]:
    """`start`, what follows it, and so on: one photo as it was put right again and again."""
    found: T | None = start
    while found is not None:
        yield found
        found = following(found)


def corrected_by(db: sqlite3.Connection, entry: int) -> tuple[str | None, str | None] | None:
    """What the label was and what a person says it is, where an entry puts another one right."""
    found: tuple[str | None, str | None] | None = db.execute(
        "SELECT was, label FROM corrections WHERE entry = ?", (entry,)
    ).fetchone()
    return found


def put_right_by(db: sqlite3.Connection, entry: int) -> int | None:
    """The entry that puts this one right now, if any."""
    row = db.execute(f"SELECT c.entry {_BY.format('?')}", (entry,)).fetchone()
    return None if row is None else int(row[0])


def puts_right(db: sqlite3.Connection, entry: int) -> int | None:
    """The entry that this one puts right, if any that is still known."""
    query = "SELECT e.id FROM corrections c CROSS JOIN entries e ON e.id = c.corrects"
    row = db.execute(f"{query} WHERE c.entry = ?", (entry,)).fetchone()
    return None if row is None else int(row[0])


def write_correction(
    db: sqlite3.Connection, entry: int, corrects: Corrects, label: str | None, now: float
) -> None:
    """Remember that the entry puts another one right; part of the journal's own transaction.

    Raises `CorrectionError` where somebody was quicker, on another page or with an undo.
    """
    query = f"SELECT 1 FROM entries WHERE id = ? AND state IN ('done', 'left') AND {CURRENT}"
    if db.execute(query, (corrects.entry,)).fetchone() is None:
        raise CorrectionError(
            "this photo was put right or taken back just now; reload the page to see how"
        )
    known = (corrects.entry, corrects.was, label, corrects.model, corrects.sha256, now)
    db.execute("INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?)", (entry, *known))


def _first_word(db: sqlite3.Connection, found: Correction) -> str | None:
    """What the model itself had said, before anybody put anything right."""

    def before(said: tuple[int, str | None]) -> tuple[int, str | None] | None:
        query = "SELECT corrects, was FROM corrections WHERE entry = ?"
        row: tuple[int, str | None] | None = db.execute(query, said[:1]).fetchone()
        return row

    *_, (_, was) = chain((found.corrects, found.was), before)
    return was
