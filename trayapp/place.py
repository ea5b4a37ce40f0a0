"""Moves, copies and tags photos with their sidecars, one reversible step at a time.

A step is written to the journal before it is carried out. After a crash, `stand` tells from the
disk alone how far a step got, so that it can be completed or forgotten. Nothing here ever replaces
a file; `rewrite` does, one that is known byte by byte.
"""

from __future__ import annotations

import enum
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from trayapp import disk, rewrite
from trayapp.photo import NotAPhotoError, Photo
from trayapp.steps import ChangedError, Step, look


class Stand(enum.Enum):
    """How far a step has got on the disk."""

    BEFORE = "before"
    BETWEEN = "between"
    AFTER = "after"


QUIET_SECONDS = 10.0  # where nothing tells who writes

Arrived = Callable[[Step], None]


def carry_out(step: Step, arrived: Arrived) -> None:
    """Do one prepared step, from wherever it stands to its end.

    `arrived(step)` is called, and has to be durable when it returns, before a finished copy gets
    its name. Raises `ChangedError` when a file is not as the step says, `FileExistsError` when
    the target's name is taken, and other `OSError`s; then the step stands as before (but after
    `disk.UncertainError`).
    """
    with disk.held_open(step.target.parent) as folder:
        if step.kind == "move":
            _move(step, folder, arrived)
        elif step.kind == "copy":
            _copy(step, folder, arrived)
        elif step.kind == "remove":
            _remove(step, folder)
        elif step.kind in ("write", "restore"):
            rewrite.write(step, folder)
        else:
            rewrite.tag(step)


def stand(step: Step) -> Stand:
    """How far `step` got, from what lies on the disk now. Raises `OSError`."""
    if step.kind in ("write", "restore", "tag"):
        return Stand.AFTER if rewrite.bytes_at(step) == step.after else Stand.BEFORE
    if step.kind == "remove":
        copy = look(step.target)
        ours = copy is not None and (step.photo is None or copy.looks_like(step.photo))
        return Stand.BEFORE if ours else Stand.AFTER
    target = look(step.target)
    ours = target is not None and _is_ours(target, step)
    if step.kind == "copy":  # one that nobody wrote down is another row's
        return Stand.AFTER if ours and step.arrived else Stand.BEFORE
    if not ours:
        return Stand.BEFORE
    source = look(step.source) if step.source != step.target else None  # one file is not two
    gone = source is None or (step.photo is not None and not source.looks_like(step.photo))
    return Stand.AFTER if gone else Stand.BETWEEN


def tidy(step: Step, begun: float, now: float) -> None:
    """Remove what a crash left of a step that was `begun` then (seconds since the epoch): its
    temporary file, and the empty one that held its target's name.

    Raises `ChangedError` while that may be one that somebody is about to write, and `OSError`.
    """
    if step.temporary is not None:
        missing = suppress(FileNotFoundError, NotADirectoryError)
        with missing, disk.held_open(step.temporary.parent) as folder:
            step.temporary.unlink(missing_ok=True)
            folder.sync()  # or a power cut brings it back when no row tells of it any more
    photo = step.kind in ("move", "copy") and step.photo is not None and step.photo.size
    sidecar = step.kind == "write" and step.before is None and step.after
    if photo or sidecar:
        there = look(step.target)
        since = begun * 1e9 - max(disk.GRAINS_NS)  # the file's time may be rounded down
        held = there is not None and not there.size and there.mtime_ns > since
        if there is None or not held or not look(step.source):
            return
        if (writer := disk.being_written(step.target)) is True:
            return
        age = now - there.mtime_ns / 1e9  # less than none where the clock was set back since
        if writer is None and abs(age) < QUIET_SECONDS:
            raise ChangedError(f"{step.target} is empty; somebody may be about to write it")
        step.target.unlink()


def check(photo: Photo) -> None:
    """Raise `ChangedError` unless the file is still exactly this version, `OSError` if gone."""
    _check(photo.path, photo.is_same_file)


def _check(path: Path, same: Callable[[Photo], bool]) -> None:
    try:
        unchanged = same(Photo.at(path))
    except NotAPhotoError:
        unchanged = False
    if not unchanged:
        raise ChangedError(f"{path} has changed since it was looked at; it was left alone")


def _move(step: Step, folder: disk.Folder, arrived: Arrived) -> None:
    assert step.photo is not None
    with disk.held_open(step.source.parent) as old:
        if stand(step) is Stand.BETWEEN:
            _drop_source(step)
        else:
            _check(step.source, step.photo.looks_like)
            _move_there(step, step.photo, folder, arrived)
            folder.sync_done()
        old.sync_done()  # or a power cut brings the old name back


def _move_there(step: Step, photo: Photo, folder: disk.Folder, arrived: Arrived) -> None:
    try:
        disk.rename_exclusively(step.source, step.target)
    except OSError as error:
        if not disk.is_other_disk(error):
            raise
        _move_to_other_disk(step, photo, folder, arrived)
    else:
        _check_moved(step)


def _move_to_other_disk(step: Step, photo: Photo, folder: disk.Folder, arrived: Arrived) -> None:
    if not os.access(step.source.parent, os.W_OK):  # before a long copy for nothing
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(step.source))
    made = _copy(step, folder, arrived)
    try:
        _check(step.source, photo.looks_like)
        step.source.unlink()
    except (ChangedError, OSError):
        _discard(step.target, made, folder)
        raise


def _check_moved(step: Step) -> None:
    """A writer that came between the last look and the rename gets its file back."""
    assert step.photo is not None
    try:
        moved = Photo.at(step.target)
    except OSError as error:  # its disk was pulled out this moment
        raise disk.UncertainError(error.errno, error.strerror, str(step.target)) from None
    if not moved.looks_like(step.photo):
        try:
            disk.rename_exclusively(step.target, step.source)
        except FileExistsError:  # the writer made a new file there: this one stays filed
            return
        raise ChangedError(f"{step.source} changed while it was being moved; it was left alone")


def _copy(step: Step, folder: disk.Folder, arrived: Arrived) -> Photo:
    """Returns the copy as it was made."""
    assert step.photo is not None
    assert step.temporary is not None
    _check(step.source, step.photo.looks_like)
    disk.copy_verified(step.source, step.temporary)
    try:
        if step.original is not None:
            with suppress(PermissionError):  # a share that is somebody else's
                os.utime(step.temporary, ns=(step.original.mtime_ns,) * 2)
        _check(step.source, step.photo.looks_like)
        made = Photo.at(step.temporary)
        arrived(replace(step, arrived=made))
        disk.rename_exclusively(step.temporary, step.target)
    except BaseException:
        with suppress(OSError):  # the journal knows of it
            step.temporary.unlink()
        raise
    try:
        folder.sync()
    except OSError:  # the original is still there, and is not given up for such a copy
        _discard(step.target, made, folder)
        raise
    return made


def _drop_source(step: Step) -> None:
    """Finish a move that a crash left with the photo in both places."""
    there = Photo.at(step.source)
    linked = there.file_id == Photo.at(step.target).file_id
    if not linked and not disk.same_bytes(step.source, step.target):
        raise ChangedError(f"{step.source} and {step.target} differ; both were left alone")
    _check(step.source, there.looks_like)  # not another one, put there while we read
    step.source.unlink()


def _remove(step: Step, folder: disk.Folder) -> None:
    there = step.photo or Photo.at(step.target)
    _check(step.target, there.looks_like)
    if not step.source.is_file() or not disk.same_bytes(step.source, step.target):
        raise ChangedError(f"{step.source} is no longer the same photo, so its copy was kept")
    _check(step.target, there.looks_like)
    step.target.unlink()
    folder.sync_done()


def _discard(copy: Path, made: Photo, folder: disk.Folder) -> None:
    """The step fails, and what it made goes again; unless its disk has gone with it.

    A copy that somebody has edited meanwhile is theirs, and stays.
    """
    try:
        if Photo.at(copy).looks_like(made):
            copy.unlink()
            folder.sync()  # or it comes back when its disk is pulled out
    except NotAPhotoError:  # or they put something else there
        return
    except OSError as error:
        raise disk.UncertainError(error.errno, error.strerror, str(copy)) from None


def _is_ours(target: Photo, step: Step) -> bool:
    """Whether what lies at the target is what this step brought there.

    File ids do not outlive every reboot, so size and time decide, then the number of the copy that
    arrived, and the bytes where the source is still there to compare with: then either of the two
    can stand for the photo.
    """
    arrived = step.arrived
    expected = [photo for photo in (arrived, step.photo) if photo is not None]
    if not any(target.looks_like(photo) for photo in expected):
        return False
    if any(target.file_id == photo.file_id for photo in expected):
        return True
    if arrived is not None and target.looks_like(arrived) and target.number == arrived.number:
        return True  # its disk alone has another number
    source = look(step.source)
    if source is None or step.photo is None or not source.looks_like(step.photo):
        return True  # what lies at the source, if anything, is another file
    if target.device == source.device and target.number == step.photo.number != source.number:
        return True  # renamed on its disk
    return disk.same_bytes(step.source, step.target)
