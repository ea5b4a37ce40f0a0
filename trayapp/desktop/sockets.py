"""Opens the control socket where only this user reaches it."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import socket
import stat
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Listener
from pathlib import Path
from typing import Any

from trayapp.photo import BeartrayError

LONGEST_SOCKET_PATH = 100  # bytes; sun_path holds 104 on macOS, 108 on Linux, with an end mark
BACKLOG = 16  # clients that may wait to be accepted
PROBE_SECONDS = 2.0


@dataclass(frozen=True)
class ControlPaths:
    """Where the running Beartray can be reached.

    `note` is a file only this user can read; it says at which address, and the secret.
    `addresses` are where a server may listen, best first; `family` is multiprocessing's.
    """

    note: Path
    addresses: tuple[str, ...]
    family: str

    @classmethod
    def for_unix(cls, private: Path, environ: Mapping[str, str], temporary: Path) -> ControlPaths:
        """In `private`, or under a short name elsewhere: socket paths are 104 bytes at most."""
        digest = hashlib.sha256(os.fsencode(private.absolute())).hexdigest()[:12]
        folders = [private.absolute()]
        if runtime := environ.get("XDG_RUNTIME_DIR"):
            folders.append(Path(runtime) / f"beartray-{digest}")
        folders.append(temporary / f"beartray-{os.getuid()}-{digest}")
        sockets = [str(folder / "control") for folder in folders]
        short = [path for path in sockets if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH]
        return cls(private / "control.json", tuple(short), "AF_UNIX")

    @classmethod
    def for_windows(cls, private: Path) -> ControlPaths:
        """A named pipe; its name tells users and `BEARTRAY_HOME`s apart."""
        digest = hashlib.sha256(str(private.absolute()).encode()).hexdigest()[:24]
        return cls(private / "control.json", (rf"\\.\pipe\beartray-{digest}",), "AF_PIPE")


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
    reasons = []
    for address in paths.addresses:
        try:
            if paths.family == "AF_UNIX":
                make_private(Path(address).parent)
                _remove_stale(address)
            listener = Listener(address, paths.family, backlog=BACKLOG)
            if paths.family == "AF_UNIX":
                Path(address).chmod(0o600)
            return address, listener
        except OSError as error:
            reasons.append(f"{address}: {error.strerror or error}")
    raise BeartrayError(f"no control socket could be opened ({'; '.join(reasons)})")


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
