"""Says in one line what a system error means to a person, and what to do about it."""

from __future__ import annotations

import errno

from trayapp.photo import BeartrayError

_ADVICE = {
    errno.ENOSPC: "the disk is full; free some space",
    errno.EDQUOT: "your share of the disk is used up; free some space",
    errno.EROFS: "the disk is read-only; unlock it, choose another folder, or copy instead of move",
    errno.EACCES: "no permission; check who may write there",
    errno.EPERM: "not permitted; check who may write there",
    errno.ENAMETOOLONG: "the name is too long for this disk; give the file a shorter one",
    errno.EIO: "the disk reports an error; check it and its cable",
    errno.ENOTDIR: "a file is where a folder should be; rename it",
    errno.EISDIR: "a folder is where a file should be; rename it",
    errno.EEXIST: "a file of that name is in the way; rename it",
    errno.ENOENT: "it is no longer there",
    errno.EMFILE: "too many files are open; close some programs",
    errno.ENFILE: "too many files are open; close some programs",
    errno.ESTALE: "the network folder is gone; connect it again",
    errno.ENODEV: "its disk is not connected; connect it again",
    errno.EFBIG: "the file is too large for this disk",
}


def explain(error: OSError) -> str:
    """One line: the path that it is about, what happened, what to do."""
    advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
    path = error.filename2 or error.filename
    if isinstance(path, bytes):
        path = path.decode(errors="replace")
    return f"{path}: {advice}" if path is not None else advice


def describe(error: BaseException) -> str:
    """One line for any error; what we did not expect is called by its name."""
    if isinstance(error, BeartrayError):
        return str(error)
    return explain(error) if isinstance(error, OSError) else f"internal error: {error!r}"
