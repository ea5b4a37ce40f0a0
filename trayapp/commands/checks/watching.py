"""Will the system tell of new photos? Linux limits how many folders and programs may watch."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from trayapp.commands.checks.finding import Finding
from trayapp.settings import Folder
from trayapp.watch import REMOTE, file_system

LIMITS = Path("/proc/sys/fs/inotify")
PROCESSES = Path("/proc")
MANY_WATCHES, MANY_INSTANCES = 524_288, 512  # what to raise a limit to; usual on newer systems
SPARE_WATCHES, SPARE_INSTANCES = 64, 2  # so few left, and the next program or folder has none
COUNTING_SECONDS = 0.8
_IN_CREATE = 0x100  # linux/inotify.h
_IN_CLOEXEC = 0o2000000


@dataclass(frozen=True, slots=True)
class Inotify:
    """Linux's limits for one user, and how far they are used up, as far as can be told.

    `wanted` is how many folders Beartray watches, `refusal` the errno of a real try, 0 if it
    worked. What cannot be told is None: other programs' counts, where their owner hides them.
    """

    max_watches: int
    max_instances: int
    watches: int | None = None
    instances: int | None = None
    wanted: int = 1
    refusal: int = 0


def look(folder: Path, recursive: bool) -> Inotify:
    """Raises `OSError` where the limits cannot be read."""
    end = time.monotonic() + COUNTING_SECONDS
    watches, instances = _in_use(PROCESSES, end)
    return Inotify(
        max_watches=int((LIMITS / "max_user_watches").read_text()),
        max_instances=int((LIMITS / "max_user_instances").read_text()),
        watches=watches,
        instances=instances,
        wanted=_folders(folder, end) if recursive else 1,
        refusal=_try(folder),
    )


def judge(facts: Inotify, runs: bool) -> Finding:
    """`runs`: a Beartray that watches already needs nothing more."""
    used = "?" if facts.watches is None else f"{facts.watches:,}"
    programs = "?" if facts.instances is None else f"{facts.instances}"
    detail = (
        f"{used} of {facts.max_watches:,} watched folders and {programs} of"
        f" {facts.max_instances} watching programs are in use"
    )
    wanted = 0 if runs else facts.wanted + SPARE_WATCHES
    if facts.refusal == errno.ENOSPC or (facts.watches or 0) + wanted > facts.max_watches:
        return _raise("max_user_watches", max(MANY_WATCHES, 2 * facts.max_watches), detail)
    spare = 0 if runs else SPARE_INSTANCES
    full = (facts.instances or 0) + spare > facts.max_instances
    if full or facts.refusal in (errno.EMFILE, errno.ENFILE):
        return _raise("max_user_instances", max(MANY_INSTANCES, 2 * facts.max_instances), detail)
    return Finding("watching", True, detail)


def check(folder: Path, settings: Folder, runs: bool) -> Finding:
    """How new photos in `folder` will be noticed."""
    every = f"looked through every {settings.rescan_minutes:g} minutes"
    if settings.observer == "polling" or file_system(folder) in REMOTE:
        return Finding("watching", True, f"by polling; besides, {every}")
    if sys.platform != "linux":
        return Finding("watching", True, f"the system's own events; besides, {every}")
    return judge(look(folder, settings.recursive), runs)


def _raise(name: str, value: int, detail: str) -> Finding:
    setting = f"fs.inotify.{name}={value}"
    advice = (
        f"raise the limit: sudo sysctl {setting}"
        f" (and to keep it: echo {setting} | sudo tee /etc/sysctl.d/60-beartray.conf)"
    )
    return Finding("watching", False, detail, advice)


def _in_use(processes: Path, end: float) -> tuple[int | None, int | None]:
    """This user's watches and instances; None where there was no time to count them all."""
    watches = instances = 0
    for process in processes.iterdir():
        if not process.name.isdigit():
            continue
        if time.monotonic() > end:
            return None, None
        try:
            if process.stat().st_uid != os.getuid():
                continue
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor).startswith("anon_inode:inotify"):  # noqa: PTH115
                    instances += 1
                    lines = (process / "fdinfo" / descriptor.name).read_text().splitlines()
                    watches += sum(line.startswith("inotify wd:") for line in lines)
        except OSError:  # it has ended, or is not to be looked into
            continue
    return watches, instances


def _folders(root: Path, end: float) -> int:
    """How many folders lie in `root`, itself included, as far as there is time to count."""
    count = 0
    for _, _, _ in os.walk(root):
        count += 1
        if time.monotonic() > end:
            break
    return max(count, 1)


def _try(folder: Path) -> int:
    """Watch `folder` for a moment; the errno, 0 if it worked."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(_IN_CLOEXEC)
    if descriptor < 0:
        return ctypes.get_errno()
    try:
        watched = libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_CREATE)
        return ctypes.get_errno() if watched < 0 else 0
    finally:
        os.close(descriptor)
