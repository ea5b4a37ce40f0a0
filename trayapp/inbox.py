"""Keeps one folder watched: from the day it is chosen, while it is away, and by regular rescans."""

from __future__ import annotations

import itertools
import logging
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from trayapp.errors import explain
from trayapp.notes import Notes
from trayapp.photo import NotAPhotoError, Photo
from trayapp.settings import Folder
from trayapp.watch import Gone, Seen, Watcher, WatchError, is_sidecar, is_wanted, scan

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0  # how often to look for a folder that is away
FLOOD = 4096  # events after which it is better to look for oneself (inotify queues 16,384)
FLOOD_SECONDS = 10.0
REST_SECONDS = 1.0  # between two looks because of dropped events, longer in a large folder
SLICE = 100  # files of a rescan between two looks at what else there is to do


class Inbox:
    """Reports new photos of `root`: those that arrive, and those that arrived while it was away.

    Photos that are there when a folder is first seen are noted and left alone, unless they came
    after `since` (seconds since the epoch), when the person named it: the first look may take a
    moment. With `chosen`, that holds for a folder that is known too. `skip` names the folders
    that photos are filed into. A rescan goes on while `has_room` says so. `problem` and
    `degraded` are sentences for the person. Everything but `report`, which also the watcher's
    thread calls, runs on one thread.
    """

    def __init__(
        self,
        root: Path,
        settings: Folder,
        notes: Notes,
        skip: Callable[[Path], bool],
        report: Callable[[Seen | Gone], None],
        since: float,
        chosen: bool = False,
        has_room: Callable[[], bool] = lambda: True,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.root, self._settings, self._notes, self._skip = root, settings, notes, skip
        self._report, self._since, self._chosen = report, since, chosen
        self._has_room, self._wake = has_room, wake
        self.problem: str | None = None
        self.scanning = self._sidecars = False
        self._watcher: Watcher | None = None
        self._scan: Iterator[Path] = iter(())
        self._next_look = 0.0
        self._next_scan = 0.0
        self._last_scan = self._rested = -math.inf
        self._scan_began: float | None = None
        self._hinted = self._missed = False
        self._events = 0

    @property
    def degraded(self) -> str | None:
        return self._watcher.degraded if self._watcher else None

    @property
    def watching(self) -> bool:
        return self._watcher is not None

    def _choose(self) -> None:
        """What is in the folder is left alone until asked. Raises `OSError`."""
        old = (_if_before(path, self._since) for path in self._files())
        self._notes.add_root(self.root, filter(None, old))

    def rescan(self, sidecars: bool = False) -> None:
        """Look through the whole folder, a slice at each `tick`; also for `sidecars` that came
        after their photos, of which events tell otherwise."""
        self._sidecars |= sidecars  # also when another rescan begins before this one's end
        self.scanning = self._watcher is not None
        self._scan_began = None
        self._scan = self._files(self._sidecars) if self.scanning else iter(())

    def tick(self, now: float) -> bool:
        """Do what is due; true when there is more to do at once."""
        if now >= self._next_look or self._hinted:
            self._hinted, self._next_look = False, now + RETRY_SECONDS
            if self._watcher is not None and self._watcher.trouble():
                self._stop_watching()
            if self._watcher is None:
                self._open(now)
        if self._watcher is not None and self._is_scan_due(now, self._watcher.take_missed()):
            if self._missed and self._settings.recursive:  # of new folders, too, nobody told
                self._stop_watching()
                self._open(now)
            self._plan_scan(now)
            self.rescan(sidecars=self._missed or self._events > FLOOD)
            self._events, self._missed = 0, False
        if self.scanning and self._scan_began is None:
            self._scan_began = now
        more = self._scan_slice()
        if self._scan_began is not None and not self.scanning:
            self._rested = now + max(REST_SECONDS, 2 * (now - self._scan_began))
            self._scan_began = None
        return more

    def close(self) -> None:
        self._stop_watching()

    def _open(self, now: float) -> None:
        """The order leaves no gap: note what is old, start to listen, then look once more."""
        try:
            if not self.root.is_dir():
                raise WatchError(_missing(self.root))
            if self._notes.knows_root(self.root) and not self._chosen:
                self._forget_vanished()
            else:
                self._choose()
                self._chosen = False
            self._watcher = Watcher(
                self.root,
                recursive=self._settings.recursive,
                kind=self._settings.observer,
                report=self._pass_on,
                hint=self._on_hint,
            )
        except (OSError, WatchError) as error:
            self._say(explain(error) if isinstance(error, OSError) else str(error))
            return
        self._say(None)
        if self._watcher.degraded:
            logger.warning("%s; looking every few seconds instead", self._watcher.degraded)
        self._plan_scan(now)
        self.rescan()

    def _forget_vanished(self) -> None:
        """Old photos that are gone need not be offered, unless all are: then it is a disk's
        empty mount point."""
        self._notes.forget_vanished(self.root, "existing", unless_all=True)

    def _stop_watching(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
        self._watcher, self._scan, self.scanning = None, iter(()), False

    def _plan_scan(self, now: float) -> None:
        self._last_scan = now
        minutes = self._settings.rescan_minutes
        self._next_scan = now + minutes * 60 if minutes else math.inf

    def _is_scan_due(self, now: float, missed: bool) -> bool:
        """`missed`: the system has dropped events. In a storm it does so again and again."""
        self._missed |= missed
        if now >= self._next_scan:
            return True
        flooded = self._events > FLOOD and now >= self._last_scan + FLOOD_SECONDS
        return not self.scanning and (flooded or (self._missed and now >= self._rested))

    def _scan_slice(self) -> bool:
        if not self.scanning or not self._has_room():
            return False
        try:
            paths = list(itertools.islice(self._scan, SLICE))
        except OSError as error:
            logger.warning("rescan stopped: %s", explain(error))
            paths = []
        for path in paths:
            photo = Photo.seen(path)
            if photo is not None and (is_sidecar(path) or self._notes.noted(photo) is None):
                self._report(Seen(path))
        self.scanning = len(paths) == SLICE
        self._sidecars &= self.scanning
        return self.scanning

    def _on_hint(self) -> None:
        """On the watcher's threads."""
        self._hinted = True
        self._wake()

    def _pass_on(self, event: Seen | Gone) -> None:
        """On the watcher's thread."""
        self._events += 1
        wanted = is_wanted(event.path, self._settings.ignore) or is_sidecar(event.path)
        if wanted and not self._is_filed(event.path):
            self._report(event)

    def _is_filed(self, path: Path) -> bool:
        return path.parent != self.root and self._skip(path.parent)

    def _files(self, sidecars: bool = False) -> Iterator[Path]:
        for path in scan(self.root, self._settings.recursive, self._skip):
            if is_wanted(path, self._settings.ignore) or (sidecars and is_sidecar(path)):
                yield path

    def _say(self, problem: str | None) -> None:
        if problem != self.problem:
            log = logger.warning if problem else logger.info
            log("%s", problem or f"watching {self.root}")
        self.problem = problem


def _if_before(path: Path, moment: float) -> Photo | None:
    """The photo, if it came before that: by the change time, which unlike the photo's own is set
    when a file is moved or copied in. One that cannot be looked at now is taken for an old one,
    whatever it turns out to be."""
    try:
        status = path.lstat()
        return Photo.from_stat(path, status) if status.st_ctime < moment else None
    except (FileNotFoundError, NotAPhotoError):
        return None
    except OSError:
        return Photo(path, 0, 0, "")


def _missing(root: Path) -> str:
    if root.exists():
        return f"{root} is not a folder; choose another one"
    return f"{root} is not there; connect its disk, make it again or choose another folder"
