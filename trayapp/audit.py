"""Compares the whole journal with the disk, page by page; writes to neither."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from trayapp import disk, tags
from trayapp.database import Database
from trayapp.journal import Journal, Phase
from trayapp.notes import Notes
from trayapp.photo import Entry, Photo
from trayapp.steps import Step, is_temporary, look
from trayapp.verify import Finding, Row, verify
from trayapp.watch import scan

_CONTRADICTIONS = (
    ("PRAGMA foreign_key_check", "steps belong to no entry"),
    (
        "SELECT id FROM entries WHERE state != 'left' AND NOT EXISTS (SELECT 1 FROM steps"
        " WHERE entry = entries.id AND phase = 'do' AND position = 0) LIMIT 1000",
        "entries have no steps",
    ),
    (
        "SELECT id FROM entries WHERE action NOT IN ('move', 'copy', 'tag')"
        " OR state NOT IN ('begun', 'done', 'failed', 'undoing', 'undone', 'left') LIMIT 1000",
        "entries are of no known kind",
    ),
    (
        "SELECT path FROM notes WHERE outcome NOT IN"
        " ('existing', 'filed', 'unsure', 'unreadable', 'undone') LIMIT 1000",
        "notes are of no known kind",
    ),
)
PHASES: tuple[Phase, ...] = ("do", "undo", "back")
PAGE = 500  # rows between two looks at the journal, so that its writers are not held up
TRIES = 5  # for a row that is being changed while it is looked at


class RealDisk:
    """What `verify` asks of the disk."""

    def look(self, path: Path) -> Photo | None:
        return look(path)

    def is_folder(self, path: Path) -> bool:
        return path.is_dir()

    def same(self, one: Path, other: Path) -> bool:
        return disk.same_bytes(one, other)

    def content(self, step: Step) -> bytes | None:
        with suppress(FileNotFoundError):
            if step.kind == "tag":
                return tags.read_system_tags(step.target)
            return tags.read_sidecar(step.target)
        return None


class JournalBook:
    """What `verify` asks of the journal about other rows than the one it looks at."""

    def __init__(self, journal: Journal, notes: Notes) -> None:
        self._journal, self._notes = journal, notes

    def filed_later(self, entry: Entry, place: Path) -> Sequence[tuple[Entry, Photo | None]]:
        found = self._journal.began_at(place, entry.id)
        return [(later, self._photo(later)) for later in found]

    def is_filed(self, there: Photo) -> bool:
        filed = self._notes.filed_at(there.path)
        return filed is not None and filed.looks_like(there)

    def is_another(self, there: Photo) -> bool:
        return self.is_filed(there) or self._notes.is_known_elsewhere(there)

    def taken_back(self, place: Path, photo: Photo) -> Entry | None:
        for entry in self._journal.taken_back_from(place):
            steps = self._journal.steps(entry, "undo")
            taken = steps[0].photo if steps else None
            if taken and (taken.looks_like(photo) or taken.file_id == photo.file_id):
                return entry
        return None

    def took_back_tags(self, photo: Path, sidecar: Path) -> bool:
        return any(
            (step.kind, step.target, step.before) == ("write", sidecar, None)
            for entry in self._journal.began_at(photo)
            if (entry.action, entry.state) == ("tag", "undone")
            for step in self._journal.steps(entry, "do")
        )

    def tagged_before(self, entry: Entry) -> Iterator[tuple[Entry, Sequence[Step]]]:
        for other in reversed(self._journal.began_at(entry.path)):
            if other.id < entry.id and other.action == "tag":
                yield other, self._journal.steps(other, "do")

    def is_known(self, place: Path) -> bool:
        """Whether what lies there is a photo of its own."""
        return self._notes.filed_at(place) is not None or bool(self._journal.began_at(place))

    def _photo(self, entry: Entry) -> Photo | None:
        steps = self._journal.steps(entry, "do")
        return steps[0].photo if steps else None


def audit(
    journal_file: Path,
    is_at_work: Callable[[str], bool],
    places: Iterable[Path] = (),
    newest: int | None = None,
) -> Iterator[Finding]:
    """A finding for every row, oldest first, then what only shows when all have been seen.

    `is_at_work` tells whether the process that began a row still runs; photos that are not where
    they were filed are looked for in `places` and all that is below them. `newest` leaves out
    the rows before the newest ones. Raises `JournalError` where the journal cannot be read.
    """
    with closing(Database(journal_file, read_only=True)) as database:
        yield from _Audit(database, journal_file, is_at_work).run(places, newest)


class _Audit:
    def __init__(self, database: Database, file: Path, is_at_work: Callable[[str], bool]) -> None:
        self._database, self._file, self._is_at_work = database, file, is_at_work
        self._journal = Journal(database, "")
        self._book = JournalBook(self._journal, Notes(database))
        self._disk = RealDisk()
        self._lost: list[Finding] = []  # to be looked for
        self._folders: set[Path] = set()  # that photos were filed from and to
        self._temporaries: set[Path] = set()  # that were told of

    def run(self, places: Iterable[Path], newest: int | None) -> Iterator[Finding]:
        yield from _damage(self._database, self._file)
        last = self._first(newest)
        while page := self._journal.after(last, PAGE):
            for entry in page:
                yield from self._sift(self._look(entry))
            last = page[-1].id
        yield from self._search(places)
        if newest is None:
            yield from self._leftovers()

    def _first(self, newest: int | None) -> int:
        if newest is None:
            return 0
        entries = self._journal.history(newest)
        return entries[-1].id - 1 if entries else 0

    def _look(self, entry: Entry) -> list[Finding]:
        """What is found of a row that stays the same while its files are looked at."""
        for _ in range(TRIES):
            found = verify(self._row(entry), self._disk, self._book)
            if all(finding.kind == "ok" for finding in found):
                return found
            now = self._journal.entry(entry.id)
            if now == entry:
                return found
            entry = now
        return found

    def _row(self, entry: Entry) -> Row:
        steps = self._journal.steps
        if entry.state in ("begun", "undoing"):
            owners = {other.id: owner for other, owner in self._journal.unfinished()}
            owner = owners.get(entry.id)  # none: it was finished this moment
            return Row(entry, (), (), owner is not None and self._is_at_work(owner))
        taken_back = steps(entry, "undo") if entry.state == "undone" else ()
        return Row(entry, steps(entry, "do"), taken_back)

    def _sift(self, found: Iterable[Finding]) -> Iterator[Finding]:
        """Photos that are not where they should be wait for the search at the end."""
        for finding in found:
            if finding.entry is not None:
                self._folders |= {finding.entry.path.parent, finding.entry.destination.parent}
            if finding.kind == "temporary":
                self._temporaries.add(finding.path)
            if finding.kind in ("missing", "away") and finding.photo is not None:
                self._lost.append(finding)
            else:
                yield finding

    def _search(self, places: Iterable[Path]) -> Iterator[Finding]:
        """Photos that a person moved are known by their file, or by size and time."""
        lost: dict[tuple[int, int], list[Finding]] = {}
        for finding in self._lost:
            if finding.photo is not None:
                lost.setdefault(_version(finding.photo), []).append(finding)
        for path in self._files(places) if lost else ():
            photo = Photo.seen(path)
            alike = lost.get(_version(photo), []) if photo else []
            for finding in alike:
                if photo is not None and self._is_it(photo, finding):
                    alike.remove(finding)
                    yield replace(finding, kind="moved", found=path, why="")
                    break
        for alike in lost.values():
            yield from alike

    def _is_it(self, found: Photo, lost: Finding) -> bool:
        if lost.photo is not None and found.file_id == lost.photo.file_id:
            return True
        entry = lost.entry
        if entry is not None and entry.action == "copy" and found.path.parent == entry.path.parent:
            return False  # the original, or its sidecar
        return not self._book.is_known(found.path)

    def _files(self, places: Iterable[Path]) -> Iterator[Path]:
        for place in places:
            with suppress(OSError):
                yield from scan(place, True, lambda _: False, lambda _: None)
        for folder in sorted(self._folders.union(*map(_renamed, self._folders))):
            with suppress(OSError):
                yield from scan(folder, False, lambda _: False)

    def _leftovers(self) -> Iterator[Finding]:
        """Temporary files that no unfinished row names."""
        found = [path for path in self._hidden() if path not in self._temporaries]
        needed = set[Path]()
        for entry, _ in self._journal.unfinished() if found else ():
            for phase in PHASES:
                steps = self._journal.steps(entry, phase)
                needed |= {step.temporary for step in steps if step.temporary}
        for path in found:
            if path not in needed and os.path.lexists(path):
                yield Finding("temporary", path)

    def _hidden(self) -> Iterator[Path]:
        for folder in sorted(self._folders):
            with suppress(OSError), os.scandir(folder) as entries:
                yield from (folder / entry.name for entry in entries if is_temporary(entry.name))


def _damage(database: Database, file: Path) -> Iterator[Finding]:
    """What is wrong with the file itself, one finding for each kind of damage."""
    with database.reading() as db:
        for (line,) in db.execute("PRAGMA integrity_check(10)").fetchall():
            if line != "ok":
                yield Finding("damaged", file, why=line)
        for query, why in _CONTRADICTIONS:
            count = len(db.execute(query).fetchall())
            if count:
                yield Finding("damaged", file, why=f"{count} {why}")


def _renamed(folder: Path) -> set[Path]:
    """What a folder that is gone may be called now: the folders that lie where it, or the one
    above it that is gone too, lay.
    """
    gone = [path for path in (folder, *folder.parents) if not path.is_dir()]
    if not gone:
        return set()
    below = folder.relative_to(gone[-1])
    with suppress(OSError), os.scandir(gone[-1].parent) as entries:
        return {Path(one) / below for one in entries if one.is_dir(follow_symlinks=False)}
    return set()


def _version(photo: Photo) -> tuple[int, int]:
    return photo.size, photo.mtime_ns
