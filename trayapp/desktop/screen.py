"""Tells whether the screen that Beartray was started on is still there: if not, that is a logout.

A session bus that is gone proves nothing: it may have crashed, and is started again.
"""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ANSWER_SECONDS = 0.5
GRACE_SECONDS = 1.0  # for a bus to come back where no screen tells more; a logout has two seconds


@dataclass(frozen=True)
class Screen:
    """A local X server or Wayland compositor: its socket, and the process that listens there."""

    address: str
    process: int

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Screen | None:
        """The screen that `environ` names, if one answers on this machine."""
        for address in _addresses(environ):
            if (process := _listener(address)) is not None:
                return cls(address, process)
        return None

    def is_there(self) -> bool:
        """Whether the same server still answers; the next login's may use the same address."""
        return _listener(self.address) == self.process


def is_over(screen: Screen | None, seconds: float) -> bool:
    """Whether the session has ended, when its bus has been away for so many seconds."""
    return seconds > GRACE_SECONDS if screen is None else not screen.is_there()


def _addresses(environ: Mapping[str, str]) -> list[str]:
    """Sockets to try; one that starts with a null character is an abstract one, see unix(7)."""
    found = []
    if wayland := environ.get("WAYLAND_DISPLAY"):
        found.append(str(Path(environ.get("XDG_RUNTIME_DIR", "/")) / wayland))
    if number := re.match(r"(?:unix)?:(\d+)", environ.get("DISPLAY", "")):
        path = f"/tmp/.X11-unix/X{number[1]}"
        found += [f"\0{path}", path]
    return found


def _listener(address: str) -> int | None:
    """The process that listens at `address`, see SO_PEERCRED in unix(7)."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(ANSWER_SECONDS)
        try:
            probe.connect(address)
            credentials = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        except OSError:
            return None
    return int(struct.unpack("3i", credentials)[0])
