"""Tells what is gone from what lies on a disk that is not connected."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from trayapp.photo import Photo
from trayapp.steps import Step, look, prepare

IsMade = Callable[[bytes], bool]
"""Whether Beartray made this folder, so that it is no mount point."""


def is_away(folder: Path, photo: Photo | None, is_made: IsMade) -> bool:
    """Whether `folder` is missing with the disk that `photo` was on when it lay there.

    Where only the folder was removed, what is left above it is on that disk, which may have
    another number since, and what is missing below that is a folder that Beartray made.
    """
    missing = None
    for path in (folder, *folder.parents):
        try:
            device = str(path.stat().st_dev)
        except (FileNotFoundError, NotADirectoryError):
            missing = path
            continue
        if missing is None or (photo and photo.device == device):
            return False
        return not is_made(os.fsencode(missing))
    return True


def is_bare(folder: Path, photo: Photo | None, is_made: IsMade) -> bool:
    """Whether `folder`, or what is left above it, may be the empty mount point of the disk that
    `photo` was on."""
    left = _left(folder)
    if photo is None or is_made(os.fsencode(left)):
        return False
    is_other = str(left.stat().st_dev) != photo.device
    return is_other and not os.path.ismount(left) and not any(left.iterdir())


def is_unplugged(filed: Step, first: Step, is_made: IsMade) -> bool:
    """Whether the row that filed by the step `filed`, and of which `first` is to be settled, has to
    wait for a disk: nothing of it can be seen any more, or its two places have changed between
    lying on one disk and lying on two, whatever numbers those have since.
    """
    if first.kind != "move" and not look(first.source) and not look(first.target):
        return is_bare(first.target.parent, first.photo, is_made)
    if filed.arrived is None or look(filed.target):
        return False
    source, target = (_left(path.parent).stat().st_dev for path in (filed.source, filed.target))
    return (source != target) != filed.changed_disk


def may_come_back(step: Step) -> Iterator[Step]:
    """The removal of what a step between two disks is not seen to have left, in a folder that may
    be the empty mount point of a disk that is away: at least it is on another one than it was."""
    if step.kind != "move" or not step.changed_disk or step.temporary is None:
        return
    ends = ((step.source, step.target, step.photo), (step.target, step.source, step.arrived))
    for missing, there, photo in ends:
        with suppress(FileNotFoundError, NotADirectoryError):
            elsewhere = photo and photo.device != str(missing.parent.stat().st_dev)
            if elsewhere and look(missing) is None and look(there):
                back = prepare(Step(step.kind, there, missing, photo))
                yield replace(back, kind="remove")


def _left(folder: Path) -> Path:
    """What is left of the way to `folder`: at least the root."""
    return next(path for path in (folder, *folder.parents) if path.is_dir() or path == path.parent)
