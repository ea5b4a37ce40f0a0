"""One photo from its plan to its place and back: journal.begin, place, journal.finish."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from trayapp import disk, place
from trayapp.carry import Carrier, HalfDoneError, PlaceError, half_done, words
from trayapp.corrections import chain
from trayapp.errors import explain
from trayapp.journal import Journal
from trayapp.photo import BeartrayError, Entry, Photo, Plan
from trayapp.recovery import Recovery
from trayapp.rows import TakenError
from trayapp.steps import (
    Step,
    follow_step,
    look,
    prepare,
    stem_is_shared,
    steps_of,
    undo_steps,
)

__all__ = ["Filing", "GoneError", "HalfDoneError", "PlaceError", "UndoError"]


class GoneError(BeartrayError):
    """The photo is no longer where it was; somebody took it away."""


class UndoError(BeartrayError):
    """An entry cannot be taken back; all stays as it is."""


class Filing:
    """Carries out plans and takes them back; `is_gone` tells whether a row's owner has ended."""

    def __init__(self, journal: Journal, is_gone: Callable[[str], bool]) -> None:
        self._journal, self._carrier = journal, Carrier(journal)
        self._recovery = Recovery(journal, is_gone)

    def file(
        self, plan: Plan, batch: int | None, offers: Iterable[tuple[Step, ...]] | None = None
    ) -> Entry:
        """Carry out `plan`; `batch` None starts a new batch, `offers` are other steps than the
        plan's own.

        Raises `ChangedError` when the photo is not the one that was classified, `GoneError` when
        it is gone, `TakenError` when somebody else has just begun with it or has copied it there,
        `PlaceError` with the reason otherwise, `JournalError` when nothing may be
        touched. After an error all is as it was.
        """
        path = plan.photo.path
        try:
            self._recovery.settle_at(path)
            place.check(plan.photo)
            return self._file(plan, batch, steps_of(plan) if offers is None else offers)
        except FileNotFoundError as error:
            if disk.is_gone(path):
                raise GoneError(f"{path} is no longer there") from None
            raise PlaceError(f"{path.name} stays in place: {explain(error)}") from None
        except OSError as error:
            raise PlaceError(f"{path.name} stays in place: {explain(error)}") from None

    def undo(self, entry: Entry) -> Entry:
        """Take `entry` back. Raises `UndoError`, which says why not."""
        if entry.state != "done":
            raise UndoError(f"{entry.path.name}: {_why_not(entry)}")
        if (later := self._journal.put_right_by(entry)) is not None:
            raise UndoError(
                f"{entry.path.name} was put right since; take that back first (entry {later.id})"
            )
        if not self._recovery.claim(entry):
            raise UndoError(f"{entry.path.name}: {_why_not(replace(entry, state='undoing'))}")
        try:
            return self._undo(entry, *self._back(entry))
        except TakenError as error:
            raise UndoError(str(error)) from None
        except OSError as error:
            raise UndoError(f"{entry.path.name} stays filed: {explain(error)}") from None
        finally:
            self._recovery.leave(entry)

    def _back(self, entry: Entry) -> tuple[Sequence[Step], Sequence[Step]]:
        """By which steps it was filed, and goes back."""
        try:
            filed = self._journal.steps(entry, "do")
            steps = tuple(prepare(step) for step in undo_steps(entry, filed))
            _make_old_folder(entry, filed[0])
        except (OSError, BeartrayError) as error:
            raise UndoError(f"{entry.path.name} stays filed: {words(error)}") from None
        return filed, steps

    def _undo(self, entry: Entry, filed: Sequence[Step], steps: Sequence[Step]) -> Entry:
        self._journal.begin_undo(entry, filed, steps)
        try:
            self._carrier.carry_out(entry, "undo", steps)
        except HalfDoneError:
            raise
        except (OSError, BeartrayError) as error:
            reason = f"{entry.path.name} stays filed: {words(error)}"
            self._journal.fail_undo(entry, reason)
            raise UndoError(reason) from None
        back = _lies_at(entry.path, entry)
        removed = self._carrier.remove_made_folders(entry.destination.parent)
        self._journal.end_undo(entry, back, removed)  # killed before, it is tried again
        return self._journal.entry(entry.id)

    def undo_all(self, ids: Iterable[int]) -> None:
        """Take entries back, newest first; `UndoError` for what cannot be, after all the rest."""
        first, refused = "", 0
        for id_ in sorted(ids, reverse=True):
            try:
                self.undo(self._journal.entry(id_))
            except (UndoError, HalfDoneError) as error:
                first, refused = first or str(error), refused + 1
        if refused:
            more = f" (and {refused - 1} more)" if refused > 1 else ""
            raise UndoError(f"{first}{more}")

    def follow(self, sidecar: Path) -> Entry | None:
        """Take a sidecar that came after its photo was filed to where the photo is.

        None where it belongs to no photo that was filed, lies beside it, or was copied to it
        before. Raises `PlaceError` with the reason.
        """
        try:
            owner = self._owner_of(sidecar)
            entry = owner and self._journal.newest_move(owner)
            if owner is None or entry is None or self._is_copied(owner, sidecar):
                return None
            if not self._recovery.claim(entry):
                return None
            try:
                step = follow_step(owner, sidecar, entry.destination)
                if step.target == sidecar or _is_taken_away(entry):
                    return None
                self._follow(entry, prepare(step))
            except TakenError:  # its photo was taken back this moment
                return None
            finally:
                self._recovery.leave(entry)
        except OSError as error:
            raise PlaceError(f"{sidecar.name} stays in place: {explain(error)}") from None
        return entry

    def _follow(self, entry: Entry, step: Step) -> None:
        position = self._journal.reopen(entry, step)
        try:
            self._carrier.carry_out_one(entry, "do", position, step)
        except disk.UncertainError:
            raise  # the row stays open for recovery
        except (OSError, BeartrayError):  # the photo is where it was filed without it, too
            self._journal.withdraw(entry, position)
            self._journal.finish(entry, _lies_at(entry.destination, entry))
            raise
        self._journal.finish(entry, _lies_at(entry.destination, entry))

    def recover(self) -> list[Entry]:
        """Complete or roll back what ended processes left half-done; returns those rows."""
        return self._recovery.recover()

    def _owner_of(self, sidecar: Path) -> Entry | None:
        """The filed photo that a sidecar belongs to, unless a photo of that name is here again, or
        one of that stem, as the raw file is."""
        stem = Path(sidecar.stem).stem if Path(sidecar.stem).suffix else sidecar.stem
        for entry in self._journal.filed_from(sidecar.parent, stem):
            if entry.action == "tag" or disk.is_there(entry.path):
                continue
            if sidecar.stem == entry.path.name:
                return entry
            if sidecar.stem == entry.path.stem and not stem_is_shared(entry.path):
                return entry
        return None

    def _is_copied(self, owner: Entry, sidecar: Path) -> bool:
        """Whether a copy of the sidecar went with that of the photo, whose own place is empty."""
        rows = chain(owner, self._journal.put_right_by) if owner.action == "copy" else ()
        steps = (step for row in rows for step in self._journal.steps(row, "do"))
        return any(step.source == sidecar for step in steps)

    def _file(self, plan: Plan, batch: int | None, offers: Iterable[tuple[Step, ...]]) -> Entry:
        entry: Entry | None = None
        try:
            for offer in offers:
                steps = tuple(prepare(step) for step in offer)
                try:
                    if entry is None:
                        entry = self._begin(plan, steps, batch)
                        self._refuse_second_copy(plan, entry)
                    else:
                        entry = self._journal.redirect(entry, steps, plan.photo)
                except FileExistsError:  # another row has been quicker at that name
                    continue
                if self._carry_out(plan, entry, steps):
                    return self._journal.entry(entry.id)
            if entry is not None:
                self._journal.fail(entry, "no free name")
        finally:
            if entry is not None:
                self._recovery.leave(entry)
        raise PlaceError(f"{plan.photo.path.name} stays in place: no free name in {plan.folder}")

    def _begin(self, plan: Plan, steps: Sequence[Step], batch: int | None) -> Entry:
        return self._recovery.begin(lambda: self._journal.begin(plan, steps, batch))

    def _refuse_second_copy(self, plan: Plan, entry: Entry) -> None:
        """Somebody may have made one since whoever asks has looked; now that the row is begun,
        nobody does. Raises `TakenError`.
        """
        if plan.action != "copy" or plan.folder is None:
            return
        for other in self._journal.filed_into(plan.folder, plan.photo.path):
            step = self._journal.steps(other, "do")[0]
            copy = look(self._journal.newest_move(other).destination)
            if step.kind != "copy" or step.photo is None or step.arrived is None or copy is None:
                continue
            if step.photo.looks_like(plan.photo) and copy.looks_like(step.arrived):
                error = f"{plan.photo.path.name} was copied before, to {copy.path}"
                self._journal.fail(entry, error)
                raise TakenError(error)

    def _carry_out(self, plan: Plan, entry: Entry, steps: Sequence[Step]) -> bool:
        """False where somebody took the name this moment."""
        try:
            self._carrier.make_folder(plan)
            self._carrier.carry_out(entry, "do", steps)
        except FileExistsError:
            return False
        except HalfDoneError:
            raise
        except BaseException as error:
            removed = self._carrier.remove_made_folders(entry.destination.parent)
            self._journal.fail(entry, words(error), removed)
            raise
        self._journal.finish(entry, _lies_at(steps[0].target, entry))
        return True


def _lies_at(path: Path, entry: Entry) -> Photo | None:
    """What was just brought there; `HalfDoneError` where the disk fails, and the row stays open."""
    try:
        return look(path)
    except OSError as error:
        raise HalfDoneError(half_done(entry, error)) from error


def _is_taken_away(entry: Entry) -> bool:
    """Whether somebody has moved or deleted the photo where it was filed: then what comes late is
    not its sidecar."""
    return look(entry.destination) is None and entry.destination.parent.is_dir()


def _make_old_folder(entry: Entry, filed: Step) -> None:
    """Bring back the photo's own folder, not a whole disk that is not connected.

    `filed` is the step that took the photo from there. Raises `PlaceError` and `OSError`.
    """
    folder = entry.path.parent
    if entry.action != "move":
        return
    there = folder if folder.is_dir() else folder.parent
    if not there.is_dir():
        raise PlaceError(f"its old folder {folder} is not there; make it, or connect its disk")
    if filed.changed_disk and disk.is_same(there, entry.destination.parent):
        raise PlaceError(f"its old folder {folder} is on a disk that is not connected; connect it")
    if there != folder:
        folder.mkdir()


def _why_not(entry: Entry) -> str:
    return {
        "undone": "it was undone already",
        "failed": "it was never filed",
        "begun": "it is being filed just now",
        "undoing": "it is being undone just now",
        "left": "it was left where it is",
    }[entry.state]
