"""Pauses the way of a photo, for a time or until someone ends it, also across restarts."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from trayapp import settings, times
from trayapp.files import write_atomically
from trayapp.photo import BeartrayError
from trayapp.pipeline import Pipeline
from trayapp.settings import SettingsError
from trayapp.settings_file import SettingsFile

logger = logging.getLogger(__name__)


class Pause:
    """`startup.paused` in the settings says whether Beartray is paused, a note in `file` how long.

    `until` is when the pause ends, in seconds since the epoch; None: when someone ends it. What
    cannot be written or read is logged: the pause then holds all the same, as long as it can.
    `now` is the time of day. Everything but `remaining` is for the thread that works the pipeline.
    """

    def __init__(
        self,
        file: Path,
        settings_file: SettingsFile,
        pipeline: Pipeline,
        now: Callable[[], float],
    ) -> None:
        self._file, self._settings_file, self._pipeline = file, settings_file, pipeline
        self._now = now
        self.until: float | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds until a pause for a time ends; the wall's clock goes on while a laptop sleeps."""
        return None if (until := self.until) is None else max(0.0, until - self._now())

    def begin(self, until: float | None) -> None:
        """Until when is written down first: killed in between, it is no endless pause."""
        self.until = until
        self._write(until)
        self._pipeline.pause()
        self._remember(True)

    def end(self) -> None:
        self.until = None
        self._pipeline.resume()
        self._remember(False)
        self._write(None)

    def follow(self, paused: bool) -> bool:
        """Do as `startup.paused` says now; true when that ended a pause."""
        if paused and not self._pipeline.paused:
            self.until = self._read()
            self._pipeline.pause()
        elif not paused and self._pipeline.paused:
            self.end()
            return True
        elif not paused and self._settings_file.known:
            self._write(None)
        return False

    def _remember(self, paused: bool) -> None:
        """The file may say so already; it may also have changed since it was followed last."""
        try:
            if settings.load(self._settings_file.file).startup.paused != paused:
                self._settings_file.change("startup.paused", paused)
        except (OSError, SettingsError) as error:
            logger.warning("%s", error)

    def _read(self) -> float | None:
        try:
            return times.on_the_calendar(float(self._file.read_text("ascii")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, BeartrayError) as error:
            logger.warning("%s cannot be read: %s", self._file, error)
            return None

    def _write(self, until: float | None) -> None:
        try:
            if until is None:
                self._file.unlink(missing_ok=True)
            else:
                write_atomically(self._file, f"{until:.3f}".encode(), 0o600)
        except OSError as error:
            logger.warning("%s cannot be written: %s", self._file, error)
