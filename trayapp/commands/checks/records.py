"""Is the journal whole, can it be written, and is nothing half-done? Changes nothing in it."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from trayapp.commands.checks.finding import Finding
from trayapp.commands.checks.places import nearest_there
from trayapp.database import VERSION
from trayapp.shared_memory import require_room

CHECK_SECONDS = 1.5  # a journal of a hundred thousand photos takes less
BUSY_SECONDS = 1.0
STEPS = 10_000  # of SQLite's machine, between two looks at the clock


@dataclass(frozen=True, slots=True)
class Records:
    """What the journal's file is like. `damage` is None where it is whole, `half_done` counts the
    photos of programs that have ended, `whole` is false where there was no time to see all of it.
    """

    file: Path
    there: bool = True
    damage: str | None = None
    unwritable: str | None = None
    version: int = VERSION
    entries: int = 0
    half_done: int = 0
    whole: bool = True


def look(file: Path, private: Path) -> Records:
    """`private` is where the programs that work on the journal keep their locks."""
    if not file.exists():
        folder = nearest_there(file.parent)
        able = os.access(folder, os.W_OK | os.X_OK)
        return Records(file, there=False, unwritable=None if able else f"nor can {folder}")
    try:
        require_room(file)
    except sqlite3.OperationalError as error:
        return Records(file, unwritable=str(error))
    try:
        with closing(_open(file)) as db:
            whole, damage = _check(db)
            if damage is not None:
                return Records(file, damage=damage)
            version = int(db.execute("PRAGMA user_version").fetchone()[0])
            (entries,) = db.execute("SELECT count(*) FROM entries").fetchone()
            unwritable = _try_to_write(db)
            return Records(
                file, True, None, unwritable, version, entries, _half_done(db, private), whole
            )
    except sqlite3.Error as error:
        return Records(file, damage=str(error))


def judge(records: Records) -> Finding:
    """Advice that loses nothing: a damaged journal is kept under another name."""
    file = records.file
    if not records.there and records.unwritable is None:
        return Finding("journal", True, f"{file} is made at the first start")
    if records.damage is not None:
        detail = f"{file} cannot be used: {records.damage}"
        advice = "end Beartray and rename the file to start a new one"
        return Finding("journal", False, detail, advice)
    if records.version > VERSION:
        advice = "update this Beartray"
        return Finding("journal", False, f"{file} was made by a newer Beartray", advice)
    if records.unwritable is not None:
        detail = f"{file} cannot be written to: {records.unwritable}"
        return Finding("journal", False, detail, "free some space, or check who may write there")
    if records.half_done:
        detail = f"{records.half_done} photos wait to be put right"
        advice = "connect the disk they are on and start Beartray"
        return Finding("journal", False, detail, advice)
    seen = "whole" if records.whole else "whole as far as there was time to see"
    return Finding("journal", True, f"{file}, {records.entries:,} entries, {seen}, all settled")


def _open(file: Path) -> sqlite3.Connection:
    """Nothing is made where nothing is."""
    address = f"file:{quote(os.fsencode(file))}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def _check(db: sqlite3.Connection) -> tuple[bool, str | None]:
    """Whether there was time for all of it, and what is damaged."""
    end = time.monotonic() + CHECK_SECONDS
    db.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        return False, None
    finally:
        db.set_progress_handler(None, STEPS)
    return True, None if found == "ok" else str(found)


def _try_to_write(db: sqlite3.Connection) -> str | None:
    try:
        db.execute("BEGIN IMMEDIATE")
        db.execute("ROLLBACK")
    except sqlite3.OperationalError as error:
        return None if "locked" in str(error) else str(error)  # someone else can, right now
    return None


def _half_done(db: sqlite3.Connection, private: Path) -> int:
    query = "SELECT owner, count(*) FROM entries WHERE state IN ('begun', 'undoing') GROUP BY owner"
    return sum(count for owner, count in db.execute(query) if not _works(private, owner))


def _works(private: Path, owner: str) -> bool:
    """Whether the program that called itself `owner` still holds its lock."""
    file = private / f"owner-{owner}.lock"
    if not file.exists():
        return False
    try:
        with FileLock(file, timeout=0):
            return False
    except Timeout:
        return True
