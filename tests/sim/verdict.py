"""Looks at disks and journal when all is over: what must hold, whatever happened."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.sim import back
from tests.sim.correcting import check_put_right
from tests.sim.parts import LABELS
from tests.sim.witness import number
from tests.sim.world import LostError, Process
from trayapp.audit import JournalBook, RealDisk
from trayapp.corrections import CURRENT
from trayapp.database import Database, path_of
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.photo import Entry, Photo
from trayapp.steps import Step
from trayapp.verify import Row, verify
from trayapp.watch import is_wanted

if TYPE_CHECKING:
    from tests.sim.run import Run


def after(run: Run) -> None:
    """All is well again and Beartray had time: nothing is lost, and everything is dealt with."""
    with_books(run, lambda journal, _: _settled(run, journal))
    assert run.live is not None
    _nothing_lost(run, run.live.journal)
    _rows_agree(run, run.live.journal)
    _verify_agrees(run, run.live.journal, run.live.notes)
    _left_agree(run, run.live.database)
    _all_dealt_with(run)


def undone(run: Run) -> None:
    """Everything that can be is taken back, and what cannot be says rightly why."""
    before = run.witness.contents()

    def again(journal: Journal, filing: Filing) -> None:
        if settled := filing.recover():
            raise LostError(f"recovery had something left to do: {settled}")
        if run.witness.contents() != before:
            raise LostError("recovery changed what was settled")
        refused = [entry for entry in journal.filed() if not back.undo(run, journal, filing, entry)]
        _nothing_lost(run, journal)
        back.check(run, journal, refused)

    with_books(run, again)


def with_books(run: Run, look: Callable[[Journal, Filing], None]) -> None:
    """Let a process of its own look; what it raises is raised here."""
    process, raised = Process("judge"), list[BaseException]()

    def body() -> None:
        try:
            with run.books() as (journal, filing):
                look(journal, filing)
        except LostError as error:
            raised.append(error)

    run.world.start(process, body)
    run.world.run_until(run.world.now)
    if raised:
        raise raised[0]


def _settled(run: Run, journal: Journal) -> None:
    """A row waits only where nobody can tell: the photo is gone, and so is where it would be."""
    unfinished = [
        entry
        for entry, _ in journal.unfinished()
        if Photo.seen(entry.path) or entry.destination.parent.is_dir()
    ]
    if unfinished:
        raise LostError(f"rows are still half-done: {unfinished}")


def _nothing_lost(run: Run, journal: Journal) -> None:
    """Each content is there as often as the person wants it.

    One is allowed more of what a power cut, or a disk that was pulled out, brought back under its
    old name, or a crash left there beside its copy on another disk, where the person gave one of
    the two another name, or place, before Beartray could look: to that it is another file.
    """
    person, found = run.person, defaultdict[bytes, list[str]](list)
    rows = journal.history()
    tagged = {str(entry.destination) for entry in rows if entry.action == "tag"}
    for path, data in run.witness.contents().items():
        if "/." in path:
            raise LostError(f"a temporary file is left behind: {path}")
        if not person.made[data]:
            if not _held_a_name(run, path, data, journal):
                _check_strange(run, path, data, tagged)
            continue
        found[data].append(path)
    copies, seen = _filed_twice(run, rows), set[tuple[bytes, Path]]()
    for entry in rows:
        content, folder = run.begun.get(entry.id, b""), entry.destination.parent
        # A copy that a person has moved elsewhere is theirs; its row may count as taken back. Where
        # one was put right, `beartray sort` makes another.
        is_theirs = content in person.touched | run.put_right
        if entry.action == "copy" and (entry.state == "done" or is_theirs):
            copies[content] += is_theirs or (content, folder) not in seen
            seen.add((content, folder))
    merged = run.witness.markers() if any(entry.action == "tag" for entry in rows) else {}
    copied = sum(entry.action == "copy" for entry in rows)  # each may have taken a sidecar along
    for content, made in person.made.items():
        more = copied if content.startswith(b"<") else copies[content]
        more += content in person.parted
        _count(run, content, made, found[content], more, merged)


def _filed_twice(run: Run, rows: list[Entry]) -> Counter[bytes]:
    """Photos that a disk, pulled out in the middle of their move, brought back beside their copy,
    and that the person gave another name before Beartray could look: to it they are new ones."""
    renamed = {
        content for content, before in run.pulled_out.items() if run.person.moves[content] > before
    }
    tree, names = run.witness.contents(), defaultdict[bytes, set[Path]](set)
    for entry in rows:
        content = run.begun.get(entry.id, b"")
        moved = entry.action == "move" and entry.state in ("done", "undone")
        if moved and content in renamed and tree.get(str(entry.place)) == content:
            names[content].add(entry.path)
    return Counter({content: 1 for content, under in names.items() if len(under) > 1})


def _held_a_name(run: Run, path: str, data: bytes, journal: Journal) -> bool:
    """Whether this is the empty file that held a photo's name, or a sidecar's, on a share, after a
    power cut, and the person deleted or moved that before Beartray could look, which on a share
    takes some seconds: it may be the photo, emptied."""
    inode, person = run.world.disks.find(path), run.person
    if data or inode.disk.exclusive_rename or inode.disk.hard_links:
        return False
    contents, steps = list[bytes](), list[Step]()
    for entry in journal.history():
        if path in (str(entry.path), str(entry.destination)):
            contents.append(run.begun.get(entry.id, b""))
        steps += journal.steps(entry, "do")[1:] + journal.steps(entry, "undo")[1:]
    ends = {str(end) for step in steps if path == str(step.target) for end in (step.source, path)}
    contents += [content for content, first in person.first.items() if first in ends]
    theirs = (content for content in contents if content in person.by_hand)  # not as it came
    return any(person.removed[content] or person.moves[content] for content in theirs)


def _check_strange(run: Run, path: str, data: bytes, tagged: set[str]) -> None:
    """Only tag mode writes anything of its own, and only sidecars."""
    if data.startswith(b"<") and tagged:
        return
    raise LostError(f"nobody wrote what is in {path}: {data[:40]!r}")


def _count(
    run: Run,
    content: bytes,
    made: int,
    places: list[str],
    copies: int,
    merged: dict[bytes, list[str]],
) -> None:
    if content.startswith(b"<") and merged:
        places = merged.get(number(content), [])
    least = max(0, made - run.person.removed[content])
    most = made + copies
    if len(places) < least:
        raise LostError(f"lost: {content!r}, put to {run.person.first.get(content)}")
    if len(places) > most:
        raise LostError(f"there {len(places)} times, not {most}: {content!r} at {places}")


def _rows_agree(run: Run, journal: Journal) -> None:
    """Each content that no person has moved or changed lies where its rows say, and nowhere else;
    the last of those that hold says what it is.

    Nothing is known of a row whose photo was deleted as it was begun: another one that came to its
    name at once, and that no stat tells from it, may have been filed by it.
    """
    rows, places = defaultdict[bytes, list[Entry]](list), defaultdict[bytes, set[Path]](set)
    for entry in reversed(journal.history()):
        if entry.state != "failed":
            rows[run.begun.get(entry.id, b"")].append(entry)
    for path, data in run.witness.contents().items():
        places[data].add(Path(path))
    for content, of_it in rows.items():
        waits = any(entry.state in ("begun", "undoing") for entry in of_it)  # see `_settled`
        if content in run.person.touched or waits or not content:
            continue
        if (said := _said_places(of_it)) != places[content]:
            found = sorted(map(str, places[content]))
            raise LostError(f"row and disk disagree: {content!r} is at {found}, not {said}")
        held = [entry for entry in of_it if entry.state == "done"]
        for newest in held[-1:]:
            label = run.said.get(newest.id, _label(content))
            if newest.label != label:
                raise LostError(f"filed as {newest.label}, not {label}: {content!r}")
            if newest.id in run.said:
                check_put_right(run, newest)


def _said_places(rows: list[Entry]) -> set[Path]:
    """Where a photo and its copies are, as its rows, the oldest first, say: one that was taken back
    says nothing, as it is taken back before those that it was done upon."""
    places = {rows[0].path}
    for entry in rows:
        if entry.state == "done" and entry.action == "move":
            places.discard(entry.path)
        if entry.state == "done" and entry.action != "tag":
            places.add(entry.destination)
    return places


def _verify_agrees(run: Run, journal: Journal, notes: Notes) -> None:
    """`history --verify` finds no photo wrong that no person has moved or changed; of sidecars,
    which may be anybody's, it only has to come to an end."""
    disk, book = RealDisk(), JournalBook(journal, notes)
    for entry in journal.history():
        taken_back = journal.steps(entry, "undo") if entry.state == "undone" else ()
        for finding in verify(Row(entry, journal.steps(entry, "do"), taken_back), disk, book):
            is_photo = finding.path == entry.place or finding.kind == "temporary"
            theirs = finding.agrees or run.begun.get(entry.id, b"") in run.person.touched
            if is_photo and not theirs and finding.kind != "half-done":
                raise LostError(f"verified, and {finding.kind}: {finding.path} of {entry}")


def _left_agree(run: Run, database: Database) -> None:
    """What is listed as not recognised lies there, if no person has moved or changed it."""
    query = f"SELECT path FROM entries WHERE state = 'left' AND {CURRENT}"
    with database.reading() as db:
        paths = [path_of(value) for (value,) in db.execute(query).fetchall()]
    tree = run.witness.contents()
    for path in paths:
        content, there = run.left.get(path), tree.get(str(path))
        # Unknown where the person has renamed it; or it is another that has its name since.
        moved = content is None or not run.person.touched.isdisjoint({content, there})
        if not moved and there != content:
            raise LostError(f"listed as not recognised, and not there: {path}: {content!r}")


def _label(content: bytes) -> str | None:
    kind = content.split(b"|")[0].decode()
    return kind if kind in LABELS else None


def _all_dealt_with(run: Run) -> None:
    """Every photo in the folder is known to be filed, unsure, unreadable or left alone, or the
    person was told why not."""
    assert run.live is not None
    notes, told = run.live.notes, run.live.pipeline._told
    folder = str(run.live.root)
    rows = run.live.journal.filed()
    filed = {run.begun.get(entry.id) for entry in rows}
    if run.live.paused:
        raise LostError("Beartray is paused")

    for path, inode in run.world.disks.tree().items():
        if path.rpartition("/")[0] != folder or not is_wanted(Path(path), []):
            continue
        outcome = _as_nobody(run, notes, Path(path))
        is_filed = inode.data in filed or inode.data in run.person.touched
        is_filed |= run.witness.has_twin(path, inode)  # which was copied or tagged there
        if outcome == "filed" and not is_filed:
            raise LostError(f"counts as filed, and no row says so: {path}: {inode.data!r}")
        if outcome is None and not _holds(run, told.get(Path(path), "")):
            raise LostError(f"not dealt with: {path}: {inode.data!r}")
        theirs = inode.data in run.put_right | run.person.touched
        if outcome == "unsure" and _label(inode.data) is not None and not theirs:
            raise LostError(f"counts as not recognised: {path}: {inode.data!r}")


def _holds(run: Run, reason: str) -> bool:
    """Whether what the person was told stands in the photo's way, now that all is well."""
    missing = re.search(r"stays in place: (.*) is not there; connect its disk or make it", reason)
    if missing is not None:
        return run.world.disks.seen(missing[1]) is None
    return "a file is where a folder should be" in reason or "is a file, not a folder" in reason


def _as_nobody(run: Run, notes: Notes, path: Path) -> str | None:
    found: list[str | None] = []
    run.world.as_person(lambda: found.append(notes.noted(Photo.at(path))))
    return found[0]
