"""Pure: compares a row of the journal with what the disk says, and puts the difference in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from trayapp.photo import BeartrayError, Entry, Photo
from trayapp.steps import Step

# fmt: off
Kind = Literal[
    "ok",           # as the journal says
    "filed again",  # a later row tells where the photo went from here
    "at work",      # a running Beartray is at it just now
    "moved",        # a person moved it elsewhere
    "edited",       # a person or a program changed it
    "missing",      # it is neither here nor in any place that was searched
    "twice",        # it also lies where it was taken away from
    "left behind",  # a sidecar did not go with its photo
    "half-done",    # interrupted; the next start settles it
    "temporary",    # an unfinished copy that no row needs any more
    "away",         # its folder cannot be looked at, so nothing is known
    "damaged",      # the journal's own file contradicts itself
]
# fmt: on
AGREES: frozenset[Kind] = frozenset({"ok", "filed again", "at work", "moved", "edited"})


@dataclass(frozen=True, slots=True)
class Row:
    """An entry, the steps that filed it and, where it was taken back, those of that.

    `at_work` tells of a row begun and not finished whether the process that began it still runs.
    """

    entry: Entry
    steps: Sequence[Step]
    undo_steps: Sequence[Step] = ()
    at_work: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of the file at `path`; `found` is where it is now, where that is known.

    `photo` is the version that was expected there. `why` adds what only the finder knows.
    """

    kind: Kind
    path: Path
    entry: Entry | None = None
    found: Path | None = None
    photo: Photo | None = None
    why: str = ""

    @property
    def agrees(self) -> bool:
        """Whether all is as it should be, or as a person made it since."""
        return self.kind in AGREES


class Disk(Protocol):
    """What is asked of the disk. Every method raises `OSError` or `BeartrayError` where it cannot
    be looked at.
    """

    def look(self, path: Path) -> Photo | None:
        """The file at `path`, None where there is none."""

    def is_folder(self, path: Path) -> bool: ...

    def same(self, one: Path, other: Path) -> bool:
        """Whether two files hold the same bytes."""

    def content(self, step: Step) -> bytes | None:
        """What the step "write" or "tag" changes, as it is now."""


class Book(Protocol):
    """What else the journal knows."""

    def filed_later(self, entry: Entry, place: Path) -> Sequence[tuple[Entry, Photo | None]]:
        """The rows after `entry` that began with a photo at `place`, each with that photo."""

    def is_filed(self, there: Photo) -> bool:
        """Whether a photo like the one that lies there counts as filed there."""

    def is_another(self, there: Photo) -> bool:
        """Whether the file that lies there is known to be another photo than was filed there."""

    def taken_back(self, place: Path, photo: Photo) -> Entry | None:
        """A row that was undone and took a photo like this one away from `place`."""

    def took_back_tags(self, photo: Path, sidecar: Path) -> bool:
        """Whether tags made the `sidecar` of the photo that lies at `photo`, and are undone."""

    def tagged_before(self, entry: Entry) -> Iterator[tuple[Entry, Sequence[Step]]]:
        """The rows before `entry` that tagged the photo at its place, newest first."""


def verify(row: Row, disk: Disk, book: Book) -> list[Finding]:
    """All there is to say about one row: what became of its photo first, then the rest.

    Whatever a person did with a photo since is told apart as far as the disk shows it; what is
    "missing" may have been deleted by its owner, too.
    """
    entry = row.entry
    if entry.state in ("begun", "undoing"):
        return [Finding("at work" if row.at_work else "half-done", entry.path, entry)]
    try:
        found = [_photo(row, disk, book)]
        if found[0].kind in ("ok", "edited"):
            found += _twice(row, disk, book) or _companions(row, disk, book)
        found += _temporaries(row, disk)
    except (OSError, BeartrayError) as error:  # a disk that fails, a pipe named like a sidecar
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        return [Finding("away", entry.place, entry, why=why)]
    return found


def _photo(row: Row, disk: Disk, book: Book) -> Finding:
    """What became of the photo. One that was never filed is its owner's business alone."""
    entry, place, photo = row.entry, row.entry.place, _expected(row)
    there = disk.look(place)
    if entry.state == "failed" or photo is None:
        return Finding("ok", place, entry)
    if there is not None and there.looks_like(photo):
        return Finding("ok", place, entry, photo=photo)
    other = _later(entry, photo, book)
    if other is None and place == entry.path:  # where an earlier row had brought it
        other = book.taken_back(place, photo)
    if other is not None:
        return Finding("filed again", place, entry, photo=photo, why=f"entry {other.id}")
    replaced = there is not None and book.is_another(there)
    if there is not None and not replaced:
        return Finding("edited", place, entry, photo=photo)
    if (back := _put_back(entry, photo, disk)) is not None:
        return Finding("moved", place, entry, back, photo)
    if not disk.is_folder(place.parent):
        return Finding("away", place, entry, photo=photo, why="its folder is not there")
    why = "another photo has its name now" if replaced else ""
    return Finding("missing", place, entry, photo=photo, why=why)


def _put_back(entry: Entry, photo: Photo, disk: Disk) -> Path | None:
    """The other of its two places, where a person moved it by hand; of a copy, which lies beside
    one that looks the same, only the very file will do.
    """
    other = entry.path if entry.place == entry.destination else entry.destination
    now = disk.look(other) if entry.action != "tag" else None
    is_it = photo.is_same_file if entry.action == "copy" else photo.looks_like
    return other if now is not None and is_it(now) else None


def _expected(row: Row) -> Photo | None:
    """The version of the photo that should lie at its place."""
    if not row.steps:
        return None
    first = row.steps[0]
    if row.entry.state == "undone" and row.entry.action == "move" and row.undo_steps:
        first = row.undo_steps[0]
    moved = row.entry.action != "tag" and (row.entry.action, row.entry.state) != ("copy", "undone")
    return (first.arrived if moved else None) or first.photo


def _later(entry: Entry, photo: Photo, book: Book) -> Entry | None:
    """The row that took the photo from here; one edited in between is known by its file."""
    for later, began_with in book.filed_later(entry, entry.place):
        if _is_copied(later):
            continue
        if began_with is None or began_with.looks_like(photo):
            return later
        if began_with.file_id == photo.file_id:
            return later
    return None


def _is_copied(later: Entry) -> bool:
    """Whether that row left the photo where it was, and says nothing of it any more."""
    return (later.action, later.state) == ("copy", "done")


def _twice(row: Row, disk: Disk, book: Book) -> list[Finding]:
    """A move that left its source, an undo that left what it took back."""
    entry, place = row.entry, row.entry.place
    other = entry.destination if place == entry.path else entry.path
    copied = entry.action == "copy" and entry.state == "done"
    if entry.action == "tag" or entry.state == "failed" or copied:
        return []
    here, there = disk.look(place), disk.look(other)
    if here is None or there is None or not there.looks_like(here):
        return []
    if book.filed_later(entry, entry.path) or book.is_filed(there):
        return []  # another row says why
    if not disk.same(place, other):
        return []
    return [Finding("twice", place, entry, other)]


def _companions(row: Row, disk: Disk, book: Book) -> Iterator[Finding]:
    """The sidecars that went with the photo, whatever other programs wrote into them since."""
    entry = row.entry
    if entry.state == "failed":
        return
    if entry.action == "tag":
        if all(later.action == "copy" for later, _ in book.filed_later(entry, entry.path)):
            yield from _tags(row, disk, book)
        return
    back = entry.state == "undone"
    if back and entry.action == "copy":
        return  # they never left
    steps = row.undo_steps if back else row.steps
    # What lies beside the original of a copy, or beside another photo of its old name, is theirs.
    is_theirs = entry.action == "copy" or any(disk.look(step.source) for step in steps[:1])
    for step in steps[1:]:
        if disk.look(step.target) is not None or book.took_back_tags(entry.place, step.target):
            continue
        left = None if is_theirs or disk.look(step.source) is None else step.source
        kind: Kind = "left behind" if left else "missing"
        yield Finding(kind, step.target, entry, left, step.arrived or step.photo)


def _tags(row: Row, disk: Disk, book: Book) -> Iterator[Finding]:
    back = row.entry.state == "undone"
    for step in row.steps:
        expected = _without_tags(step, row.entry, book) if back else step.after
        now = disk.content(step)
        if now == expected or (now is None and step.kind == "tag"):
            continue  # where the file system keeps no tags, the sidecar has them
        gone = now is None
        yield Finding("missing" if gone else "edited", step.target, row.entry)


def _without_tags(step: Step, entry: Entry, book: Book) -> bytes | None:
    """What was there before a tag that is undone, and before those that it was added to."""
    expected = step.before
    for other, steps in book.tagged_before(entry):
        for one in steps:
            if (one.kind, one.target, one.after) == (step.kind, step.target, expected):
                if other.state != "undone":
                    return expected
                expected = one.before
    return expected


def _temporaries(row: Row, disk: Disk) -> Iterator[Finding]:
    for step in (*row.steps, *row.undo_steps):
        if step.temporary is not None and disk.look(step.temporary) is not None:
            yield Finding("temporary", step.temporary, row.entry)
