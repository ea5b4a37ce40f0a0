"""Finds new photos: watchdog's events, and rescans for what no event told of."""

from __future__ import annotations

import errno
import fnmatch
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watchdog import events
from watchdog.observers import Observer
from watchdog.observers.polling import PollingObserver

from trayapp.photo import SIDECARS, SUFFIXES, BeartrayError

logger = logging.getLogger(__name__)

POLL_SECONDS = 2.0
# File systems that other machines write to without telling this one.
REMOTE = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "vboxsf", "fuse.sshfs", "afpfs", "davfs"}


class WatchError(BeartrayError):
    """A folder cannot be watched; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Something happened to the file at `path`; `complete` when it was closed or moved in."""

    path: Path
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """The file at `path` was deleted or moved away."""

    path: Path


Report = Callable[[Seen | Gone], None]


def is_sidecar(path: Path) -> bool:
    """Whether a name is that of a file that may belong to a photo."""
    return path.suffix.lower() in SIDECARS and not path.name.startswith(".")


def is_wanted(path: Path, ignore: list[str]) -> bool:
    """Whether a name is that of a photo to look at: not hidden, not ignored, a picture's ending."""
    name = path.name
    return (
        path.suffix.lower() in SUFFIXES
        and not name.startswith(".")
        and not any(fnmatch.fnmatch(name.casefold(), rule.casefold()) for rule in ignore)
    )


def scan(
    root: Path,
    recursive: bool,
    skip: Callable[[Path], bool],
    closed: Callable[[OSError], None] = lambda error: logger.warning("%s", error),
) -> Iterator[Path]:
    """Every file below `root`, following no link; folders for which `skip` is true are left out.

    Raises `OSError` when `root` itself cannot be read; for a folder below it `closed` is told.
    """
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = list(os.scandir(folder))
        except OSError as error:
            if folder == root:
                raise
            closed(error)
            continue
        for entry in entries:
            path = folder / entry.name
            if entry.is_file(follow_symlinks=False):
                yield path
            elif recursive and _is_to_visit(entry) and not skip(path):
                folders.append(path)


class Watcher:
    """Watches one folder that is there now, until it is stopped or something goes wrong with it.

    `kind` is "native", "polling", or "auto": polling where the system has no events to give.
    """

    def __init__(self, root: Path, *, recursive: bool, kind: str, report: Report) -> None:
        self._root, self._recursive, self._report = root, recursive, report
        self._real = root.resolve()  # the system does not watch through a link
        self.degraded: str | None = None
        self._identity = _identity(root)
        self._lost = False
        self._observer: Any = None
        if kind == "polling" or (kind == "auto" and file_system(root) in REMOTE):
            self._start(PollingObserver(timeout=POLL_SECONDS))
            return
        try:
            self._start(_native_observer())
        except OSError as error:
            if kind == "native":
                raise WatchError(_limit(root, error)) from None
            self.degraded = _limit(root, error)
            self._start(PollingObserver(timeout=POLL_SECONDS))

    def stop(self) -> None:
        """End the watcher's threads; waits for them."""
        if self._observer is not None and self._observer.ident is not None:
            self._observer.stop()
            self._observer.join(5)

    def trouble(self) -> bool:
        """Whether events can no longer be trusted: a thread died, the folder is another one."""
        try:
            replaced = _identity(self._root) != self._identity
        except OSError:
            replaced = True
        emitters = self._observer.emitters
        alive = bool(emitters) and all(emitter.is_alive() for emitter in emitters)
        return replaced or self._lost or not alive or not self._observer.is_alive()

    def _start(self, observer: Any) -> None:
        self._observer = observer
        try:
            observer.schedule(_Handler(self._on_event), str(self._real), recursive=self._recursive)
            observer.start()
        except BaseException:
            self.stop()
            raise

    def _on_event(self, event: events.FileSystemEvent) -> None:
        source, target = _text(event.src_path), _text(event.dest_path)
        if event.is_directory:
            self._lost |= event.event_type == "deleted" and Path(source) == self._real
        elif event.event_type == "moved":
            if target:
                self._report(Seen(self._path(target), complete=True))
            else:
                self._report(Gone(self._path(source)))
        elif event.event_type == "deleted":
            self._report(Gone(self._path(source)))
        elif event.event_type in ("created", "modified", "attrib", "closed"):
            self._report(Seen(self._path(source), complete=event.event_type == "closed"))

    def _path(self, name: str) -> Path:
        """As the person names the folder."""
        path = Path(name)
        return self._root / path.relative_to(self._real) if self._root != self._real else path


class _Handler(events.FileSystemEventHandler):
    def __init__(self, report: Callable[[events.FileSystemEvent], None]) -> None:
        self._on_event = report

    def on_any_event(self, event: events.FileSystemEvent) -> None:
        self._on_event(event)


def _native_observer() -> Any:
    if sys.platform == "linux":
        from watchdog.observers.inotify import InotifyObserver

        # Full events tell a file that was moved in, which is complete, from one just begun.
        return InotifyObserver(generate_full_events=True)
    return Observer()


def _identity(root: Path) -> tuple[int, int]:
    status = root.stat()
    return status.st_dev, status.st_ino


def _limit(root: Path, error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        how = "raise it: sudo sysctl fs.inotify.max_user_watches=524288"
        return f"{root}: the system's limit on watched folders is reached; {how}"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        how = "raise it: sudo sysctl fs.inotify.max_user_instances=512"
        return f"{root}: the system's limit on watching programs is reached; {how}"
    return f"{root}: cannot be watched: {error.strerror or error}"


def file_system(root: Path) -> str:
    """The type of the file system that `root` is on, such as "ext4"; "" where Linux cannot tell."""
    try:
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    best, kind = "", ""
    for line in lines:  # proc(5): ... (5) mount point ... - (9) file system type ...
        fields = line.split()
        mount = fields[4].replace("\\040", " ")
        if root.resolve().is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, fields[fields.index("-") + 1]
    return kind


def _is_to_visit(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")


def _text(path: bytes | str) -> str:
    return os.fsdecode(path)
