"""Takes the network away from this process for good, before a learner, which is code, is loaded."""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # linux/sched.h
_NETWORK_EVENTS = ("socket.", "urllib.", "http.", "ftplib.", "smtplib.", "telnetlib.")
_HARMLESS_EVENTS = {"socket.__new__", "socket.gethostname"}


def go_offline() -> Literal["own namespace", "refused by Python"]:
    """Returns how the network is kept away; to be called while this is the only thread.

    Python refuses on every system, which native code gets around; a network namespace of its own
    is Linux's, where a user may have one, and holds for all.
    """
    left = _leave_network()
    sys.addaudithook(_refuse_network)
    return "own namespace" if left else "refused by Python"


def _leave_network() -> bool:
    """Into a network with nothing in it, as any user may on most systems (namespaces(7))."""
    if sys.platform != "linux":
        return False
    user, group = os.getuid(), os.getgid()
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
        if unshare(_NEW_USER | _NEW_NETWORK) == 0:
            # Who one is has to be said again; a user with no name has no home folder.
            for name, text in (
                ("setgroups", "deny"),
                ("uid_map", f"{user} {user} 1"),
                ("gid_map", f"{group} {group} 1"),
            ):
                with suppress(OSError):
                    Path("/proc/self", name).write_text(text, encoding="ascii")
            return True
        return bool(unshare(_NEW_NETWORK) == 0)  # root in a container
    except (AttributeError, OSError):
        return False


def _refuse_network(event: str, _: tuple[Any, ...]) -> None:
    """An audit hook, which cannot be taken away again (docs.python.org, sys.addaudithook).

    Sockets on disk are no network, but belong to other programs that would do what they are told.
    """
    if event.startswith(_NETWORK_EVENTS) and event not in _HARMLESS_EVENTS:
        raise PermissionError(f"no network for a learner ({event})")
