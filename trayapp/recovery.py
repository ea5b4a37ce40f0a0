"""Settles what ended processes left half-done: each row is completed or rolled back."""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from trayapp import disk, place
from trayapp.away import is_away, is_bare, is_unplugged, may_come_back
from trayapp.carry import Carrier, PlaceError, words
from trayapp.journal import Journal, Phase
from trayapp.photo import BeartrayError, Entry, Photo
from trayapp.place import Stand
from trayapp.rows import TakenError
from trayapp.steps import ChangedError, Step, inverse, look, sidecars

logger = logging.getLogger(__name__)

# What cannot be done for a sidecar any more is its own affair; the photo's row is settled.
_ITS_OWN = (FileNotFoundError, FileExistsError, ChangedError)
Held = Sequence[disk.Folder]


class Recovery:
    """`is_gone` tells whether a row's owner has ended.

    Rows of this process that nobody is at work on are settled, too: those whose end could not be
    written down, or that could neither be completed nor taken back. May be used by any thread;
    at one row there is one at a time.
    """

    def __init__(self, journal: Journal, is_gone: Callable[[str], bool]) -> None:
        self._journal, self._is_gone, self._carrier = journal, is_gone, Carrier(journal)
        self._lock = threading.Lock()
        self._at_work: set[int] = set()  # entries that a thread of this process is at

    def begin(self, begin: Callable[[], Entry]) -> Entry:
        """Begin a row that nobody else touches until it is left."""
        with self._lock:
            entry = begin()
            self._at_work.add(entry.id)
        return entry

    def claim(self, entry: Entry) -> bool:
        """Whether nobody else is at that row; then nobody else touches it until it is left."""
        with self._lock:
            is_free = entry.id not in self._at_work
            self._at_work.add(entry.id)
        return is_free

    def leave(self, entry: Entry) -> None:
        with self._lock:
            self._at_work.discard(entry.id)

    def recover(self) -> list[Entry]:
        """Complete or roll back what ended processes left half-done; returns those rows.

        A row whose folders cannot be looked at now (a disk that is not connected) waits.
        """
        settled = []
        for entry, owner in self._journal.unfinished():
            try:
                if not self._settle_unless_at_work(entry, owner):
                    continue
            except (OSError, BeartrayError) as error:
                logger.warning("entry %s waits: %s", entry.id, words(error))
                continue
            settled.append(self._journal.entry(entry.id))
        self._tidy()
        return settled

    def settle_at(self, path: Path) -> None:
        """Settle what was left half-done with the photo at `path`, before it is touched again, or
        with what is taken for its sidecar: that of another photo of this stem.

        Raises `PlaceError` while another process is at work on it, and what stands in the way.
        """
        for entry, step in self._journal.untidied():
            if step.kind == "remove" and step.target in (path, *sidecars(path)):
                self._settle_again(entry, step)
        for entry, owner in self._journal.unfinished():
            is_it = path in (entry.path, entry.destination)
            if not is_it and not self._concerns(entry, sidecars(path)):
                continue
            if not self._settle_unless_at_work(entry, owner) and is_it:
                raise PlaceError(f"{path.name} stays in place: it is being filed just now")

    def _concerns(self, entry: Entry, files: Iterable[Path]) -> bool:
        steps = self._journal.steps(entry, "do" if entry.state == "begun" else "undo")
        return not {path for step in steps for path in (step.source, step.target)}.isdisjoint(files)

    def _settle_unless_at_work(self, entry: Entry, owner: str) -> bool:
        """False where somebody works on the row: another process, or another thread of this."""
        if owner != self._journal.owner and not self._is_gone(owner):
            return False
        if not self.claim(entry):
            return False
        try:
            if owner != self._journal.owner and not self._journal.take_over(entry, owner):
                return False  # another process is quicker
            now = self._journal.entry(entry.id)
            if now.state in ("begun", "undoing"):  # else it was settled this moment
                self._settle(now)
        finally:
            self.leave(entry)
        return True

    def _settle(self, entry: Entry) -> None:
        phase: Phase = "do" if entry.state == "begun" else "undo"
        steps = self._journal.steps(entry, phase)
        for step in (*steps, *self._journal.steps(entry, "back")):
            place.tidy(step, entry.time, self._journal.now())
        folders = (path.parent for step in steps for path in (step.target, step.source))
        with disk.held_folders(folders) as held:  # a disk that goes away is noticed
            filed = self._journal.steps(entry, "do")[0]
            if is_unplugged(filed, steps[0], self._journal.made_folder):
                raise PlaceError(f"{steps[0].target} cannot be seen; its disk may be away")
            if self._stand(steps[0]) is Stand.BEFORE:
                if not self._can_be_seen(steps[0]):
                    raise PlaceError(f"neither {steps[0].source} nor {steps[0].target} can be seen")
                self._give_up(entry, phase, steps, held)
                return
            if _is_renamed(steps[0]):
                self._give_up(entry, phase, steps, held)
                return
            self._complete(entry, phase, steps, held)
            # What was killed, or failed, before it was synced is there now, but may not last.
            for folder in held:
                folder.sync()
        first = self._journal.steps(entry, phase)[0]
        is_it = _stand(first) is Stand.AFTER  # and not another photo that was put there since
        if phase == "do":
            self._remember(entry, steps)
            self._journal.finish(entry, look(entry.destination) if is_it else None)
        else:
            removed = self._carrier.remove_made_folders(entry.destination.parent)
            self._journal.end_undo(entry, look(entry.path) if is_it else None, removed)

    def _complete(self, entry: Entry, phase: Phase, steps: Sequence[Step], held: Held) -> None:
        for position, step in enumerate(steps):
            if self._stand(step) is not Stand.AFTER:
                try:
                    self._carrier.carry_out_one(entry, phase, position, step)
                except _ITS_OWN as error:
                    self._accept(step, error, held)
                    if phase == "do" and position:
                        self._journal.withdraw(entry, position)

    def _give_up(self, entry: Entry, phase: Phase, steps: Sequence[Step], held: Held) -> None:
        """The photo is where it was, or somebody took it away: its sidecars go back, too."""
        for step in reversed(steps[1:]):
            if self._stand(step) is not Stand.BEFORE:
                try:
                    self._carrier.take_back(entry, [_back(step)])
                except _ITS_OWN as error:
                    self._accept(step, error, held)
        if phase == "undo":
            self._remember(entry, steps)
            self._journal.fail_undo(entry, "undo was interrupted before it began")
            return
        removed = self._carrier.remove_made_folders(entry.destination.parent)
        self._journal.fail(entry, "interrupted before the photo was touched", removed)

    def _stand(self, step: Step) -> Stand:
        """As `place.stand`; raises `OSError` where a file that would tell may only be missing
        because its disk is not connected.
        """
        stand = _stand(step)
        if stand is Stand.AFTER and step.kind == "move" and step.arrived is None:
            return stand  # renamed, and the disk of both places is there
        if _was_changed_there(step):
            stand = Stand.AFTER
        for path, photo in _known_files(step):
            if look(path) is None and is_away(path.parent, photo, self._journal.made_folder):
                raise OSError(errno.ENODEV, os.strerror(errno.ENODEV), str(path))
        return stand

    def _can_be_seen(self, step: Step) -> bool:
        """Whether a step that seems not to have begun can be closed: its places can be looked at,
        or are gone for good."""
        if look(step.source) is not None:
            return True
        if step.kind != "move" and (step.kind != "copy" or step.arrived):
            return step.target.parent.is_dir()
        made, there = self._journal.made_folder, step.arrived or step.photo
        if is_away(step.target.parent, there, made) or is_bare(step.target.parent, there, made):
            return False
        if step.arrived is None:
            return True  # nothing came there, and what is on a disk that is away is still there
        folder = step.source.parent
        return not (is_away(folder, step.photo, made) or is_bare(folder, step.photo, made))

    def _accept(self, step: Step, error: OSError | BeartrayError, held: Held) -> None:
        """What cannot be done for a sidecar now is not done later; unless its disk went away."""
        for folder in held:
            folder.sync()  # raises, where it was pulled out this moment
        if any(
            is_away(path.parent, photo, self._journal.made_folder)
            for path, photo in ((step.source, step.photo), (step.target, step.arrived))
        ):
            raise error
        logger.warning("%s is left as it is: %s", step.source, words(error))

    def _remember(self, entry: Entry, steps: Sequence[Step]) -> None:
        """What may be on a disk that is not connected, although the row that is closed now says
        that it is not."""
        if lost := [removal for step in steps for removal in may_come_back(step)]:
            self._journal.take_back(entry, lost)

    def _settle_again(self, entry: Entry, removal: Step) -> None:
        """A photo that is filed is back where it came from, too, as its disk is; or its sidecar."""
        if place.stand(removal) is Stand.AFTER or entry.state != "done":
            return
        if not self.claim(entry):
            raise TakenError(f"{removal.target.name} stays in place: it is being filed just now")
        try:
            if self._stand(self._journal.steps(entry, "do")[0]) is not Stand.BEFORE:
                self._journal.take_again(entry)
                self._settle(self._journal.entry(entry.id))
        finally:
            self.leave(entry)

    def _tidy(self) -> None:
        """Temporary files that could not be removed, as their disk was away or read-only, and
        what has come back with its disk."""
        gone = []
        for entry, step in self._journal.untidied():
            folder = step.target.parent
            with (
                suppress(OSError, ChangedError, PlaceError, TakenError),
                disk.held_open(folder) as at,
            ):
                # An empty folder may be the mount point of the disk that is away.
                if any(folder.iterdir()):
                    if step.kind == "remove":
                        self._settle_again(entry, step)
                    else:
                        place.tidy(step, entry.time, self._journal.now())
                    at.sync()  # or it was pulled out meanwhile
                    gone.append(step)
        if gone:
            self._journal.tidied(gone)


def _known_files(step: Step) -> Iterator[tuple[Path, Photo]]:
    """The files that a step is about, where they are known to have been."""
    if step.kind == "move" and step.photo is not None:
        yield step.source, step.photo
    there = step.arrived if step.kind in ("move", "copy") else step.photo
    if there is not None:
        yield step.target, there


def _is_renamed(step: Step) -> bool:
    """Whether somebody renamed a photo when it was copied to another disk and had yet to go from
    its own: what they have named is kept, and the copy goes.
    """
    if step.kind != "move" or step.photo is None or step.arrived is None or look(step.source):
        return False
    for original in _same_number(step.source.parent, step.photo):
        with suppress(ChangedError):  # somebody has edited one of the two
            place.carry_out(Step("remove", original, step.target, step.arrived), lambda _: None)
            return True
    return False


def _same_number(folder: Path, photo: Photo) -> list[Path]:
    """What has this photo's number there, whatever that of its disk is by now."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        paths = [folder / entry.name for entry in entries if str(entry.inode()) == photo.number]
        return [path for path in paths if (now := look(path)) and now.looks_like(photo)]
    return []


def _back(step: Step) -> Step:
    """The step back; where a crash left both files, the one at the target is the one too many."""
    if _stand(step) is Stand.BETWEEN:
        return Step("remove", step.source, step.target, look(step.target))
    return inverse([step])[0]


def _stand(step: Step) -> Stand:
    """As `place.stand`; a photo that somebody took away needs no tags any more."""
    try:
        return place.stand(step)
    except FileNotFoundError:
        if step.kind == "tag" and step.target.parent.is_dir():
            return Stand.AFTER
        raise


def _was_changed_there(step: Step) -> bool:
    """Whether the file arrived, and somebody edited it before its row was closed."""
    moved = step.kind == "move" and look(step.source) is None
    return moved and look(step.target) is not None
