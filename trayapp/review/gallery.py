"""What the gallery shows of the journal, a page at a time, however long the journal is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from trayapp.corrections import CURRENT, chain, corrected_by, put_right_by, puts_right
from trayapp.database import Database, path_of, raw
from trayapp.journal import Journal
from trayapp.photo import BeartrayError, Entry

PAGE = 60
DOUBT = 0.9  # filed, but below this confidence; database.py has an index for it
MOST_IDS = 500

Show = Literal["all", "none", "unsure", "corrected"]

# Spelt as in the indexes, which SQLite only then uses.
LISTED = "state IN ('done', 'left')"
_DOUBTED = "label IS NOT NULL AND confidence < 0.9"


class NoSuchPhotoError(BeartrayError):
    """There is no such entry in the journal."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which photos to show; an empty text is any."""

    show: Show = "all"
    label: str = ""
    day: date | None = None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Between two photos of the gallery: those after it are older."""

    time: float
    id: int

    def __str__(self) -> str:
        return f"{self.time!r}-{self.id}"

    @classmethod
    def parse(cls, text: str) -> Cursor | None:
        found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,20})?)-(\d{1,18})", text)
        return cls(float(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class Tile:
    """One photo of the gallery. `said`: the label is what a person said, not the model."""

    id: int
    time: float
    name: str
    label: str | None
    confidence: float | None
    left: bool
    said: bool

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.time, self.id)

    @property
    def undoable(self) -> bool:
        return not self.left


@dataclass(frozen=True, slots=True)
class Details:
    """All that is known of one photo. `history` has the newest entry first."""

    entry: Entry
    tile: Tile
    current: bool
    model: str | None
    scores: Mapping[str, float]
    was: str | None
    history: tuple[Entry, ...] = field(default=())


class Gallery:
    """Reads the journal; every query touches a bounded number of rows, or only an index."""

    def __init__(self, database: Database, journal: Journal) -> None:
        self._database, self._journal = database, journal

    def page(self, wanted: Filter, after: Cursor | None = None, limit: int = PAGE) -> list[Tile]:
        """The newest photos first, from `after` on."""
        source, where, values = _where(wanted)
        if after is not None:
            where.append("time <= ? AND (time < ? OR id < ?)")
            values += [after.time, after.time, after.id]
        query = (
            f"{_TILE} FROM entries {source} WHERE {' AND '.join(where)}"
            " ORDER BY time DESC, id DESC LIMIT ?"
        )
        with self._database.reading() as db:
            return [_tile(row) for row in db.execute(query, (*values, limit)).fetchall()]

    def tile(self, id_: int) -> Tile | None:
        """One photo as the gallery shows it; None where it is not listed (any more)."""
        query = f"{_TILE} FROM entries WHERE id = ? AND {LISTED} AND {CURRENT}"
        with self._database.reading() as db:
            row = db.execute(query, (id_,)).fetchone()
        return None if row is None else _tile(row)

    def listed(self, ids: Iterable[int]) -> list[int]:
        """Those of `ids` (the first few hundred) that the gallery shows now."""
        asked = list(ids)[:MOST_IDS]
        marks = ", ".join("?" * len(asked))
        query = f"SELECT id FROM entries WHERE id IN ({marks}) AND {LISTED} AND {CURRENT}"
        with self._database.reading() as db:
            return [id_ for (id_,) in db.execute(query, asked).fetchall()]

    def details(self, id_: int) -> Details:
        """Raises `NoSuchPhotoError`."""
        query = f"{_TILE}, model, scores, ({CURRENT}) FROM entries WHERE id = ?"
        with self._database.reading() as db:
            row = db.execute(query, (id_,)).fetchone()
            said = corrected_by(db, id_)
        if row is None:
            raise NoSuchPhotoError("there is no such photo")
        entry = self._journal.entry(id_)
        return Details(
            entry,
            _tile(row),
            current=bool(row[-1]) and entry.state in ("done", "left"),
            model=row[-3],
            scores=json.loads(row[-2] or "{}"),
            was=None if said is None else said[0],
            history=self._history(entry),
        )

    def newer(self, id_: int) -> int | None:
        """The entry that puts this one right now, if any."""
        with self._database.reading() as db:
            return put_right_by(db, id_)

    def older(self, id_: int) -> int | None:
        """The entry that this one puts right, if any that is still known."""
        with self._database.reading() as db:
            return puts_right(db, id_)

    def labels(self) -> list[str]:
        """Every label that the journal knows, in alphabetical order."""
        return self._distinct("label", "gallery_by_label")

    def models(self) -> list[str]:
        """Every model that photos were filed with."""
        return self._distinct("model", "gallery_by_model")

    def _distinct(self, column: str, index: str) -> list[str]:
        """One look for each value: DISTINCT would walk along the whole index."""
        query = (
            f"SELECT {column} FROM entries INDEXED BY {index}"
            f" WHERE {LISTED} AND {column} > ? ORDER BY {column} LIMIT 1"
        )
        found: list[str] = []
        with self._database.reading() as db:
            while row := db.execute(query, (found[-1] if found else "",)).fetchone():
                found.append(row[0])
        return found

    def _history(self, entry: Entry) -> tuple[Entry, ...]:
        """What befell this photo: what was put right, and what was done from the same place."""
        *_, first = chain(entry, self._journal.puts_right)
        query = "SELECT id FROM entries WHERE path = ? AND id >= ? ORDER BY id LIMIT 20"
        with self._database.reading() as db:
            ids = {id_ for (id_,) in db.execute(query, (raw(first.path), first.id)).fetchall()}
        ids |= {one.id for one in chain(first, self._journal.put_right_by)} | {entry.id}
        return tuple(self._journal.entry(id_) for id_ in sorted(ids, reverse=True))


_TILE = (
    "SELECT id, time, CASE WHEN action = 'tag' OR state = 'left' THEN path ELSE destination END,"
    " label, confidence, state = 'left',"
    " EXISTS (SELECT 1 FROM corrections WHERE entry = entries.id)"
)


def _tile(row: tuple[Any, ...]) -> Tile:
    id_, time, path, label, confidence, left, said = row[:7]
    return Tile(id_, time, path_of(path).name, label, confidence, bool(left), bool(said))


def _where(wanted: Filter) -> tuple[str, list[str], list[object]]:
    """Which index to walk along, the conditions, and their values."""
    index, where, values = "gallery", [LISTED, CURRENT], list[object]()
    if wanted.model:
        index = "gallery_by_model"
        where.append("model = ?")
        values.append(wanted.model)
    if wanted.show == "none":
        index = "gallery_by_label"
        where.append("label IS NULL")
    elif wanted.label:
        index = "gallery_by_label"
        where.append("label = ?")
        values.append(wanted.label)
    if wanted.show == "unsure":  # fewer than those of a label
        index = "gallery_of_doubt"
        where.append(_DOUBTED)
    if wanted.day is not None:
        begin = datetime.combine(wanted.day, datetime.min.time())
        where.append("time >= ? AND time < ?")
        values += [begin.timestamp(), (begin + timedelta(days=1)).timestamp()]
    if wanted.show == "corrected":  # few: find them first
        where.append("id IN (SELECT entry FROM corrections)")
        return "", where, values
    return f"INDEXED BY {index}", where, values
