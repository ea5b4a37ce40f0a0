"""Opens the control socket where only this user reaches it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import socket
import stat
import struct
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

from trayapp.photo import BeartrayError

FAMILIES = {"AF_UNIX", "AF_PIPE"}  # never one that leaves the machine
PREFIX = "beartray-"
LONGEST_SOCKET_PATH = 100  # bytes; sun_path holds 104 on macOS, 108 on Linux, with an end mark
SHARED = Path("/tmp")  # short everywhere, even where TMPDIR is not
BACKLOG = 16  # clients that may wait to be accepted
PROBE_SECONDS = 2.0


@dataclass(frozen=True)
class ControlPaths:
    """Where the running Beartray can be reached.

    `note` is a file only this user can read; it says at which address, and the secret.
    `addresses` are where a server may listen, best first; where none will do, it makes a folder
    of its own in one of the `shared` ones. `family` is multiprocessing's.
    """

    note: Path
    addresses: tuple[str, ...]
    family: str
    shared: tuple[Path, ...] = ()

    @classmethod
    def for_unix(cls, private: Path, environ: Mapping[str, str], temporary: Path) -> ControlPaths:
        """In `private`, or under a short name elsewhere: socket paths are 104 bytes at most."""
        folders = [private.absolute()]
        if runtime := environ.get("XDG_RUNTIME_DIR"):
            digest = hashlib.sha256(os.fsencode(private.absolute())).hexdigest()[:12]
            folders.append(Path(runtime) / f"{PREFIX}{digest}")
        short = [str(folder / "control") for folder in folders if _fits(folder / "control")]
        usual = f"{PREFIX}{'x' * 8}"  # as long as the names that tempfile makes
        shared = [place for place in (temporary, SHARED) if _fits(place / usual / "control")]
        return cls(private / "control.json", tuple(short), "AF_UNIX", tuple(dict.fromkeys(shared)))

    @classmethod
    def for_windows(cls, private: Path) -> ControlPaths:
        """A named pipe, whose name nobody can guess and take first."""
        name = rf"\\.\pipe\{PREFIX}{secrets.token_hex(16)}"
        return cls(private / "control.json", (name,), "AF_PIPE")


def make_private(folder: Path) -> None:
    """Make `folder` for this user alone; raises `OSError` when it is somebody else's."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):  # a link that somebody left in a shared folder
        raise NotADirectoryError(errno.ENOTDIR, "not a folder of this user's", str(folder))
    if not hasattr(os, "getuid"):
        return
    if status.st_uid != os.getuid():
        raise PermissionError(errno.EPERM, "belongs to another user", str(folder))
    if status.st_mode & 0o077:
        folder.chmod(0o700)


def listen(paths: ControlPaths) -> tuple[str, Listener]:
    """Listen at the first address that allows it; raises `BeartrayError` when none does."""
    if paths.family == "AF_PIPE":
        places = [*paths.addresses]
    else:
        places = [*paths.addresses, *(str(folder) for folder in paths.shared)]
    reasons = []
    for place in places:
        try:
            if paths.family == "AF_PIPE":
                return place, Listener(place, paths.family, backlog=BACKLOG)
            return _listen_in_folder(place, Path(place) in paths.shared)
        except OSError as error:
            reasons.append(f"{place}: {error.strerror or error}")
    raise BeartrayError(f"no control socket could be opened ({'; '.join(reasons)})")


def _listen_in_folder(place: str, shared: bool) -> tuple[str, Listener]:
    """At `place`, or in a new folder of this user's in it, whose name nobody can take first."""
    if shared:
        place = str(Path(tempfile.mkdtemp(prefix=PREFIX, dir=place)) / "control")
    else:
        make_private(Path(place).parent)
        _remove_stale(place)
    listener = Listener(place, "AF_UNIX", backlog=BACKLOG)
    Path(place).chmod(0o600)
    return place, listener


def clear_away(address: str, paths: ControlPaths) -> None:
    """Remove what a server at `address` has left: its socket, and the folder made for it."""
    if paths.family != "AF_UNIX":
        return
    folder = Path(address).parent
    with contextlib.suppress(OSError):
        if stat.S_ISDIR(folder.lstat().st_mode) and folder.lstat().st_uid == os.getuid():
            Path(address).unlink(missing_ok=True)
            if folder != paths.note.parent.absolute() and folder.name.startswith(PREFIX):
                folder.rmdir()


def read_note(note: Path) -> bytes:
    """What the running one wrote for its own user. Raises `OSError`, also where it is not ours."""
    descriptor = os.open(note, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        if hasattr(os, "getuid") and os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError(errno.EPERM, "belongs to another user", str(note))
        return file.read()


def limit_waiting(connection: Any, seconds: float) -> None:
    """Make a read or write that waits longer fail with an `OSError`, where it is a socket."""
    with contextlib.suppress(OSError, AttributeError):  # a named pipe: its thread just waits
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6))
        with socket.socket(fileno=os.dup(connection.fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
            same.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


def _remove_stale(address: str) -> None:
    """Remove the socket that a killed Beartray left; raises `BeartrayError` when it is alive."""
    if not Path(address).is_socket():
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(PROBE_SECONDS)
        try:
            probe.connect(address)
        except (ConnectionRefusedError, FileNotFoundError):
            Path(address).unlink(missing_ok=True)
            return
    raise BeartrayError("another Beartray of this user is running")


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= LONGEST_SOCKET_PATH
