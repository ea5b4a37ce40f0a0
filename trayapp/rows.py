"""How a row of the journal and its steps are written in SQL."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from trayapp.corrections import CURRENT
from trayapp.database import JournalError, path_of, raw
from trayapp.disk import is_there
from trayapp.notes import Outcome, below, drop_note, is_at_work, outcome_before, write_note
from trayapp.photo import BeartrayError, Entry, Photo, State
from trayapp.steps import Step

Phase = Literal["do", "undo", "back"]
"""Filing it, taking it back, and going back on either half-way."""

ENTRY = "SELECT id, time, batch, path, destination, label, confidence, action, state, error"
_COLUMNS = """
SELECT kind, source, target, size, mtime_ns, file_id, before, after, temporary,
       arrived_size, arrived_mtime_ns, arrived_file_id
"""
STEPS = f"{_COLUMNS} FROM steps WHERE (entry, phase) = (?, ?) ORDER BY position"
# The same version of the same photo, copied or tagged by another row.
_FILED_BEFORE = """
SELECT 1 FROM entries JOIN steps was ON (was.entry, was.phase, was.position) = (id, 'do', 0)
JOIN steps now ON (now.entry, now.phase, now.position) = (?, 'do', 0)
WHERE path = ? AND state = 'done' AND action != 'move'
    AND (was.size, was.mtime_ns) = (now.size, now.mtime_ns)
"""
_SHARES_A_PLACE = """EXISTS (SELECT 1 FROM entries AS other
WHERE other.state IN ('begun', 'undoing') AND (other.path IN (entries.path, entries.destination)
    OR other.destination IN (entries.path, entries.destination)))"""
UNTIDIED = f"""
{_COLUMNS}, id FROM steps JOIN entries ON id = entry
WHERE temporary IS NOT NULL AND state NOT IN ('begun', 'undoing') LIMIT 1000
"""


class TakenError(BeartrayError):
    """Another process or thread has been quicker with the same photo; nothing was done."""


def take(db: sqlite3.Connection, entry: Entry, state: State, owner: str) -> None:
    """Begin again with a row that is done, unless somebody did since it was read; take it back
    only while nobody has put it right, and nobody is at work on what lies where it was or is."""
    free = f"AND {CURRENT} AND NOT {_SHARES_A_PLACE}" if state == "undoing" else ""
    query = f"UPDATE entries SET state = ?, owner = ? WHERE id = ? AND state = 'done' {free}"
    if db.execute(query, (state, owner, entry.id)).rowcount == 0:
        raise TakenError(f"{entry.path.name}: somebody else was quicker; see `beartray history`")


def refuse_if_followed(db: sqlite3.Connection, entry: Entry, filed: Sequence[Step]) -> None:
    """Raises `TakenError` where a sidecar has followed the photo since its steps were read."""
    query = "SELECT count(*) FROM steps WHERE (entry, phase) = (?, 'do')"
    if db.execute(query, (entry.id,)).fetchone()[0] != len(filed):
        raise TakenError(f"{entry.path.name} stays filed: a sidecar has just come; try again")


def take_over(db: sqlite3.Connection, entry: Entry, before: str, owner: str) -> bool:
    """Whether a row that was left half-done by an owner is now this one's to settle."""
    query = (
        "UPDATE entries SET owner = ? WHERE (id, owner) = (?, ?) AND state IN ('begun', 'undoing')"
    )
    return db.execute(query, (owner, entry.id, before)).rowcount == 1


def refuse_if_begun(db: sqlite3.Connection, photo: Path) -> None:
    """Of a photo there is one unfinished row at a time. Raises `TakenError`."""
    if is_at_work(db, photo):
        raise TakenError(f"{photo.name} stays in place: it is being filed just now")


def refuse_if_taken(db: sqlite3.Connection, steps: Sequence[Step], but: int | None = None) -> None:
    """What lies where another unfinished row than `but` has its photo from, or brings it to, is
    taken for that photo, so that the name is not free; nor is one where something lies by now,
    which a row has brought there that was begun and finished since the `steps` were listed.
    Raises `FileExistsError`, and `OSError` where that cannot be told."""
    new = [step.target for step in steps if step.kind in ("move", "copy")]
    there = [target for target in new if is_there(target)]
    if there or is_at_work(db, steps[0].target, but):
        taken = str(there[0] if there else steps[0].target)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), taken)


def places(entry: Entry) -> list[bytes]:
    """Where a photo lies once the entry is done."""
    source, target = raw(entry.path), raw(entry.destination)
    return {"move": [target], "copy": [source, target], "tag": [source]}[entry.action]


def drop_places(db: sqlite3.Connection, entry: Entry) -> None:
    for place in places(entry):
        drop_note(db, path_of(place))


def leads_back_to(db: sqlite3.Connection, folder: Path) -> bool:
    """Whether a photo that is filed came from this folder, or from below it."""
    query = "SELECT 1 FROM entries WHERE +state = 'done' AND path >= ? AND path < ?"
    return db.execute(query, below(folder)).fetchone() is not None


def write_steps(db: sqlite3.Connection, entry: int, phase: Phase, steps: Sequence[Step]) -> None:
    """The steps of a phase, in place of those of an attempt before; those of "back" add up."""
    if phase == "back":
        first = _next_back(db, entry)
    else:
        first = 0
        set_aside(db, entry, phase)
        db.execute("DELETE FROM steps WHERE (entry, phase) = (?, ?)", (entry, phase))
    for position, step in enumerate(steps, first):
        write_step(db, entry, phase, position, step)


def set_aside(db: sqlite3.Connection, entry: int, phase: Phase) -> None:
    """Steps that came to nothing; only what they may have left behind is remembered."""
    _move_to_back(db, entry, "phase = ? AND temporary IS NOT NULL", phase)


def withdraw(db: sqlite3.Connection, entry: int, position: int) -> None:
    """One step that came to nothing."""
    _move_to_back(db, entry, "phase = 'do' AND position = ?", position)


def _move_to_back(db: sqlite3.Connection, entry: int, which: str, value: object) -> None:
    query = f"UPDATE steps SET phase = 'back', position = position + ? WHERE entry = ? AND {which}"
    db.execute(query, (_next_back(db, entry), entry, value))


def _next_back(db: sqlite3.Connection, entry: int) -> int:
    query = "SELECT coalesce(max(position) + 1, 0) FROM steps WHERE (entry, phase) = (?, 'back')"
    return int(db.execute(query, (entry,)).fetchone()[0])


def write_step(db: sqlite3.Connection, entry: int, phase: Phase, position: int, step: Step) -> None:
    values = (
        *(entry, phase, position, step.kind, raw(step.source), raw(step.target)),
        *photo_columns(step.photo),
        *(step.before, step.after, raw(step.temporary) if step.temporary else None),
        *photo_columns(step.arrived),
    )
    db.execute(f"INSERT INTO steps VALUES ({', '.join('?' * len(values))})", values)


def drop_temporaries(db: sqlite3.Connection, entry: Entry, phase: Phase) -> None:
    """The steps are done: what they needed on the way is certainly gone."""
    query = "UPDATE steps SET temporary = NULL WHERE (entry, phase) = (?, ?)"
    db.execute(query, (entry.id, phase))


def outcome_without(db: sqlite3.Connection, entry: Entry) -> Outcome:
    """Of a photo whose entry came to nothing; what was copied before is not copied again."""
    before = outcome_before(db, entry)
    again = before == "undone" and db.execute(_FILED_BEFORE, (entry.id, raw(entry.path)))
    return "filed" if again and again.fetchone() else before


def note_kept(db: sqlite3.Connection, entry: Entry, outcome: Outcome) -> None:
    """Of a photo that was copied or tagged where it lies: that version, and not another photo that
    has its name by now."""
    version = "SELECT size, mtime_ns FROM steps WHERE (entry, phase, position) = (?, 'do', 0)"
    query = f"UPDATE notes SET outcome = ? WHERE path = ? AND (size, mtime_ns) = ({version})"
    db.execute(query, (outcome, raw(entry.path), entry.id))


def note_undoing(db: sqlite3.Connection, entry: Entry, photo: Photo, now: float) -> None:
    """Whoever looks at the old place from now on knows that the photo there is dealt with."""
    outcome = outcome_before(db, entry)
    if entry.action == "move":
        write_note(db, replace(photo, path=entry.path), outcome, now)
    else:
        note_kept(db, entry, outcome)


def forget_made_folders(db: sqlite3.Connection, folders: Iterable[bytes]) -> None:
    """But not while a row is unfinished, whose disk would seem to be away with such a folder."""
    query = "SELECT 1 FROM entries WHERE state IN ('begun', 'undoing')"
    if db.execute(query).fetchone() is None:
        db.executemany("DELETE FROM made_folders WHERE path = ?", [(path,) for path in folders])


def set_state(db: sqlite3.Connection, entry: Entry, state: State, error: str | None) -> None:
    db.execute("UPDATE entries SET state = ?, error = ? WHERE id = ?", (state, error, entry.id))


def entry(db: sqlite3.Connection, id_: int) -> Entry:
    row = db.execute(f"{ENTRY} FROM entries WHERE id = ?", (id_,)).fetchone()
    if row is None:
        raise JournalError(f"there is no entry {id_} in the history; see `beartray history`")
    return entry_of(row)


def entry_of(row: tuple[Any, ...]) -> Entry:
    id_, time_, batch, path, destination, label, confidence, action, state, error = row
    return Entry(
        *(id_, time_, batch, path_of(path), path_of(destination)),
        *(label, confidence, action, state, error),
    )


def photo_columns(photo: Photo | None) -> tuple[object, ...]:
    return (None, None, None) if photo is None else (photo.size, photo.mtime_ns, photo.file_id)


def step(row: tuple[Any, ...]) -> Step:
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
