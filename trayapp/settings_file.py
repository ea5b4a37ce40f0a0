"""Follows the settings file while Beartray runs; the last good settings stay in force."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler

from trayapp import settings
from trayapp.errors import explain
from trayapp.settings import Settings, SettingsError

logger = logging.getLogger(__name__)

EMPTY_SECONDS = 1.0  # editors empty a file, or move it away, just before they write it anew


class SettingsFile:
    """The settings in force, and what is wrong with the file as it is now, if anything.

    `known` is false until the file could be read once: then `current` are only the defaults.
    """

    def __init__(self, file: Path, steady: Callable[[], float] = time.monotonic) -> None:
        """`steady` is a clock in seconds that nobody sets."""
        self.file, self._steady = file, steady
        self.current = Settings()
        self.known = False
        self.problem: str | None = None
        self._changing = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self._empty_since: float | None = None
        self._observer: Any = None
        self.follow()

    def watch(self, wake: Callable[[], object]) -> bool:
        """Call `wake` when there may be something to `follow`; false where the system cannot tell.

        `close` ends that.
        """
        if sys.platform != "linux":
            return False  # nothing tells that the file was closed; half of one would be read
        from watchdog.observers.inotify import InotifyObserver

        try:
            self._observer = InotifyObserver()
            self._observer.schedule(_Handler(self.file, wake), str(self.file.parent))
            self._observer.start()
        except OSError as error:  # the folder is away, or the system's watches are used up
            logger.info("%s is looked at every second instead: %s", self.file, error)
            self.close()
            return False
        return True

    def close(self) -> None:
        """No longer watch the file."""
        if self._observer is not None:
            self._observer.stop()
            if self._observer.ident is not None:  # it could be started
                self._observer.join(5)
            self._observer = None

    def follow(self) -> bool:
        """Read the file again if it is another version; true when the settings changed."""
        version = self._look()
        if self._is_being_written(version) or version == self._version:
            return False
        self._version = version
        try:
            found = settings.load(self.file)
        except SettingsError as error:
            self._say(str(error))
            return False
        self._say(None)
        self.known = True
        changed, self.current = found != self.current, found
        return changed

    def change(self, key: str, value: object) -> None:
        """Write one key; `follow` then sees it. Raises `SettingsError`."""
        try:
            with self._changing:
                settings.change(self.file, key, value)
        except OSError as error:
            raise SettingsError(explain(error)) from None

    def _is_being_written(self, version: tuple[int, int, int] | None) -> bool:
        """Whether it is gone or empty so far, which would mean the defaults: another folder."""
        _, size, _ = version or (0, 0, 0)
        if size or not self.known:
            self._empty_since = None
            return False
        if self._empty_since is None:
            self._empty_since = self._steady()
        return self._steady() - self._empty_since < EMPTY_SECONDS

    def _look(self) -> tuple[int, int, int] | None:
        try:
            status = self.file.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _say(self, problem: str | None) -> None:
        if problem != self.problem and problem:
            instead = (
                "the last good settings stay in force" if self.known else "no photo is touched"
            )
            logger.error("%s; %s", problem, instead)
        self.problem = problem


class _Handler(FileSystemEventHandler):
    """Tells of all that happens to one file; an editor may put another one in its place."""

    def __init__(self, file: Path, wake: Callable[[], object]) -> None:
        self._name, self._wake = file.name, wake

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in {"closed", "moved", "deleted"}:
            return
        if self._name in {Path(str(path)).name for path in (event.src_path, event.dest_path)}:
            self._wake()
