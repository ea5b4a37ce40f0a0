"""The SQLite file behind the journal: opening it, and transactions that survive a power cut."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from trayapp.photo import BeartrayError
from trayapp.shared_memory import keep_room, require_room

SCHEMA = """
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, batch INTEGER NOT NULL,
    action TEXT NOT NULL, path BLOB NOT NULL, destination BLOB NOT NULL,
    label TEXT, confidence REAL, state TEXT NOT NULL, error TEXT, owner TEXT NOT NULL);
CREATE INDEX entries_by_state ON entries (state, id);
CREATE INDEX entries_by_path ON entries (path);
CREATE TABLE steps (
    entry INTEGER NOT NULL REFERENCES entries (id), phase TEXT NOT NULL, position INTEGER NOT NULL,
    kind TEXT NOT NULL, source BLOB NOT NULL, target BLOB NOT NULL,
    size INTEGER, mtime_ns INTEGER, file_id TEXT, before BLOB, after BLOB, temporary BLOB,
    arrived_size INTEGER, arrived_mtime_ns INTEGER, arrived_file_id TEXT,
    PRIMARY KEY (entry, phase, position)) WITHOUT ROWID;
CREATE TABLE notes (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    file_id TEXT NOT NULL, outcome TEXT NOT NULL, time REAL NOT NULL) WITHOUT ROWID;
CREATE INDEX notes_by_content ON notes (mtime_ns, size);
CREATE TABLE roots (path BLOB PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE made_folders (path BLOB PRIMARY KEY) WITHOUT ROWID;
"""
# What became of files of each version before; the last is what `VERSION` says.
MIGRATIONS = {
    1: """
ALTER TABLE entries ADD COLUMN model TEXT;
ALTER TABLE entries ADD COLUMN scores TEXT;
CREATE TABLE corrections (
    entry INTEGER PRIMARY KEY REFERENCES entries (id), corrects INTEGER NOT NULL,
    was TEXT, label TEXT, model TEXT, sha256 TEXT NOT NULL, time REAL NOT NULL);
CREATE INDEX corrections_by_corrected ON corrections (corrects);
INSERT INTO entries (time, batch, action, path, destination, state, owner)
    SELECT time, 0, 'move', path, path, 'left', '' FROM notes WHERE outcome = 'unsure' ORDER BY time
""",
}
VERSION = 1 + len(MIGRATIONS)
# Made also in files of older versions.
INDEXES = """
CREATE INDEX IF NOT EXISTS notes_left_alone ON notes (outcome, path)
    WHERE outcome = 'existing' OR outcome = 'unsure';
CREATE INDEX IF NOT EXISTS entries_by_time ON entries (time);
CREATE INDEX IF NOT EXISTS entries_of_batch ON entries (batch);
DROP INDEX IF EXISTS entries_by_day;
DROP INDEX IF EXISTS entries_by_batch;
CREATE INDEX IF NOT EXISTS entries_taken_back ON entries (destination) WHERE state = 'undone';
CREATE INDEX IF NOT EXISTS steps_by_temporary ON steps (temporary) WHERE temporary IS NOT NULL;
CREATE INDEX IF NOT EXISTS gallery ON entries (time) WHERE state IN ('done', 'left');
CREATE INDEX IF NOT EXISTS gallery_by_label ON entries (label, time)
    WHERE state IN ('done', 'left');
CREATE INDEX IF NOT EXISTS gallery_by_model ON entries (model, time)
    WHERE state IN ('done', 'left');
CREATE INDEX IF NOT EXISTS gallery_of_doubt ON entries (time)
    WHERE state IN ('done', 'left') AND label IS NOT NULL AND confidence < 0.9
"""
# What the tray shows is kept, not counted with each photo anew, and by SQLite itself: whoever
# files or takes back, in whichever process, does so in the same transaction. Midnight is the
# beginning of a quarter of an hour in every time zone. A photo that somebody puts right counts
# once, as what it is now.
QUARTER_SECONDS = 900
TOTALS = (
    "CREATE TABLE filed_by_batch (batch INTEGER PRIMARY KEY, photos INTEGER NOT NULL)",
    """CREATE TABLE filed_by_quarter (
        quarter INTEGER NOT NULL, label TEXT NOT NULL, photos INTEGER NOT NULL,
        PRIMARY KEY (quarter, label)) WITHOUT ROWID""",
    """INSERT INTO filed_by_batch
        SELECT batch, count(*) FROM entries WHERE state = 'done' GROUP BY batch""",
    f"""INSERT INTO filed_by_quarter
        SELECT CAST(time / {QUARTER_SECONDS} AS INTEGER), ifnull(label, ''), count(*)
        FROM entries WHERE state = 'done' GROUP BY 1, 2""",
    f"""CREATE TRIGGER count_filed AFTER UPDATE OF state ON entries
    WHEN (new.state = 'done') != (old.state = 'done') BEGIN
        INSERT INTO filed_by_batch VALUES (new.batch, iif(new.state = 'done', 1, -1))
            ON CONFLICT DO UPDATE SET photos = photos + excluded.photos;
        INSERT INTO filed_by_quarter VALUES (
            CAST(new.time / {QUARTER_SECONDS} AS INTEGER), ifnull(new.label, ''),
            iif(new.state = 'done', 1, -1))
            ON CONFLICT DO UPDATE SET photos = photos + excluded.photos;
        INSERT INTO filed_by_quarter
            SELECT CAST(e.time / {QUARTER_SECONDS} AS INTEGER), ifnull(e.label, ''),
                iif(new.state = 'done', -1, 1)
            FROM corrections c JOIN entries e ON e.id = c.corrects
            WHERE c.entry = new.id AND e.state = 'done'
            ON CONFLICT DO UPDATE SET photos = photos + excluded.photos;
    END""",
)


class JournalError(BeartrayError):
    """The journal cannot be read or written, so no photo may be touched."""


class Database:
    """One connection, shared by the threads of a process; other processes may have their own.

    WAL mode with `synchronous=FULL`: a transaction that was committed survives a power cut.
    Paths are kept as bytes (`raw`), because a file name need not be text.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        """With `read_only` the file has to be there and is not written to, whatever is asked."""
        self._file = file
        self._lock = threading.RLock()
        self._db = self._open(read_only)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def version(self) -> tuple[int, int]:
        """Another value whenever this process, or another one, has written since."""
        with self.reading() as db:
            return db.total_changes, int(db.execute("PRAGMA data_version").fetchone()[0])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Raises `JournalError` where SQLite cannot read."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.Error as error:
                raise JournalError(f"{self._file}: cannot be read: {error}") from None

    @contextmanager
    def writing(self, *, lazily: bool = False) -> Iterator[sqlite3.Connection]:
        """All of it or nothing. Raises `JournalError` where SQLite cannot write.

        What is written `lazily` is safe from a crash at once, but from a power cut only once
        something later was written. https://www.sqlite.org/pragma.html#pragma_synchronous
        """
        with self._lock:
            try:
                self._db.execute(f"PRAGMA synchronous = {'NORMAL' if lazily else 'FULL'}")
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                if not isinstance(error, sqlite3.Error):
                    raise
                raise JournalError(
                    f"{self._file}: the journal cannot be written ({error}), so no photo is"
                    " touched; free some space or check the folder's permissions"
                ) from None

    def _open(self, read_only: bool) -> sqlite3.Connection:
        where = str(self._file)
        try:
            if read_only:
                where = _read_only(self._file)
            else:
                self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._file.touch(mode=0o600)
            db = sqlite3.connect(where, timeout=30, check_same_thread=False, uri=read_only)
        except (OSError, sqlite3.Error) as error:
            raise JournalError(f"{self._file}: the journal cannot be opened: {error}") from None
        try:
            require_room(self._file)
            version = _version(db) if read_only else _prepare(db)
            keep_room(self._file)
        except sqlite3.Error as error:
            db.close()
            raise JournalError(
                f"{self._file}: the journal cannot be used ({error}); free some space, check the"
                " folder's permissions, or rename the file to start a new one"
            ) from None
        if version > VERSION:
            db.close()
            raise JournalError(f"{self._file} was made by a newer Beartray; please update Beartray")
        return db


def raw(path: Path) -> bytes:
    return os.fsencode(path)


def path_of(value: bytes) -> Path:
    return Path(os.fsdecode(value))


def _prepare(db: sqlite3.Connection) -> int:
    db.isolation_level = None  # transactions are spelt out
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("BEGIN IMMEDIATE")
    version = _version(db)
    if version == 0:
        for statement in SCHEMA.split(";"):
            db.execute(statement)
        version = 1
    while version in MIGRATIONS:
        for statement in MIGRATIONS[version].split(";"):
            db.execute(statement)
        version += 1
        db.execute(f"PRAGMA user_version = {version}")
    if version <= VERSION:
        for statement in INDEXES.split(";"):
            db.execute(statement)
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'count_filed'").fetchone():
            for statement in TOTALS:
                db.execute(statement)
    db.execute("COMMIT")
    return version


def _read_only(file: Path) -> str:
    """https://www.sqlite.org/uri.html: what follows "file://" has to begin with a slash."""
    name = quote(os.fsencode(file.absolute().as_posix()), safe="/:")
    return f"file://{'' if name.startswith('/') else '/'}{name}?mode=ro"


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
