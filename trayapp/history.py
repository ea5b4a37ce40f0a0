"""What the journal says of photos: reads it and changes nothing."""

from __future__ import annotations

from pathlib import Path

from trayapp import rows
from trayapp.corrections import CURRENT, chain, put_right_by, puts_right
from trayapp.database import QUARTER_SECONDS, Database, path_of, raw
from trayapp.photo import Entry
from trayapp.rows import Phase
from trayapp.steps import Step


class History:
    """Every method raises `JournalError` where SQLite cannot read."""

    def __init__(self, database: Database) -> None:
        self._database = database

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

    def filed_into(self, folder: Path, photo: Path) -> list[Entry]:
        """The entries that are done and took the photo at that path to `folder`."""
        began = self.began_at(photo)
        return [one for one in began if one.state == "done" and one.destination.parent == folder]

    def newest_move(self, entry: Entry) -> Entry:
        """The entry that brought the photo to where it lies: `entry`, or what put it right."""
        *_, newest = (row for row in chain(entry, self.put_right_by) if row.action != "tag")
        return newest

    def puts_right(self, entry: Entry) -> Entry | None:
        """The entry that this one puts right, if any that is still known."""
        with self._database.reading() as db:
            before = puts_right(db, entry.id)
            return None if before is None else rows.entry(db, before)

    def untidied(self) -> list[tuple[Entry, Step]]:
        """Steps of closed rows of which nobody has made sure that what they may have left, their
        temporary files for one, is gone."""
        with self._database.reading() as db:
            found = db.execute(rows.UNTIDIED).fetchall()
            return [(rows.entry(db, row[-1]), rows.step(row)) for row in found]

    def made_folder(self, folder: bytes) -> bool:
        """Whether Beartray made this folder."""
        query = "SELECT 1 FROM made_folders WHERE path = ?"
        with self._database.reading() as db:
            return db.execute(query, (folder,)).fetchone() is not None

    def leads_back_to(self, folder: bytes) -> bool:
        """Whether something could be taken back to this folder, or below it."""
        with self._database.reading() as db:
            return rows.leads_back_to(db, path_of(folder))

    def _entries(self, where: str, *values: object) -> list[Entry]:
        with self._database.reading() as db:
            found = db.execute(f"{rows.ENTRY} FROM entries {where}", values).fetchall()
        return [rows.entry_of(row) for row in found]

    def _ids(self, query: str, value: float) -> list[int]:
        with self._database.reading() as db:
            return [id_ for (id_,) in db.execute(query, (value,)).fetchall()]
