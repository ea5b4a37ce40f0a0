"""The journal: what is about to be done to a file, and what was done."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from trayapp import rows
from trayapp.corrections import CURRENT, put_right_by, write_correction
from trayapp.database import QUARTER_SECONDS, Database, path_of, raw
from trayapp.notes import (
    drop_left,
    drop_note,
    kept_scores,
    outcome_before,
    outcome_of,
    set_outcome,
    write_note,
)
from trayapp.photo import Entry, Photo, Plan
from trayapp.rows import Phase
from trayapp.steps import Step

__all__ = ["Journal", "Phase"]


class Journal:
    """Rows that are begun before a file is touched and finished after.

    `owner` names this process in the rows it begins; `now` gives seconds since the epoch. Every
    method raises `JournalError` where SQLite cannot do its work. When a method returns, what it
    wrote survives a power cut, if it does not say otherwise.
    """

    def __init__(
        self, database: Database, owner: str, now: Callable[[], float] = time.time
    ) -> None:
        self._database, self.owner, self._now = database, owner, now

    def begin(self, plan: Plan, steps: Sequence[Step], batch: int | None) -> Entry:
        """Write down what is about to be done. `batch` None starts a new one."""
        target, verdict = steps[0].target, plan.verdict
        with self._database.writing() as db:
            (id_,) = db.execute(
                "INSERT INTO entries (time, batch, action, path, destination, label, confidence,"
                " state, owner, model, scores) VALUES (?, ?, ?, ?, ?, ?, ?, 'begun', ?, ?, ?)"
                " RETURNING id",
                (
                    *(self._now(), batch or 0, plan.action, raw(plan.photo.path), raw(target)),
                    *(verdict.label, verdict.confidence, self.owner, verdict.model),
                    kept_scores(verdict),
                ),
            ).fetchone()
            if batch is None:
                db.execute("UPDATE entries SET batch = id WHERE id = ?", (id_,))
            if plan.corrects is None:
                drop_left(db, plan.photo.path)
            else:
                write_correction(db, id_, plan.corrects, verdict.label, self._now())
            rows.write_steps(db, id_, "do", steps)
            entry = rows.entry(db, id_)
            self._note_places(db, entry, plan.photo)
        return entry

    def redirect(self, entry: Entry, steps: Sequence[Step], photo: Photo) -> Entry:
        """The target's name was taken: other steps for the same entry."""
        with self._database.writing() as db:
            rows.drop_places(db, entry)
            db.execute(
                "UPDATE entries SET destination = ? WHERE id = ?", (raw(steps[0].target), entry.id)
            )
            rows.write_steps(db, entry.id, "do", steps)
            entry = rows.entry(db, entry.id)
            self._note_places(db, entry, photo)
        return entry

    def reopen(self, entry: Entry, step: Step) -> int:
        """One more step for an entry that was done; returns the step's position."""
        with self._database.writing() as db:
            query = "SELECT max(position) + 1 FROM steps WHERE (entry, phase) = (?, 'do')"
            (position,) = db.execute(query, (entry.id,)).fetchone()
            rows.write_step(db, entry.id, "do", position, step)
            db.execute(
                "UPDATE entries SET state = 'begun', owner = ? WHERE id = ?",
                (self.owner, entry.id),
            )
        return int(position)

    def withdraw(self, entry: Entry, position: int) -> None:
        """A sidecar's step, the last one, came to nothing."""
        with self._database.writing() as db:
            rows.withdraw(db, entry.id, position)

    def arrived(self, entry: Entry, phase: Phase, position: int, photo: Photo) -> None:
        """A copy is complete under its temporary name and is about to get its real one."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE steps SET arrived_size = ?, arrived_mtime_ns = ?, arrived_file_id = ?"
                " WHERE (entry, phase, position) = (?, ?, ?)",
                (photo.size, photo.mtime_ns, photo.file_id, entry.id, phase, position),
            )

    def take_back(self, entry: Entry, steps: Sequence[Step]) -> None:
        """What was done for this row, half-way, is about to be undone."""
        with self._database.writing() as db:
            rows.write_steps(db, entry.id, "back", steps)

    def untidied(self) -> list[tuple[Step, float]]:
        """Steps of closed rows, and when these were begun, of which nobody has made sure that
        their temporary files are gone."""
        with self._database.reading() as db:
            found = db.execute(rows.UNTIDIED).fetchall()
        return [(rows.step(row), row[-1]) for row in found]

    def tidied(self, steps: Iterable[Step]) -> None:
        """The temporary files of these steps are gone."""
        with self._database.writing() as db:
            for step in steps:
                assert step.temporary is not None
                name = (raw(step.temporary),)
                db.execute("DELETE FROM steps WHERE temporary = ? AND phase = 'back'", name)
                db.execute("UPDATE steps SET temporary = NULL WHERE temporary = ?", name)

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

    def leads_back_to(self, folder: bytes) -> bool:
        """Whether something could be taken back to this folder, or below it."""
        with self._database.reading() as db:
            return rows.leads_back_to(db, path_of(folder))

    def finish(self, entry: Entry, arrived: Photo | None) -> None:
        """The photo has reached its place; `arrived` is the file as it lies there.

        Does not wait for the disk: after a power cut recovery finds the row begun and the photo
        in its place, and finishes it again.
        """
        with self._database.writing(lazily=True) as db:
            rows.set_state(db, entry, "done", None)
            rows.drop_temporaries(db, entry, "do")
            if arrived is not None and entry.action != "tag":
                write_note(db, arrived, outcome_of(db, entry), self._now())
            if entry.action == "move":
                drop_note(db, entry.path)

    def fail(self, entry: Entry, error: str, removed: Iterable[bytes] = ()) -> None:
        """Nothing came of it: all is as it was before; made folders were `removed` again."""
        with self._database.writing() as db:
            rows.set_state(db, entry, "failed", error)
            before = outcome_before(db, entry)
            for place in map(path_of, rows.places(entry)):
                if before == "undone" or place != entry.path:
                    drop_note(db, place)
                else:
                    set_outcome(db, place, before)
            rows.forget_made_folders(db, removed)

    def begin_undo(self, entry: Entry, steps: Sequence[Step], photo: Photo) -> None:
        """Write down that `entry` is being taken back; `photo`, at its old place, is then known."""
        with self._database.writing() as db:
            db.execute(
                "UPDATE entries SET state = 'undoing', owner = ? WHERE id = ?",
                (self.owner, entry.id),
            )
            rows.write_steps(db, entry.id, "undo", steps)
            write_note(db, replace(photo, path=entry.path), outcome_before(db, entry), self._now())

    def end_undo(self, entry: Entry, back: Photo | None, removed: Iterable[bytes] = ()) -> None:
        """It was taken back; `back` is the photo as it lies at its old place, and made folders
        were `removed`."""
        with self._database.writing() as db:
            rows.set_state(db, entry, "undone", None)
            rows.drop_temporaries(db, entry, "undo")
            drop_note(db, entry.destination)
            if back is not None:
                write_note(db, back, outcome_before(db, entry), self._now())
            rows.forget_made_folders(db, removed)

    def fail_undo(self, entry: Entry, error: str) -> None:
        """It could not be taken back and stays filed."""
        with self._database.writing() as db:
            rows.set_state(db, entry, "done", error)
            if entry.action == "move":
                drop_note(db, entry.path)
            else:
                set_outcome(db, entry.path, outcome_of(db, entry))

    def entry(self, id_: int) -> Entry:
        """Raises `JournalError` when there is no such row."""
        with self._database.reading() as db:
            return rows.entry(db, id_)

    def history(self, limit: int = -1, before: int = 1 << 62) -> list[Entry]:
        """The newest entries first, of those `before` an id; not what was only left alone."""
        where = "WHERE id < ? AND state != 'left' ORDER BY id DESC LIMIT ?"
        return self._entries(where, before, limit)

    def after(self, id_: int, limit: int) -> list[Entry]:
        """The next entries after one, oldest first: a page, so that nothing waits for a reader."""
        return self._entries("WHERE id > ? AND state != 'left' ORDER BY id LIMIT ?", id_, limit)

    def began_at(self, path: Path, after: int = 0) -> list[Entry]:
        """The entries after one that began with a photo at `path` and came to something."""
        where = "WHERE path = ? AND id > ? AND state NOT IN ('failed', 'left') ORDER BY id"
        return self._entries(where, raw(path), after)

    def taken_back_from(self, path: Path) -> list[Entry]:
        """The entries that put a photo at `path` and were undone."""
        return self._entries("WHERE destination = ? AND state = 'undone'", raw(path))

    def filed(self, limit: int = -1, *, once: bool = False) -> list[Entry]:
        """What is filed now, newest first; `once`: not what somebody has put right since."""
        where = f"WHERE state = 'done' {f'AND {CURRENT}' if once else ''} ORDER BY id DESC LIMIT ?"
        return self._entries(where, limit)

    def filed_since(self, moment: float) -> list[int]:
        """The ids of what was filed since then and is still, newest first; there may be many."""
        query = "SELECT id FROM entries WHERE +state = 'done' AND time >= ? ORDER BY id DESC"
        return self._ids(query, moment)

    def last_batch(self) -> list[int]:
        """The ids of the newest photos that were filed together, newest first."""
        newest = self.filed(1)
        return self.of_batch(newest[0].batch) if newest else []

    def of_batch(self, batch: int) -> list[int]:
        """The ids of the photos of one batch that are filed now, newest first."""
        query = "SELECT id FROM entries WHERE batch = ? AND +state = 'done' ORDER BY id DESC"
        return self._ids(query, batch)

    def count_batch(self, id_: int) -> int:
        """How many photos of one batch are filed now."""
        query = "SELECT photos FROM filed_by_batch WHERE batch = ?"
        with self._database.reading() as db:
            found = db.execute(query, (id_,)).fetchone()
        return int(found[0]) if found else 0

    def labels_filed(self, since: float) -> dict[str | None, int]:
        """How many photos of each label were filed since then and are still, the most first.

        `since` is the beginning of a quarter of an hour.
        """
        query = (
            "SELECT nullif(label, ''), sum(photos) FROM filed_by_quarter WHERE quarter >= ?"
            " GROUP BY label HAVING sum(photos) > 0 ORDER BY sum(photos) DESC, label"
        )
        with self._database.reading() as db:
            return dict(db.execute(query, (since // QUARTER_SECONDS,)).fetchall())

    def filed_from(self, folder: Path, stem: str) -> list[Entry]:
        """What is filed now and lay in `folder` under a name with this stem, newest first."""
        low = raw(folder / f"{stem}.")
        # The plus sign: by path, not through all that is filed.
        where = "WHERE +state = 'done' AND path >= ? AND path < ? ORDER BY id DESC"
        found = self._entries(where, low, low[:-1] + b"/")
        return [entry for entry in found if entry.path.parent == folder]

    def unfinished(self) -> list[tuple[Entry, str]]:
        """Begun rows and who began them, oldest first."""
        query = "SELECT id, owner FROM entries WHERE state IN ('begun', 'undoing') ORDER BY id"
        with self._database.reading() as db:
            return [(rows.entry(db, id_), owner) for id_, owner in db.execute(query).fetchall()]

    def steps(self, entry: Entry, phase: Phase) -> tuple[Step, ...]:
        with self._database.reading() as db:
            return tuple(
                rows.step(row) for row in db.execute(rows.STEPS, (entry.id, phase)).fetchall()
            )

    def put_right_by(self, entry: Entry) -> Entry | None:
        """The entry that says now what a person has made of this one, if anything."""
        with self._database.reading() as db:
            later = put_right_by(db, entry.id)
            return None if later is None else rows.entry(db, later)

    def _entries(self, where: str, *values: object) -> list[Entry]:
        with self._database.reading() as db:
            found = db.execute(f"{rows.ENTRY} FROM entries {where}", values).fetchall()
        return [rows.entry_of(row) for row in found]

    def _ids(self, query: str, value: float) -> list[int]:
        with self._database.reading() as db:
            return [id_ for (id_,) in db.execute(query, (value,)).fetchall()]

    def _note_places(self, db: sqlite3.Connection, entry: Entry, photo: Photo) -> None:
        """Whoever looks at these places from now on knows that the photo there is dealt with."""
        for place in rows.places(entry):
            write_note(db, replace(photo, path=path_of(place)), outcome_of(db, entry), self._now())
