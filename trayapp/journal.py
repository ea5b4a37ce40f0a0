"""The journal: what is about to be done to a file, and what was done."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from trayapp.database import Database, JournalError, path_of, raw
from trayapp.notes import drop_note, write_note
from trayapp.photo import Entry, Photo, Plan, State
from trayapp.steps import Step

Phase = Literal["do", "undo"]

_ENTRY = "SELECT id, time, batch, path, destination, label, confidence, action, state, error"
_STEPS = """
SELECT kind, source, target, size, mtime_ns, file_id, before, after, temporary,
       arrived_size, arrived_mtime_ns, arrived_file_id
FROM steps WHERE (entry, phase) = (?, ?) ORDER BY position
"""


class Journal:
    """Rows that are begun before a file is touched and finished after.

    `owner` names this process in the rows it begins; `now` gives seconds since the epoch. Every
    method raises `JournalError` where SQLite cannot do its work. When a method returns, what it
    wrote survives a power cut.
    """

    def __init__(
        self, database: Database, owner: str, now: Callable[[], float] = time.time
    ) -> None:
        self._database, self._owner, self._now = database, owner, now

    def begin(self, plan: Plan, steps: Sequence[Step], batch: int | None) -> Entry:
        """Write down what is about to be done. `batch` None starts a new one."""
        target, verdict = steps[0].target, plan.verdict
        with self._database.writing() as db:
            (id_,) = db.execute(
                "INSERT INTO entries (time, batch, action, path, destination, label, confidence,"
                " state, owner) VALUES (?, ?, ?, ?, ?, ?, ?, 'begun', ?) RETURNING id",
                (
                    *(self._now(), batch or 0, plan.action, raw(plan.photo.path), raw(target)),
                    *(verdict.label, verdict.confidence, self._owner),
                ),
            ).fetchone()
            if batch is None:
                db.execute("UPDATE entries SET batch = id WHERE id = ?", (id_,))
            _write_steps(db, id_, "do", steps)
            entry = _entry(db, id_)
            self._note_places(db, entry, plan.photo)
        return entry

    def redirect(self, entry: Entry, steps: Sequence[Step], photo: Photo) -> Entry:
        """The target's name was taken: other steps for the same entry."""
        with self._database.writing() as db:
            _drop_places(db, entry)
            db.execute(
                "UPDATE entries SET destination = ? WHERE id = ?", (raw(steps[0].target), entry.id)
            )
            _write_steps(db, entry.id, "do", steps)
            entry = _entry(db, entry.id)
            self._note_places(db, entry, photo)
        return entry

    def reopen(self, entry: Entry, step: Step) -> int:
        """One more step for an entry that was done; returns the step's position."""
        with self._database.writing() as db:
            query = "SELECT count(*) FROM steps WHERE (entry, phase) = (?, 'do')"
            (position,) = db.execute(query, (entry.id,)).fetchone()
            _write_step(db, entry.id, "do", position, step)
            db.execute(
                "UPDATE entries SET state = 'begun', owner = ? WHERE id = ?",
                (self._owner, entry.id),
            )
        return int(position)

    def arrived(self, entry: Entry, phase: Phase, position: int, photo: Photo) -> None:
        """A copy is complete under its temporary name and is about to get its real one."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE steps SET arrived_size = ?, arrived_mtime_ns = ?, arrived_file_id = ?"
                " WHERE (entry, phase, position) = (?, ?, ?)",
                (photo.size, photo.mtime_ns, photo.file_id, entry.id, phase, position),
            )

    def made_folders(self, folders: Iterable[bytes]) -> None:
        """These folders are about to be made; undo removes them again once they are empty."""
        with self._database.writing() as db:
            for folder in folders:
                db.execute("INSERT OR IGNORE INTO made_folders VALUES (?)", (folder,))

    def made_folder(self, folder: bytes) -> bool:
        """Whether Beartray made this folder."""
        query = "SELECT 1 FROM made_folders WHERE path = ?"
        with self._database.reading() as db:
            return db.execute(query, (folder,)).fetchone() is not None

    def forget_made_folder(self, folder: bytes) -> None:
        with self._database.writing() as db:
            db.execute("DELETE FROM made_folders WHERE path = ?", (folder,))

    def finish(self, entry: Entry, arrived: Photo | None) -> None:
        """The photo has reached its place; `arrived` is the file as it lies there."""
        with self._database.writing() as db:
            _set_state(db, entry, "done", None)
            if arrived is not None and entry.action != "tag":
                write_note(db, arrived, "filed", self._now())
            if entry.action == "move":
                drop_note(db, entry.path)

    def fail(self, entry: Entry, error: str) -> None:
        """Nothing came of it: all is as it was before."""
        with self._database.writing() as db:
            _set_state(db, entry, "failed", error)
            _drop_places(db, entry)

    def begin_undo(self, entry: Entry, steps: Sequence[Step], photo: Photo) -> None:
        """Write down that `entry` is being taken back; `photo`, at its old place, is then known."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE entries SET state = 'undoing', owner = ? WHERE id = ?",
                (self._owner, entry.id),
            )
            _write_steps(db, entry.id, "undo", steps)
            write_note(db, replace(photo, path=entry.path), "undone", self._now())

    def end_undo(self, entry: Entry, back: Photo | None) -> None:
        """It was taken back; `back` is the photo as it lies at its old place."""
        with self._database.writing() as db:
            _set_state(db, entry, "undone", None)
            drop_note(db, entry.destination)
            if back is not None:
                write_note(db, back, "undone", self._now())

    def fail_undo(self, entry: Entry, error: str) -> None:
        """It could not be taken back and stays filed."""
        with self._database.writing() as db:
            _set_state(db, entry, "done", error)
            if entry.action == "move":
                drop_note(db, entry.path)
            else:
                db.execute("UPDATE notes SET outcome = 'filed' WHERE path = ?", (raw(entry.path),))

    def entry(self, id_: int) -> Entry:
        """Raises `JournalError` when there is no such row."""
        with self._database.reading() as db:
            return _entry(db, id_)

    def history(self, limit: int = -1) -> list[Entry]:
        """The newest entries first."""
        return self._entries("ORDER BY id DESC LIMIT ?", limit)

    def filed(self, limit: int = -1, since: float = 0.0) -> list[Entry]:
        """What is filed now and could be undone, newest first."""
        where = "WHERE state = 'done' AND time >= ? ORDER BY id DESC LIMIT ?"
        return self._entries(where, since, limit)

    def last_batch(self) -> list[Entry]:
        """The newest photos that were filed together, newest first."""
        newest = self.filed(1)
        return self.batch(newest[0].batch) if newest else []

    def batch(self, id_: int) -> list[Entry]:
        """The photos of one batch that are filed now, newest first."""
        return self._entries("WHERE batch = ? AND state = 'done' ORDER BY id DESC", id_)

    def count_batch(self, id_: int) -> int:
        """How many photos of one batch are filed now."""
        query = "SELECT count(*) FROM entries WHERE batch = ? AND state = 'done'"
        with self._database.reading() as db:
            return int(db.execute(query, (id_,)).fetchone()[0])

    def count_filed(self, since: float) -> int:
        return sum(self.labels_filed(since).values())

    def labels_filed(self, since: float) -> dict[str | None, int]:
        """How many photos of each label were filed since then and are still, the most first."""
        query = (  # the plus sign: look through what was filed since, not through all there is
            "SELECT label, count(*) FROM entries WHERE +state = 'done' AND time >= ?"
            " GROUP BY label ORDER BY count(*) DESC, label"
        )
        with self._database.reading() as db:
            return dict(db.execute(query, (since,)).fetchall())

    def filed_from(self, folder: Path, stem: str) -> list[Entry]:
        """What is filed now and lay in `folder` under a name with this stem, newest first."""
        low = raw(folder / f"{stem}.")
        where = "WHERE state = 'done' AND path >= ? AND path < ? ORDER BY id DESC"
        found = self._entries(where, low, low[:-1] + b"/")
        return [entry for entry in found if entry.path.parent == folder]

    def unfinished(self) -> list[tuple[Entry, str]]:
        """Begun rows and who began them, oldest first."""
        query = "SELECT id, owner FROM entries WHERE state IN ('begun', 'undoing') ORDER BY id"
        with self._database.reading() as db:
            return [(_entry(db, id_), owner) for id_, owner in db.execute(query).fetchall()]

    def steps(self, entry: Entry, phase: Phase) -> tuple[Step, ...]:
        with self._database.reading() as db:
            return tuple(_step(row) for row in db.execute(_STEPS, (entry.id, phase)).fetchall())

    def _entries(self, where: str, *values: object) -> list[Entry]:
        with self._database.reading() as db:
            rows = db.execute(f"{_ENTRY} FROM entries {where}", values).fetchall()
        return [_entry_of(row) for row in rows]

    def _note_places(self, db: sqlite3.Connection, entry: Entry, photo: Photo) -> None:
        """Whoever looks at these places from now on knows that the photo there is dealt with."""
        for place in _places(entry):
            write_note(db, replace(photo, path=path_of(place)), "filed", self._now())


def _places(entry: Entry) -> list[bytes]:
    """Where a photo lies once the entry is done."""
    source, target = raw(entry.path), raw(entry.destination)
    return {"move": [target], "copy": [source, target], "tag": [source]}[entry.action]


def _drop_places(db: sqlite3.Connection, entry: Entry) -> None:
    for place in _places(entry):
        drop_note(db, path_of(place))


def _write_steps(db: sqlite3.Connection, entry: int, phase: Phase, steps: Sequence[Step]) -> None:
    db.execute("DELETE FROM steps WHERE (entry, phase) = (?, ?)", (entry, phase))
    for position, step in enumerate(steps):
        _write_step(db, entry, phase, position, step)


def _write_step(
    db: sqlite3.Connection, entry: int, phase: Phase, position: int, step: Step
) -> None:
    values = (
        *(entry, phase, position, step.kind, raw(step.source), raw(step.target)),
        *_photo_columns(step.photo),
        *(step.before, step.after, raw(step.temporary) if step.temporary else None),
        *_photo_columns(step.arrived),
    )
    db.execute(f"INSERT INTO steps VALUES ({', '.join('?' * len(values))})", values)


def _set_state(db: sqlite3.Connection, entry: Entry, state: State, error: str | None) -> None:
    db.execute("UPDATE entries SET state = ?, error = ? WHERE id = ?", (state, error, entry.id))


def _entry(db: sqlite3.Connection, id_: int) -> Entry:
    row = db.execute(f"{_ENTRY} FROM entries WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise JournalError(f"there is no entry {id_} in the history; see `beartray history`")
    return _entry_of(row)


def _entry_of(row: tuple[Any, ...]) -> Entry:
    id_, time_, batch, path, destination, label, confidence, action, state, error = row
    return Entry(
        *(id_, time_, batch, path_of(path), path_of(destination)),
        *(label, confidence, action, state, error),
    )


def _photo_columns(photo: Photo | None) -> tuple[object, ...]:
    return (None, None, None) if photo is None else (photo.size, photo.mtime_ns, photo.file_id)


def _step(row: tuple[Any, ...]) -> Step:
    source, target = path_of(row[1]), path_of(row[2])
    return Step(
        kind=row[0],
        source=source,
        target=target,
        photo=None if row[3] is None else Photo(source, *row[3:6]),
        before=row[6],
        after=row[7],
        temporary=None if row[8] is None else path_of(row[8]),
        arrived=None if row[9] is None else Photo(target, *row[9:12]),
    )
