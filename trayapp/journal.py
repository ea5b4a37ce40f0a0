"""The journal: writes down what is about to be done to a file, and what was done."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from trayapp import rows
from trayapp.corrections import write_correction
from trayapp.database import Database, path_of, raw
from trayapp.history import History
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


class Journal(History):
    """Rows that are begun before a file is touched and finished after; all that `History` knows.

    `owner` names this process in the rows it begins; `now` gives seconds since the epoch. Every
    method raises `JournalError` where SQLite cannot do its work. When a method returns, what it
    wrote survives a power cut, if it does not say otherwise.
    """

    def __init__(
        self, database: Database, owner: str, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__(database)
        self.owner, self.now = owner, now

    def begin(self, plan: Plan, steps: Sequence[Step], batch: int | None) -> Entry:
        """Write down what is about to be done; `batch` None starts one.

        Raises `TakenError`, and `FileExistsError` where a target's name is not free by now.
        """
        target, verdict = steps[0].target, plan.verdict
        with self._database.writing() as db:
            rows.refuse_if_begun(db, plan.photo.path)
            rows.refuse_if_taken(db, steps)
            (id_,) = db.execute(
                "INSERT INTO entries (time, batch, action, path, destination, label, confidence,"
                " state, owner, model, scores) VALUES (?, ?, ?, ?, ?, ?, ?, 'begun', ?, ?, ?)"
                " RETURNING id",
                (
                    *(self.now(), batch or 0, plan.action, raw(plan.photo.path), raw(target)),
                    *(verdict.label, verdict.confidence, self.owner, verdict.model),
                    kept_scores(verdict),
                ),
            ).fetchone()
            if batch is None:
                db.execute("UPDATE entries SET batch = id WHERE id = ?", (id_,))
            if plan.corrects is None:
                drop_left(db, plan.photo.path)
            else:
                write_correction(db, id_, plan.corrects, verdict.label, self.now())
            rows.write_steps(db, id_, "do", steps)
            entry = rows.entry(db, id_)
            self._note_places(db, entry, plan.photo)
        return entry

    def redirect(self, entry: Entry, steps: Sequence[Step], photo: Photo) -> Entry:
        """The target's name was taken: other steps for the same entry. Raises as `begin`."""
        with self._database.writing() as db:
            rows.refuse_if_taken(db, steps, entry.id)
            rows.drop_places(db, entry)
            db.execute(
                "UPDATE entries SET destination = ? WHERE id = ?", (raw(steps[0].target), entry.id)
            )
            rows.write_steps(db, entry.id, "do", steps)
            entry = rows.entry(db, entry.id)
            self._note_places(db, entry, photo)
        return entry

    def reopen(self, entry: Entry, step: Step) -> int:
        """One more step for an entry that is done; returns its position. Raises `TakenError`."""
        with self._database.writing() as db:
            rows.take(db, entry, "begun", self.owner)
            query = "SELECT max(position) + 1 FROM steps WHERE (entry, phase) = (?, 'do')"
            (position,) = db.execute(query, (entry.id,)).fetchone()
            rows.write_step(db, entry.id, "do", position, step)
        return int(position)

    def withdraw(self, entry: Entry, position: int) -> None:
        """A sidecar's step, the last one, came to nothing."""
        with self._database.writing() as db:
            rows.withdraw(db, entry.id, position)

    def take_again(self, entry: Entry) -> None:
        """An entry that is done is to be settled once more. Raises `TakenError`."""
        with self._database.writing() as db:
            rows.take(db, entry, "begun", self.owner)

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

    def finish(self, entry: Entry, arrived: Photo | None) -> None:
        """The photo has reached its place; `arrived` is the file as it lies there.

        Does not wait for the disk: after a power cut recovery finds the row begun and the photo
        in its place, and finishes it again.
        """
        with self._database.writing(lazily=True) as db:
            rows.set_state(db, entry, "done", None)
            rows.drop_temporaries(db, entry, "do")
            if arrived is not None and entry.action != "tag":
                write_note(db, arrived, outcome_of(db, entry), self.now())
            if entry.action == "move":
                drop_note(db, entry.path)
                drop_left(db, entry.path)  # it may have been looked at again while its row waited

    def fail(self, entry: Entry, error: str, removed: Iterable[bytes] = ()) -> None:
        """Nothing came of it: all is as it was before; made folders were `removed` again."""
        with self._database.writing() as db:
            rows.set_state(db, entry, "failed", error)
            before = rows.outcome_without(db, entry)
            for place in map(path_of, rows.places(entry)):
                if before == "undone" or place != entry.path:
                    drop_note(db, place)
                else:
                    set_outcome(db, place, before)
            rows.forget_made_folders(db, removed)

    def begin_undo(self, entry: Entry, filed: Sequence[Step], steps: Sequence[Step]) -> None:
        """`entry`, done by the steps `filed`, is being taken back by `steps`; the photo, at its
        old place, is known. Raises as `begin`."""
        photo = steps[0].original or steps[0].photo
        assert photo is not None
        with self._database.writing() as db:
            rows.take(db, entry, "undoing", self.owner)
            rows.refuse_if_taken(db, steps, entry.id)
            rows.refuse_if_followed(db, entry, filed)
            rows.write_steps(db, entry.id, "undo", steps)
            rows.note_undoing(db, entry, photo, self.now())

    def end_undo(self, entry: Entry, back: Photo | None, removed: Iterable[bytes] = ()) -> None:
        """It was taken back; `back` is the photo as it lies at its old place, and made folders
        were `removed`.

        Of one that was copied or tagged, all is noted already; another may have its name by now.
        """
        with self._database.writing() as db:
            rows.set_state(db, entry, "undone", None)
            rows.drop_temporaries(db, entry, "undo")
            drop_note(db, entry.destination)
            if back is not None and entry.action == "move":
                write_note(db, back, outcome_before(db, entry), self.now())
            rows.forget_made_folders(db, removed)

    def fail_undo(self, entry: Entry, error: str) -> None:
        """It could not be taken back and stays filed."""
        with self._database.writing() as db:
            rows.set_state(db, entry, "done", error)
            if entry.action == "move":
                drop_note(db, entry.path)
            else:
                rows.note_kept(db, entry, outcome_of(db, entry))

    def take_over(self, entry: Entry, owner: str) -> bool:
        """Whether the half-done row of an owner that has ended is now this process's to settle."""
        with self._database.writing() as db:
            return rows.take_over(db, entry, owner, self.owner)

    def _note_places(self, db: sqlite3.Connection, entry: Entry, photo: Photo) -> None:
        """Whoever looks at these places from now on knows that the photo there is dealt with."""
        for place in rows.places(entry):
            write_note(db, replace(photo, path=path_of(place)), outcome_of(db, entry), self.now())
