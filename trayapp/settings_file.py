"""Follows the settings file while Beartray runs; the last good settings stay in force."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from trayapp import settings
from trayapp.settings import Settings, SettingsError

logger = logging.getLogger(__name__)


class SettingsFile:
    """The settings in force, and what is wrong with the file as it is now, if anything.

    `known` is false until the file could be read once: then `current` are only the defaults.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.current = Settings()
        self.known = False
        self.problem: str | None = None
        self._changing = threading.Lock()
        self._version: tuple[int, int, int] | None = None
        self.follow()

    def follow(self) -> bool:
        """Read the file again if it is another version; true when the settings changed."""
        version = self._look()
        if version == self._version:
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
        with self._changing:
            settings.change(self.file, key, value)

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
