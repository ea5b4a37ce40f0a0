"""Finds new photos: watchdog's events, and rescans for what no event told of."""

from __future__ import annotations

import errno
import fnmatch
import logging
import os
import re
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
# File systems that others write to without telling this system: network shares, what a virtual
# machine's host shares, mirrors of other folders, and what calls itself "fuse" and no more (disks
# are "fuseblk").
REMOTE = {
    "fuse",
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "afpfs", "davfs", "ceph", "9p"),
    *("vboxsf", "virtiofs", "prl_fs", "fuse.vmhgfs-fuse", "fuse.sshfs", "fuse.rclone"),
    *("fuse.s3fs", "fuse.glusterfs", "fuse.ceph", "fuse.ceph-fuse", "fuse.gvfsd-fuse"),
    *("fuse.bindfs", "fuse.mergerfs", "fuse.unionfs", "fuse.kio-fuse", "fuse.jmtpfs"),
}
# Not that a file or folder is opened and closed again: a look through some thousand folders would
# fill the system's queue.
_EVENTS: list[type[events.FileSystemEvent]] = [
    *(events.FileCreatedEvent, events.FileModifiedEvent, events.FileAttribEvent),
    *(events.FileClosedEvent, events.FileMovedEvent, events.FileDeletedEvent),
    *(events.DirCreatedEvent, events.DirMovedEvent, events.DirDeletedEvent, events.DirAttribEvent),
]


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
            with os.scandir(folder) as entries:  # one by one: there may be 100,000
                for entry in entries:
                    path = folder / entry.name
                    if entry.is_file(follow_symlinks=False):
                        yield path
                    elif recursive and _is_to_visit(entry) and not skip(path):
                        folders.append(path)
        except OSError as error:
            if folder == root:
                raise
            closed(error)


class Watcher:
    """Watches one folder that is there now, until it is stopped or something goes wrong with it.

    `kind` is "native", "polling", or "auto": polling where the system has no events to give;
    `degraded` then says why. `hint` is called, on any thread, when it may be worth asking
    `trouble` and `take_missed` at once.
    """

    def __init__(
        self,
        root: Path,
        *,
        recursive: bool,
        kind: str,
        report: Report,
        hint: Callable[[], None] = lambda: None,
    ) -> None:
        self._root, self._recursive, self._report, self._hint = root, recursive, report, hint
        self._real = root.resolve()  # the system does not watch through a link
        self.degraded: str | None = None
        self._identity = _identity(root)
        self._lost = self._missed = False
        self._observer: Any = None
        self._inotify: Any = None  # on Linux
        type_ = file_system(root) if kind == "auto" else ""
        if type_ in REMOTE:
            self.degraded = f"{root}: its file system ({type_}) does not tell of new photos"
        if kind == "polling" or self.degraded:
            self._start(PollingObserver(timeout=POLL_SECONDS))
            return
        try:
            self._start_native()
        except OSError as error:
            if kind == "native":
                raise WatchError(_limit(root, error)) from None
            self.degraded = _limit(root, error)
            self._start(PollingObserver(timeout=POLL_SECONDS))

    def stop(self) -> None:
        """End the watcher's threads; waits for them."""
        if self._observer is not None:
            self._observer.stop()  # also when it could not be started: it may have a thread already
            if self._observer.ident is not None:
                self._observer.join(5)

    def trouble(self) -> bool:
        """Whether events can no longer be trusted: a thread died, the folder is another one, a
        new folder in it could not be watched."""
        try:
            replaced = _identity(self._root) != self._identity
        except OSError:
            replaced = True
        emitters = self._observer.emitters
        alive = bool(emitters) and all(emitter.is_alive() for emitter in emitters)
        refused = self._inotify is not None and self._inotify.refused
        return bool(replaced or refused or self._lost or not alive or not self._observer.is_alive())

    def take_missed(self) -> bool:
        """Whether the system has dropped events since this was last asked."""
        missed, self._missed = self._missed, False
        return missed

    def _start_native(self) -> None:
        if sys.platform != "linux":
            self._start(Observer())
            return
        from trayapp.inotify import Inotify, InotifyObserver

        self._inotify = Inotify(self._on_overflow, self._hint)
        self._start(InotifyObserver(self._inotify))
        if self._inotify.refused:
            self.stop()
            refused, self._inotify = self._inotify.refused, None
            raise refused

    def _start(self, observer: Any) -> None:
        self._observer = observer
        try:
            observer.schedule(
                _Handler(self._on_event),
                str(self._real),
                recursive=self._recursive,
                event_filter=_EVENTS,
            )
            observer.start()
        except BaseException:
            self.stop()
            raise

    def _on_overflow(self) -> None:
        self._missed = True
        self._hint()

    def _on_event(self, event: events.FileSystemEvent) -> None:
        source, target = _text(event.src_path), _text(event.dest_path)
        if event.is_directory:
            self._on_folder(event.event_type, source)
        elif event.event_type == "moved":
            if target:
                self._report(Seen(self._path(target), complete=True))
            else:
                self._report(Gone(self._path(source)))
        elif event.event_type == "deleted":
            self._report(Gone(self._path(source)))
        elif event.event_type in ("created", "modified", "attrib", "closed"):
            self._report(Seen(self._path(source), complete=event.event_type == "closed"))

    def _on_folder(self, happened: str, name: str) -> None:
        deleted = happened == "deleted" and Path(name) == self._real
        readable = happened == "attrib" and self._inotify and name in self._inotify.closed
        if deleted or readable:  # one that could not be watched before
            self._lost = True
            self._hint()

    def _path(self, name: str) -> Path:
        """As the person names the folder."""
        path = Path(name)
        return self._root / path.relative_to(self._real) if self._root != self._real else path


class _Handler(events.FileSystemEventHandler):
    def __init__(self, report: Callable[[events.FileSystemEvent], None]) -> None:
        self._on_event = report

    def on_any_event(self, event: events.FileSystemEvent) -> None:
        self._on_event(event)


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
    best, kind, real = "", "", root.resolve()
    for line in lines:  # proc(5): ... (5) mount point ... - (9) file system type ...
        fields = line.split()
        mount = re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), fields[4])
        if real.is_relative_to(mount) and len(mount) >= len(best):
            best, kind = mount, fields[fields.index("-") + 1]
    return kind


def _is_to_visit(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and not entry.name.startswith(".")


def _text(path: bytes | str) -> str:
    return os.fsdecode(path)
