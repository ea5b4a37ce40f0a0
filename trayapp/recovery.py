"""Settles what ended processes left half-done: each row is completed or rolled back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from trayapp import place
from trayapp.carry import Carrier, PlaceError, words
from trayapp.journal import Journal, Phase
from trayapp.photo import BeartrayError, Entry
from trayapp.place import Stand
from trayapp.steps import ChangedError, Step, inverse, look

logger = logging.getLogger(__name__)

# What cannot be done for a sidecar any more is its own affair; the photo's row is settled.
_ITS_OWN = (FileNotFoundError, FileExistsError, ChangedError)


class Recovery:
    """`is_gone` tells whether a row's owner has ended.

    Rows of this process that nobody is at work on are settled, too: those whose end could not be
    written down, or that could neither be completed nor taken back.
    """

    def __init__(self, journal: Journal, is_gone: Callable[[str], bool]) -> None:
        self._journal, self._is_gone, self._carrier = journal, is_gone, Carrier(journal)
        self.at_work: set[int] = set()  # entries that a thread of this process is taking back

    def recover(self) -> list[Entry]:
        """Complete or roll back what ended processes left half-done; returns those rows.

        A row whose folders cannot be looked at now (a disk that is not connected) waits.
        """
        settled = []
        for entry, owner in self._journal.unfinished():
            if self._is_at_work(entry, owner):
                continue
            try:
                self._settle(entry)
            except (OSError, BeartrayError) as error:
                logger.warning("entry %s waits: %s", entry.id, words(error))
                continue
            settled.append(self._journal.entry(entry.id))
        self._tidy()
        return settled

    def settle_at(self, path: Path) -> None:
        """Settle what was left half-done with the photo at `path`, before it is touched again.

        Raises `PlaceError` while another process is at work on it, and what stands in the way.
        """
        for entry, owner in self._journal.unfinished():
            if path in (entry.path, entry.destination):
                if self._is_at_work(entry, owner):
                    raise PlaceError(f"{path.name} stays in place: it is being filed just now")
                self._settle(entry)

    def _is_at_work(self, entry: Entry, owner: str) -> bool:
        """Whether somebody works on a row: another process, or another thread of this one."""
        if owner == self._journal.owner:
            return entry.id in self.at_work
        return not self._is_gone(owner)

    def _settle(self, entry: Entry) -> None:
        phase: Phase = "do" if entry.state == "begun" else "undo"
        steps = self._journal.steps(entry, phase)
        for step in (*steps, *self._journal.steps(entry, "back")):
            place.tidy(step, entry.time)
        if _stand(steps[0]) is Stand.BEFORE and not _was_changed_there(steps[0]):
            if not _is_settled_before(steps[0]):
                raise PlaceError(f"neither {steps[0].source} nor {steps[0].target} can be seen")
            self._give_up(entry, phase, steps)
            return
        for position, step in enumerate(steps):
            if _stand(step) is not Stand.AFTER and not _was_changed_there(step):
                try:
                    self._carrier.carry_out_one(entry, phase, position, step)
                except _ITS_OWN:
                    if phase == "do" and position:
                        self._journal.withdraw(entry, position)
        if phase == "do":
            self._journal.finish(entry, look(entry.destination))
        else:
            self._carrier.remove_made_folders(entry.destination.parent)
            self._journal.end_undo(entry, look(entry.path))

    def _give_up(self, entry: Entry, phase: Phase, steps: Sequence[Step]) -> None:
        """The photo is where it was, or somebody took it away: its sidecars go back, too."""
        for step in reversed(steps[1:]):
            if _stand(step) is not Stand.BEFORE:
                with suppress(*_ITS_OWN):
                    self._carrier.take_back(entry, [_back(step)])
        if phase == "undo":
            self._journal.fail_undo(entry, "undo was interrupted before it began")
            return
        with suppress(OSError):
            self._carrier.remove_made_folders(entry.destination.parent)
        self._journal.fail(entry, "interrupted before the photo was touched")

    def _tidy(self) -> None:
        """Temporary files that could not be removed, as their disk was away or read-only."""
        gone = []
        for step, begun in self._journal.untidied():
            with suppress(OSError):
                if step.target.parent.is_dir():
                    place.tidy(step, begun)
                    gone.append(step)
        if gone:
            self._journal.tidied(gone)


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


def _is_settled_before(step: Step) -> bool:
    """Whether a step that seems not to have begun can be closed: its places can be looked at."""
    if step.kind != "move":
        return step.target.parent.is_dir() or step.source.parent.is_dir()
    return look(step.source) is not None or (
        step.source.parent.is_dir() and step.target.parent.is_dir()
    )
