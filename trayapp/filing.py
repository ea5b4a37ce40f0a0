"""One photo from its plan to its place and back: journal.begin, place, journal.finish; recovery."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from trayapp import place
from trayapp.errors import explain
from trayapp.journal import Journal, Phase
from trayapp.photo import BeartrayError, Entry, Photo, Plan
from trayapp.place import Stand
from trayapp.steps import (
    ChangedError,
    Step,
    follow_step,
    inverse,
    look,
    prepare,
    steps_of,
    undo_steps,
)

logger = logging.getLogger(__name__)


class PlaceError(BeartrayError):
    """A photo could not be put where it belongs; it lies where it lay."""


class GoneError(BeartrayError):
    """The photo is no longer where it was; somebody took it away."""


class HalfDoneError(BeartrayError):
    """A photo or its sidecar is where it should not be; its row stays open for recovery."""


class UndoError(BeartrayError):
    """An entry cannot be taken back; all stays as it is."""


class Filing:
    """Carries out plans and takes them back; `is_gone` tells whether a row's owner has ended."""

    def __init__(self, journal: Journal, is_gone: Callable[[str], bool]) -> None:
        self._journal, self._is_gone = journal, is_gone

    def file(self, plan: Plan, batch: int | None) -> Entry:
        """Carry out `plan`; `batch` None starts a new batch.

        Raises `ChangedError` when the photo is not the one that was classified, `GoneError` when
        it is gone, `PlaceError` with the reason otherwise, `JournalError` when nothing may be
        touched. After an error all is as it was.
        """
        path = plan.photo.path
        try:
            place.check(plan.photo)
            return self._file(plan, batch)
        except FileNotFoundError as error:
            if not os.path.lexists(path):
                raise GoneError(f"{path} is no longer there") from None
            raise PlaceError(f"{path.name} stays in place: {explain(error)}") from None
        except OSError as error:
            raise PlaceError(f"{path.name} stays in place: {explain(error)}") from None

    def undo(self, entry: Entry) -> Entry:
        """Take `entry` back. Raises `UndoError`, which says why not."""
        if entry.state != "done":
            raise UndoError(f"{entry.path.name}: {_why_not(entry)}")
        try:
            steps = tuple(
                prepare(step) for step in undo_steps(entry, self._journal.steps(entry, "do"))
            )
            photo = _first_photo(steps)
            _make_old_folder(entry)
        except (OSError, BeartrayError) as error:
            raise UndoError(f"{entry.path.name} stays filed: {_words(error)}") from None
        self._journal.begin_undo(entry, steps, photo)
        try:
            self._carry_out(entry, "undo", steps)
        except HalfDoneError:
            raise
        except (OSError, BeartrayError) as error:
            reason = f"{entry.path.name} stays filed: {_words(error)}"
            self._journal.fail_undo(entry, reason)
            raise UndoError(reason) from None
        self._journal.end_undo(entry, look(entry.path))
        self._remove_made_folders(entry.destination.parent)
        return self._journal.entry(entry.id)

    def follow(self, sidecar: Path) -> Entry | None:
        """Take a sidecar that came after its photo was filed to where the photo is.

        None where it belongs to no photo that was filed. Raises `PlaceError` with the reason.
        """
        entry = self._owner_of(sidecar)
        if entry is None:
            return None
        try:
            step = prepare(follow_step(entry, sidecar))
            position = self._journal.reopen(entry, step)
            try:
                self._carry_out_one(entry, "do", position, step)
            finally:  # with or without it, the photo is where it was filed
                self._journal.finish(entry, look(entry.destination))
        except OSError as error:
            raise PlaceError(f"{sidecar.name} stays in place: {explain(error)}") from None
        return entry

    def recover(self) -> list[Entry]:
        """Complete or roll back what ended processes left half-done; returns those rows.

        A row whose folders cannot be looked at now (a disk that is not connected) waits.
        """
        settled = []
        for entry, owner in self._journal.unfinished():
            if not self._is_gone(owner):
                continue
            try:
                self._settle(entry)
            except (OSError, BeartrayError) as error:
                logger.warning("entry %s waits: %s", entry.id, _words(error))
                continue
            settled.append(self._journal.entry(entry.id))
        return settled

    def _owner_of(self, sidecar: Path) -> Entry | None:
        """The filed photo that a sidecar belongs to, unless a photo of that name is here again."""
        stem = Path(sidecar.stem).stem if Path(sidecar.stem).suffix else sidecar.stem
        for entry in self._journal.filed_from(sidecar.parent, stem):
            names = {f"{entry.path.name}{sidecar.suffix}", f"{entry.path.stem}{sidecar.suffix}"}
            if sidecar.name in names and entry.action != "tag" and not entry.path.exists():
                return entry
        return None

    def _file(self, plan: Plan, batch: int | None) -> Entry:
        entry = None
        for offer in steps_of(plan):
            steps = tuple(prepare(step) for step in offer)
            if entry is None:
                entry = self._journal.begin(plan, steps, batch)
            else:
                entry = self._journal.redirect(entry, steps, plan.photo)
            try:
                self._make_folder(plan)
                self._carry_out(entry, "do", steps)
            except FileExistsError:
                continue  # somebody took the name this moment
            except HalfDoneError:
                raise
            except BaseException as error:
                with suppress(OSError):
                    self._remove_made_folders(entry.destination.parent)
                self._journal.fail(entry, _words(error))
                raise
            self._journal.finish(entry, look(steps[0].target))
            return self._journal.entry(entry.id)
        if entry is not None:
            self._journal.fail(entry, "no free name")
        raise PlaceError(f"{plan.photo.path.name} stays in place: no free name in {plan.folder}")

    def _carry_out(self, entry: Entry, phase: Phase, steps: Sequence[Step]) -> None:
        """All of the steps, or none of them."""
        done: list[Step] = []
        try:
            for position, step in enumerate(steps):
                done.append(self._carry_out_one(entry, phase, position, step))
        except BaseException as error:
            try:
                for step in reversed(inverse(done)):
                    place.carry_out(prepare(step), lambda _: None)
            except (OSError, ChangedError) as second:
                raise HalfDoneError(
                    f"{entry.path.name}: {_words(error)}; then {_words(second)}; the next start of"
                    " Beartray puts this right"
                ) from error
            raise

    def _carry_out_one(self, entry: Entry, phase: Phase, position: int, step: Step) -> Step:
        carried = step

        def arrived(copied: Step) -> None:
            nonlocal carried
            assert copied.arrived is not None
            self._journal.arrived(entry, phase, position, copied.arrived)
            carried = copied

        place.carry_out(step, arrived)
        return carried

    def _settle(self, entry: Entry) -> None:
        phase: Phase = "do" if entry.state == "begun" else "undo"
        steps = self._journal.steps(entry, phase)
        for step in steps:
            place.tidy(step)
        if place.stand(steps[0]) is Stand.BEFORE:
            if not _is_settled_before(steps[0]):
                raise PlaceError(f"neither {steps[0].source} nor {steps[0].target} can be seen")
            self._give_up(entry, phase)
            return
        for position, step in enumerate(steps):
            if place.stand(step) is not Stand.AFTER:
                with suppress(FileNotFoundError, FileExistsError, ChangedError):  # a sidecar's own
                    self._carry_out_one(entry, phase, position, step)
        if phase == "do":
            self._journal.finish(entry, look(entry.destination))
        else:
            self._journal.end_undo(entry, look(entry.path))

    def _give_up(self, entry: Entry, phase: Phase) -> None:
        if phase == "undo":
            self._journal.fail_undo(entry, "undo was interrupted before it began")
            return
        self._journal.fail(entry, "interrupted before the photo was touched")
        with suppress(OSError):
            self._remove_made_folders(entry.destination.parent)

    def _make_folder(self, plan: Plan) -> None:
        folder = plan.folder
        if folder is None or folder.is_dir():
            return
        if plan.base is not None and not plan.base.is_dir():
            raise PlaceError(
                f"{plan.photo.path.name} stays in place: {plan.base} is not there; connect its"
                " disk or make it"
            )
        missing = [path for path in (folder, *folder.parents) if not os.path.lexists(path)]
        self._journal.made_folders(os.fsencode(path) for path in missing)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise PlaceError(f"{folder} is a file, not a folder; rename it") from None

    def _remove_made_folders(self, folder: Path) -> None:
        """Empty folders that Beartray made go again, from the inside out."""
        for path in (folder, *folder.parents):
            if not self._journal.made_folder(os.fsencode(path)):
                return
            try:
                path.rmdir()  # refuses a folder that is not empty
            except OSError:
                return
            self._journal.forget_made_folder(os.fsencode(path))


def _first_photo(steps: Sequence[Step]) -> Photo:
    assert steps[0].photo is not None
    return steps[0].photo


def _make_old_folder(entry: Entry) -> None:
    """Bring back the photo's own folder, not a whole disk that is not connected."""
    folder = entry.path.parent
    if entry.action == "move" and not folder.is_dir() and folder.parent.is_dir():
        folder.mkdir()


def _is_settled_before(step: Step) -> bool:
    """Whether a step that seems not to have begun can be closed: its places can be looked at."""
    if step.kind in ("write", "tag", "copy", "remove"):
        return step.target.parent.is_dir() or step.source.parent.is_dir()
    return look(step.source) is not None or (
        step.source.parent.is_dir() and step.target.parent.is_dir()
    )


def _why_not(entry: Entry) -> str:
    return {
        "undone": "it was undone already",
        "failed": "it was never filed",
        "begun": "it is being filed just now",
        "undoing": "it is being undone just now",
    }[entry.state]


def _words(error: BaseException) -> str:
    return explain(error) if isinstance(error, OSError) else str(error)
