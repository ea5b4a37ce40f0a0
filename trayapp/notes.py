"""Which photos have been dealt with, and which folders Beartray has come to know."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, cast

from trayapp import disk
from trayapp.corrections import CURRENT, corrected_by
from trayapp.database import Database, path_of, raw
from trayapp.photo import Entry, Photo, Verdict

Outcome = Literal["existing", "filed", "unsure", "unreadable", "undone"]
PAGE = 1000
LEFT_ALONE = ("existing", "undone")
MOST_SCORES = 20
_BELOW = "FROM notes WHERE outcome = {} AND path >= ? AND path < ?"
_LEFT = f"path = ? AND state = 'left' AND {CURRENT}"
_EXISTING, _UNSURE = _BELOW.format("'existing'"), _BELOW.format("'unsure'")


class Notes:
    """What is known of photos by path, size and time; file ids do not outlive every reboot."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database, self._now = database, now

    def note(self, photos: Iterable[Photo], outcome: Outcome) -> None:
        """Remember that these photos have been dealt with."""
        with self._database.writing() as db:
            for photo in photos:
                write_note(db, photo, outcome, self._now())

    def leave(self, photo: Photo, verdict: Verdict) -> None:
        """The photo was not recognised and stays where it is."""
        now, path = self._now(), raw(photo.path)
        with self._database.writing() as db:
            write_note(db, photo, "unsure", now)
            drop_left(db, photo.path)
            db.execute(
                "INSERT INTO entries (time, batch, action, path, destination, confidence, state,"
                " owner, model, scores) VALUES (?, 0, 'move', ?, ?, ?, 'left', '', ?, ?)",
                (now, path, path, verdict.confidence, verdict.model, kept_scores(verdict)),
            )

    def noted(self, photo: Photo) -> Outcome | None:
        """How this version of this photo was dealt with, None for a new one.

        A known photo that was renamed since is still known: same file, its old name gone (but not
        where it is only on its way to that name). One that was to be left alone still is after it
        was edited.
        """
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT path, size, mtime_ns, file_id, outcome FROM notes"
                " WHERE path = ? OR (mtime_ns = ? AND size = ?)",
                (raw(photo.path), photo.mtime_ns, photo.size),
            ).fetchall()
        for path, size, mtime_ns, _, outcome in rows:
            if path != raw(photo.path):
                continue
            if (size, mtime_ns) == (photo.size, photo.mtime_ns):
                return cast(Outcome, outcome)
            if outcome in LEFT_ALONE:
                self.note([photo], outcome)
                return cast(Outcome, outcome)
            return None
        for path, _, _, file_id, outcome in rows:
            # What cannot be looked at counts as gone here: then nothing is done with the photo.
            renamed = file_id == photo.file_id and not os.path.lexists(path)
            if renamed and self._rename(path, photo, outcome):
                return cast(Outcome, outcome)
        return None

    def _rename(self, before: bytes, photo: Photo, outcome: Outcome) -> bool:
        """False where a row was begun that brings a photo to `before`, or back there; or has been
        closed since the note was read, which is gone with it."""
        now = raw(photo.path)
        there = "SELECT 1 FROM notes WHERE (path, outcome) = (?, ?)"
        with self._database.writing() as db:
            if is_at_work(db, path_of(before)):
                return False
            if db.execute(there, (before, outcome)).fetchone() is None:
                return False
            drop_note(db, path_of(before))
            write_note(db, photo, outcome, self._now())
            db.execute(
                f"UPDATE entries SET path = ?, destination = ? WHERE {_LEFT}", (now, now, before)
            )
        return True

    def filed_at(self, path: Path) -> Photo | None:
        """The photo that was last filed to `path`, or tagged there, and is not known to be gone."""
        query = "SELECT size, mtime_ns, file_id FROM notes WHERE path = ? AND outcome = 'filed'"
        with self._database.reading() as db:
            row = db.execute(query, (raw(path),)).fetchone()
        return Photo(path, *row) if row else None

    def is_known_elsewhere(self, photo: Photo) -> bool:
        """Whether this very file was dealt with under another name."""
        query = "SELECT 1 FROM notes WHERE (mtime_ns, size, file_id) = (?, ?, ?) AND path != ?"
        values = (photo.mtime_ns, photo.size, photo.file_id, raw(photo.path))
        with self._database.reading() as db:
            return db.execute(query, values).fetchone() is not None

    def forget(self, path: Path) -> None:
        """The file at `path` is gone: whatever comes there next is new."""
        with self._database.writing() as db:
            drop_note(db, path)
            drop_left(db, path)

    def forget_vanished(
        self, root: Path, outcome: Literal["existing", "unsure"], *, unless_all: bool = False
    ) -> None:
        """Forget the photos in `root` (and below) of that outcome that are certainly no longer
        there."""
        found, gone = 0, list[bytes]()
        for path in self._pages(root, outcome):
            found += 1
            if disk.is_gone(path):
                gone.append(path)
        if unless_all and len(gone) == found:
            return
        with self._database.writing() as db:
            for missing in map(path_of, gone):
                drop_note(db, missing)
                drop_left(db, missing)

    def _pages(self, root: Path, outcome: str) -> Iterator[bytes]:
        """Paths of that outcome, some at a time: there may be 100,000 of them."""
        where = _EXISTING if outcome == "existing" else _UNSURE
        query = f"SELECT path {where} ORDER BY path LIMIT {PAGE}"
        low, high = below(root)
        while True:
            with self._database.reading() as db:
                page = [path for (path,) in db.execute(query, (low, high)).fetchall()]
            yield from page
            if len(page) < PAGE:
                return
            low = page[-1] + b"\0"

    def forget_existing(self, root: Path) -> None:
        """The photos that were left alone in `root` (and below) are as new."""
        with self._database.writing() as db:
            db.execute(f"DELETE {_EXISTING}", below(root))

    def existing(self, root: Path) -> list[Path]:
        """Photos that were in `root` (and below) when it was chosen, still left alone."""
        with self._database.reading() as db:
            rows = db.execute(f"SELECT path {_EXISTING}", below(root)).fetchall()
        return [path_of(path) for (path,) in rows]

    def count_existing(self, root: Path) -> int:
        with self._database.reading() as db:
            return int(db.execute(f"SELECT count(*) {_EXISTING}", below(root)).fetchone()[0])

    def unsure(self, root: Path) -> list[Path]:
        """Photos in `root` (and below) that were not recognised and left in place."""
        with self._database.reading() as db:
            rows = db.execute(f"SELECT path {_UNSURE}", below(root)).fetchall()
        return [path_of(path) for (path,) in rows]

    def count_unsure(self, root: Path) -> int:
        with self._database.reading() as db:
            return int(db.execute(f"SELECT count(*) {_UNSURE}", below(root)).fetchone()[0])

    def knows_root(self, root: Path) -> bool:
        with self._database.reading() as db:
            row = db.execute("SELECT 1 FROM roots WHERE path = ?", (raw(root),)).fetchone()
        return row is not None

    def add_root(self, root: Path, photos: Iterable[Photo]) -> None:
        """From now on `root` is known, and what is in it already is left alone."""
        with self._database.writing() as db:
            for photo in photos:
                known = "SELECT 1 FROM notes WHERE (path, size, mtime_ns) = (?, ?, ?)"
                values = (raw(photo.path), photo.size, photo.mtime_ns)
                if db.execute(known, values).fetchone() is None:
                    write_note(db, photo, "existing", self._now())
            db.execute("INSERT OR REPLACE INTO roots VALUES (?, ?)", (raw(root), self._now()))


def write_note(db: sqlite3.Connection, photo: Photo, outcome: Outcome, now: float) -> None:
    db.execute(
        "INSERT OR REPLACE INTO notes VALUES (?, ?, ?, ?, ?, ?)",
        (raw(photo.path), photo.size, photo.mtime_ns, photo.file_id, outcome, now),
    )


def outcome_of(db: sqlite3.Connection, entry: Entry) -> Outcome:
    """Of a photo that is filed; one of which a person says none of these is not recognised."""
    none = entry.label is None and corrected_by(db, entry.id) is not None
    return "unsure" if none else "filed"


def is_at_work(db: sqlite3.Connection, path: Path, but: int | None = None) -> bool:
    """Whether another unfinished row than `but` has its photo from there, or brings it there."""
    query = """SELECT 1 FROM entries WHERE state IN ('begun', 'undoing')
        AND ? IN (path, destination) AND id IS NOT ?"""
    return db.execute(query, (raw(path), but)).fetchone() is not None


def outcome_before(db: sqlite3.Connection, entry: Entry) -> Outcome:
    """Of a photo whose entry is taken back; one that was put right is as known as before."""
    corrected = corrected_by(db, entry.id)
    if corrected is None:
        return "undone"
    return "unsure" if corrected[0] is None else "filed"


def set_outcome(db: sqlite3.Connection, path: Path, outcome: Outcome) -> None:
    db.execute("UPDATE notes SET outcome = ? WHERE path = ?", (outcome, raw(path)))


def drop_note(db: sqlite3.Connection, path: Path) -> None:
    db.execute("DELETE FROM notes WHERE path = ?", (raw(path),))


def kept_scores(verdict: Verdict) -> str:
    """The best scores as JSON: of a model with a thousand labels nobody looks at the others."""
    best = sorted(verdict.scores.items(), key=lambda item: -item[1])[:MOST_SCORES]
    return json.dumps(dict(best))


def drop_left(db: sqlite3.Connection, path: Path) -> None:
    """No longer list the photo at `path` as one not recognised; a row that a person has put right
    is kept as long as that can be undone."""
    db.execute(f"DELETE FROM entries WHERE {_LEFT}", (raw(path),))


def below(root: Path) -> tuple[bytes, bytes]:
    """The first and the end of the paths below `root`, in the order of their bytes."""
    low = raw(root / "x")[:-1]
    return low, low[:-1] + bytes([low[-1] + 1])
