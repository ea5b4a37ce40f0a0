"""Changes what a sidecar or a file's system tags say, where nobody else has changed that since."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from trayapp import disk, tags
from trayapp.steps import ChangedError, Step


def bytes_at(step: Step) -> bytes | None:
    """What the step changes, as it is now. Raises `OSError`, and `ChangedError` for what can be no
    sidecar.
    """
    if step.kind == "tag":
        return tags.read_system_tags(step.target)
    try:
        return tags.read_sidecar(step.target)
    except tags.TagError as error:
        raise ChangedError(f"{step.target}: {error}") from None


def write(step: Step, folder: disk.Folder) -> None:
    """The sidecar at the step's target, in the open `folder`; see `place.carry_out`."""
    now = bytes_at(step)
    if now == step.after:
        return
    _check_bytes(step)
    if step.after is None:
        step.target.unlink()
        folder.sync_done()
        return
    assert step.temporary is not None
    try:
        with step.temporary.open("xb") as stream:
            stream.write(step.after)
            stream.flush()
            if now is not None:
                _keep_properties(step, step.temporary)
            elif step.kind == "restore" and step.arrived:
                os.utime(step.temporary, ns=(step.arrived.mtime_ns, step.arrived.mtime_ns))
            os.fsync(stream.fileno())
        if now is None:
            disk.rename_exclusively(step.temporary, step.target)
        else:
            _check_bytes(step)  # writing took its time
            step.temporary.replace(step.target)
    except BaseException:
        with suppress(OSError):
            step.temporary.unlink()
        raise
    folder.sync_done()


def _check_bytes(step: Step) -> None:
    if bytes_at(step) != step.before:
        raise ChangedError(f"{step.target} has changed since; it was left alone")


def _keep_properties(step: Step, written: Path) -> None:
    """Who may read a sidecar stays as it was; what takes tags back gives it its old time, too."""
    disk.keep_properties(step.target, written)
    if step.arrived and step.kind == "restore":
        os.utime(written, ns=(step.arrived.mtime_ns, step.arrived.mtime_ns))
    else:
        os.utime(written)  # now


def tag(step: Step) -> None:
    """The system's tags of the step's target; see `place.carry_out`."""
    now = bytes_at(step)
    if now == step.after:
        return
    if now != step.before:
        raise ChangedError(f"the tags of {step.target} have changed since; they were left alone")
    tags.write_system_tags(step.target, step.after)
