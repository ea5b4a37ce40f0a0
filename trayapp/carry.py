"""Carries out the steps of a journal's row, all or none, and the folders that they need."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from trayapp import disk, place
from trayapp.errors import explain
from trayapp.journal import Journal, Phase
from trayapp.photo import BeartrayError, Entry, Plan
from trayapp.steps import Step, inverse, is_temporary, prepare

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class PlaceError(BeartrayError):
    """A photo could not be put where it belongs; it lies where it lay."""


class HalfDoneError(BeartrayError):
    """A photo or its sidecar is where it should not be; its row stays open for recovery."""


class Carrier:
    """Does what the journal's rows say, and writes down on the way what recovery has to know."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def carry_out(self, entry: Entry, phase: Phase, steps: Sequence[Step]) -> None:
        """All of the steps, or none of them. Raises what stood in the way, or `HalfDoneError`."""
        done: list[Step] = []
        try:
            for position, step in _in_order(steps):
                done.append(self.carry_out_one(entry, phase, position, step))
        except disk.UncertainError as error:
            raise HalfDoneError(half_done(entry, error)) from error
        except BaseException as error:
            try:
                self.take_back(entry, inverse(done)[::-1])
            except (OSError, BeartrayError) as second:
                raise HalfDoneError(half_done(entry, error, second)) from error
            raise

    def carry_out_one(self, entry: Entry, phase: Phase, position: int, step: Step) -> Step:
        """One step; returns it with the copy that `arrived`, if it was one."""
        carried = step

        def arrived(copied: Step) -> None:
            nonlocal carried
            assert copied.arrived is not None
            self._journal.arrived(entry, phase, position, copied.arrived)
            carried = copied

        try:
            place.carry_out(step, arrived)
        except OSError as error:
            _name_folder(error, step)
            raise
        return carried

    def take_back(self, entry: Entry, steps: Sequence[Step]) -> None:
        """Undo what was carried out. Raises what stands in the way.

        The temporary names are written down: killed now, recovery has to find the files.
        """
        prepared = [prepare(step) for step in steps]
        if prepared:
            self._journal.take_back(entry, prepared)
        for step in prepared:
            place.carry_out(step, lambda _: None)

    def make_folder(self, plan: Plan) -> None:
        """The folder of `plan`, but not its base. Raises `PlaceError` and `OSError`."""
        folder = plan.folder
        if folder is None:
            return
        if (link := _strangers_link(folder, plan)) is not None:
            raise PlaceError(
                f"{plan.photo.path.name} stays in place: {link} is a link that another user made;"
                " remove it, or make it yourself"
            )
        if folder.is_dir():
            return
        if plan.base is not None and not plan.base.is_dir():
            raise PlaceError(
                f"{plan.photo.path.name} stays in place: {plan.base} is not there; connect its"
                " disk or make it"
            )
        missing = [path for path in _on_the_way(folder, plan) if not disk.is_there(path)]
        self._journal.made_folders(os.fsencode(path) for path in missing)
        try:
            for path in reversed(missing or [folder]):  # not the base, which may go this moment
                path.mkdir(exist_ok=True)
        except FileExistsError:
            raise PlaceError(f"{folder} is a file, not a folder; rename it") from None

    def remove_made_folders(self, folder: Path) -> list[bytes]:
        """Empty folders that Beartray made go again, from the inside out; not those to which
        something else could still be taken back.

        Returns them. The journal forgets them once the row is closed: until then it tells a folder
        that was removed from one whose disk is not connected.
        """
        removed = []
        for path in (folder, *folder.parents):
            name = os.fsencode(path)
            if not self._journal.made_folder(name) or self._journal.leads_back_to(name):
                break
            try:
                path.rmdir()  # refuses a folder that is not empty
            except FileNotFoundError:  # removed before a crash, or by somebody else
                continue
            except OSError:
                break
            removed.append(name)
        return removed


def _in_order(steps: Sequence[Step]) -> list[tuple[int, Step]]:
    """With their positions. A photo goes, or comes, before its sidecars; but its copy is removed
    last: nobody has to make it again where that of a sidecar cannot be, and the original may be
    another photo by then.
    """
    numbered = list(enumerate(steps))
    return numbered[::-1] if steps[0].kind == "remove" else numbered


def _on_the_way(folder: Path, plan: Plan) -> Iterator[Path]:
    """`folder` and what is above it, up to the base, or a folder that the photo is in."""
    for path in (folder, *folder.parents):
        if path == plan.base or plan.photo.path.is_relative_to(path):
            return
        yield path


def _strangers_link(folder: Path, plan: Plan) -> Path | None:
    """A link on the way to `folder` that is neither this user's nor the system's: who shares a
    folder with others is not sent elsewhere by them.
    """
    if not hasattr(os, "getuid"):
        return None
    for path in _on_the_way(folder, plan):
        with suppress(OSError):
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode) and status.st_uid not in (0, os.getuid()):
                return path
    return None


def _name_folder(error: OSError, step: Step) -> None:
    """The system names no disk that is full, and a hidden unfinished copy is of no help."""
    named = error.filename if error.filename2 is None else error.filename2
    hidden = named is not None and is_temporary(Path(os.fsdecode(named)).name)
    if hidden or (named is None and error.errno in _FULL):
        error.filename, error.filename2 = os.fspath(step.target.parent), None


def half_done(entry: Entry, *errors: BaseException) -> str:
    what = "; then ".join(words(error) for error in errors)
    return f"{entry.path.name}: {what}; Beartray looks again soon and puts this right"


def words(error: BaseException) -> str:
    return explain(error) if isinstance(error, OSError) else str(error)
