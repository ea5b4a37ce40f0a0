"""Files as a whole: written all or not at all, read before they are needed, and their checksum."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import tempfile
from pathlib import Path

AHEAD_BYTES = 16 << 20  # of a file that pretends to be a photo the rest may never end


def make_private(folder: Path) -> None:
    """Make `folder` and what is missing above it for this user alone, whatever the umask says;
    what is there stays as it is. Raises `OSError`.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """Replace `path` as a whole, so that nobody reads half of it. Raises `OSError`.

    The folder is made if it is missing; `mode` are the file's permissions.
    """
    make_private(path.parent)
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def sha256(file: Path) -> str:
    """Of the content, in small hex. Raises `OSError`."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_ahead(file: Path) -> None:
    """Have the system bring `file` from the disk into its memory, while whoever needs it next is
    still at another; does not wait. Linux only: elsewhere, and where it cannot, nothing happens.
    """
    if sys.platform != "linux":
        return
    # A link or a pipe may have been put there since somebody looked.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with contextlib.suppress(OSError):
        descriptor = os.open(file, flags)
        try:
            os.posix_fadvise(descriptor, 0, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
        finally:
            os.close(descriptor)
