"""Takes back what was filed, when all is over: what may refuse, and where everything is then."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from tests.sim.witness import number
from tests.sim.world import LostError
from trayapp.filing import Filing, UndoError
from trayapp.journal import Journal
from trayapp.photo import Entry, Photo
from trayapp.steps import Step, sidecars

if TYPE_CHECKING:
    from tests.sim.run import Run


def undo(run: Run, journal: Journal, filing: Filing, entry: Entry) -> bool:
    """Take one row back; raise where a refusal is not right."""
    reasons = _reasons(run, journal, entry)
    try:
        filing.undo(journal.entry(entry.id))
    except UndoError as error:
        if not reasons:
            raise LostError(f"undo refused without a reason: {error}; {entry}") from None
        return False
    return True


def _reasons(run: Run, journal: Journal, entry: Entry) -> list[str]:
    """Why an entry may not be taken back."""
    steps = journal.steps(entry, "do")
    first: Step = steps[0]
    there = Photo.seen(entry.destination)
    if journal.put_right_by(entry) is not None:  # it was newer, so that it was refused
        return ["what put it right cannot be taken back"]
    if entry.action == "tag":
        return _tag_reasons(run, steps)
    if there is None:
        return ["it is gone"]
    filed = first.arrived or first.photo
    assert filed is not None
    reasons = [] if there.looks_like(filed) else ["it has changed"]
    if entry.action == "copy":
        return reasons + _copy_reasons(steps)
    if Photo.seen(entry.path):
        reasons.append("its place is taken")
    if not entry.path.parent.is_dir() and not entry.path.parent.parent.is_dir():
        reasons.append("its folder is gone")
    if Photo.seen(entry.path.parent):
        reasons.append("a file is where its folder was")
    if any(Photo.seen(step.source) for step in steps[1:]):
        reasons.append("a sidecar's place is taken")
    stem = entry.path.stem
    for sidecar in sidecars(entry.destination):
        name = sidecar.name
        tail = name.removeprefix(entry.destination.stem)
        for old in (entry.path.name + sidecar.suffix, stem + tail, stem + sidecar.suffix):
            if Photo.seen(entry.path.with_name(old)):
                reasons.append("a sidecar's place is taken")
    return reasons


def _copy_reasons(steps: tuple[Step, ...]) -> list[str]:
    reasons = []
    for step in steps:
        one, other = Photo.seen(step.source), Photo.seen(step.target)
        if one is None or other is None:
            reasons.append("one of two is gone")
        elif step.source.read_bytes() != step.target.read_bytes():
            reasons.append("they differ")
        elif step.arrived and not other.looks_like(step.arrived):
            reasons.append("the copy was changed")
    return reasons


def _tag_reasons(run: Run, steps: tuple[Step, ...]) -> list[str]:
    reasons = []
    for step in steps:
        inode = run.world.disks.seen(str(step.target))
        if inode is None:
            reasons.append("it is gone")
        elif step.kind == "write" and inode.data != step.after:
            reasons.append("the sidecar was changed")
        elif step.kind == "tag" and inode.attributes.get("user.xdg.tags") != step.after:
            reasons.append("the tags were changed")
    return reasons


def check(run: Run, journal: Journal, refused: list[Entry]) -> None:
    """What no person touched lies where it was put, but for what rightly stays filed, and for what
    no stat tells from another photo that was put there.
    """
    kept = {str(entry.destination.parent) for entry in refused}
    undone = [entry for entry in journal.history() if entry.state == "undone"]
    merged = run.witness.markers()
    tree = run.witness.contents()
    for content, first in run.person.first.items():
        if content in run.person.touched or tree.get(first) == content:
            continue
        places = [path for path, data in tree.items() if data == content]
        if any(run.witness.has_twin(first, run.world.disks.find(path)) for path in places):
            continue  # its move was cut off, and what has its name since was taken for it
        if content.startswith(b"<"):
            places = merged.get(number(content), [])
            if first in places or _is_with_its_photo(run, content, first, places):
                continue
            if _is_in_the_way(run, content, places, undone):
                continue
        if not _folders(places) & kept:
            raise LostError(f"not back at {first}: {content!r} is at {places}")


def _is_with_its_photo(run: Run, sidecar: bytes, first: str, places: list[str]) -> bool:
    """Whether a sidecar is rightly elsewhere than where it was put: beside a photo that it has
    belonged to by its name, as where the person put it beside one that was filed (of a copy,
    which is gone again, it stays); or anywhere, if they have moved, deleted or edited such a
    photo by hand, and left it behind, so that it may have gone with the next one of its name."""
    photos = run.witness.beside[number(sidecar)]
    if photos & run.person.by_hand or any(run.witness.is_beside(p) & photos for p in places):
        return True
    tree, first_of = run.witness.contents(), run.person.first
    homes = {first_of[photo] for photo in photos if tree.get(first_of.get(photo, "")) == photo}
    return bool(homes) and not _folders(homes) & _folders([first])


def _is_in_the_way(run: Run, sidecar: bytes, places: list[str], undone: list[Entry]) -> bool:
    """Whether the person put another file to where a sidecar was, or to where an earlier row had
    brought it, while an interrupted undo was still to be settled, so that it stayed where its photo
    had been taken away."""
    first, home = run.person.first, run.person.first[sidecar]
    if not _folders(places) & {str(entry.destination.parent) for entry in undone}:
        return False
    if first.get(run.witness.contents().get(home, b"")) == home:
        return True
    names = {path.rpartition("/")[2] for path in places}
    back = {str(entry.path.parent) for entry in undone} - _folders([home])
    others = {path for content, path in first.items() if content != sidecar}
    return not others.isdisjoint(f"{folder}/{name}" for folder in back for name in names)


def _folders(paths: Iterable[str]) -> set[str]:
    return {path.rpartition("/")[0] for path in paths}
