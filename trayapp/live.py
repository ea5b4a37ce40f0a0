"""Beartray at work, with or without a desktop: follows folder, settings and commands."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TooLateError
from pathlib import Path
from typing import Literal

from trayapp import assembly, catalog
from trayapp.clock import SYSTEM_CLOCK, Clock, process_start
from trayapp.database import Database
from trayapp.engine import EngineError
from trayapp.errors import describe
from trayapp.filing import Filing
from trayapp.inbox import Inbox
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.owner import Owner
from trayapp.paths import Paths
from trayapp.pause import Pause
from trayapp.photo import BeartrayError, Verdict
from trayapp.settings import Settings
from trayapp.settings_file import SettingsFile
from trayapp.tell import Gather, Notice, Trouble
from trayapp.unsure import Unsure

logger = logging.getLogger(__name__)

State = Literal["watching", "busy", "paused", "problem"]

TICK_SECONDS = 1.0
IDLE_SECONDS = 10.0  # once nothing has happened for so long, looks are as far apart
RECOVER_SECONDS = 60.0  # how often to look again at rows whose disk was away
ANSWER_SECONDS = 60.0  # for one photo that somebody asks about, while others are on their way


class Live:
    """One running Beartray. `run` works until `stop`; the rest may be called from any thread.

    `folder` takes the place of the settings' one. `show` gives a notice to the person, `changed`
    is called when what the tray shows has changed, `set_at_login` makes or removes the login item.
    """

    def __init__(
        self,
        paths: Paths,
        folder: Path | None = None,
        show: Callable[[Notice], None] = lambda _: None,
        changed: Callable[[], None] = lambda: None,
        set_at_login: Callable[[bool], None] = lambda _: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._paths, self._folder, self._clock = paths, folder, clock
        self._changed, self._set_at_login = changed, set_at_login
        self.settings_file = SettingsFile(paths.settings_file, clock.steady)
        self._owner = Owner(paths.private)
        self.database = Database(paths.journal_file)
        self.journal = Journal(self.database, self._owner.name, clock.wall)
        self.notes = Notes(self.database, clock.wall)
        self.filing = Filing(self.journal, self._owner.is_gone)
        # Who only looks does not wait while a row is flushed to a slow disk.
        self._looking = Database(paths.journal_file, read_only=True)
        self.to_look_at = Journal(self._looking, ""), Notes(self._looking)
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._undoing = threading.Lock()
        self._settings = self.settings_file.current
        self.engine = catalog.start_engine(self._settings.model, paths)
        self._assembly = assembly.Assembly(paths, self.filing, self.notes, show, clock)
        self.pipeline = self._assembly.pipeline(self.root, self._settings, self.engine)
        self.inbox = self._build_inbox(process_start())
        note = paths.private / "paused-until"
        self.pausing = Pause(note, self.settings_file, self.pipeline, clock.wall)
        self._next_recovery = 0.0
        self._last_change = 0.0
        self._told_of_settings = False
        self._shown: object = None
        self._told_problem: str | None = None
        self._stumbled_over: str | None = None

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def root(self) -> Path:
        return self._folder or self._settings.folder.root

    @property
    def problem(self) -> str | None:
        """The most pressing thing that a person should mend, one line."""
        return (
            self.inbox.problem
            or self.settings_file.problem
            or self.pipeline.problem
            or self.engine.problem
        )

    def run(self) -> None:
        """Work until `stop`; then leave nothing running."""
        self.pausing.follow(self._settings.startup.paused)
        self.unsure.forget_missing()
        self._told_of_settings = self.settings_file.watch(self.pipeline.wake)
        try:
            while not self._stopping.is_set():
                try:
                    self._turn()
                    self._stumbled_over = None
                except Exception as error:
                    self._stumble(error)
        finally:
            self._close()

    @property
    def paused(self) -> bool:
        return self.pipeline.paused

    @property
    def state(self) -> State:
        if self.problem:
            return "problem"
        if self.paused:
            return "paused"
        return "busy" if self.pipeline.working else "watching"

    @property
    def unsure(self) -> Unsure:
        """The photos that were not recognised."""
        return Unsure(self.notes, self._settings.sort, self.root)

    def stop(self) -> None:
        self._stopping.set()
        self.pipeline.wake()

    def pause(self, until: float | None = None) -> None:
        """Touch nothing until then (seconds since the epoch), or until `resume`, also across
        restarts."""
        self._do(lambda: self.pausing.begin(until))

    def resume(self) -> None:
        self._do(self._resume)

    def change(self, key: str, value: object) -> None:
        """Write one setting, which takes effect at once. Raises `SettingsError`."""
        self.settings_file.change(key, value)
        self.pipeline.wake()

    def classify(self, photo: Path) -> Verdict:
        """What a photo shows, of the engine that is at work anyway; moves nothing.

        Raises `EngineError`. Not for the thread of `run`.
        """
        try:
            return self.engine.submit(photo).result(ANSWER_SECONDS)
        except TooLateError:
            raise EngineError(f"no answer within {ANSWER_SECONDS:.0f} s; try again") from None
        except CancelledError:
            raise EngineError("the model has just been changed; try again") from None

    def change_folder(self, folder: Path) -> None:
        """Watch another folder from now on. Raises `SettingsError`."""
        self.settings_file.change("folder.path", str(folder))
        self._do(self._drop_own_folder)

    def sort_existing(self) -> None:
        """Sort the photos that were there when the folder was chosen."""
        self._do(self._sort_existing)

    def undo(self, ids: Iterable[int]) -> None:
        """Take entries back, newest first; `UndoError` for what cannot be, after all the rest."""
        try:
            with self._undoing:  # two clicks one after the other
                self.filing.undo_all(ids)
        finally:
            self._changed()

    def _turn(self) -> None:
        now = self._clock.steady()
        while not self._commands.empty():
            self._commands.get()()
        known = self.settings_file.known
        if self.settings_file.follow():
            self._apply(self.settings_file.current)
        if self.root != self.inbox.root:
            self._rebuild(chosen=known)
        if self.pausing.remaining == 0:
            self._resume()
        if now >= self._next_recovery:
            self._next_recovery = now + RECOVER_SECONDS
            for entry in self.filing.recover():
                logger.info("entry %s, left half-done, is now %s", entry.id, entry.state)
        if not self.inbox.scanning and self.pipeline.intake.take_missed():
            self.inbox.rescan(sidecars=True)
        # Without settings so far nobody knows which folder, nor whether to move or to copy.
        more = self.settings_file.known and self.inbox.tick(now)
        self._tell_problem()
        self.pipeline.step(0.0 if more else self._patience(now))
        self._tell_tray()

    def _apply(self, new: Settings) -> None:
        """Put changed settings in force, and find again what was on its way."""
        old, self._settings = self._settings, new
        logger.info("settings changed")
        if new.model != old.model:
            self.engine.close()
            self.engine = catalog.start_engine(new.model, self._paths)
        if new.startup.paused != old.startup.paused and self.pausing.follow(new.startup.paused):
            self.inbox.rescan()
        if new.notify != old.notify:
            self.pipeline.tell_all()
            self.pipeline.gather = Gather(new.notify.mode)
        same_root = self.root == self.inbox.root
        if same_root and (new.model, new.folder, new.sort) != (old.model, old.folder, old.sort):
            self._rebuild(chosen=False)
        if new.startup.at_login != old.startup.at_login:
            self._change_login_item(new.startup.at_login)

    def _rebuild(self, chosen: bool) -> None:
        self.inbox.close()
        self._assembly.readjust(self.pipeline, self.root, self._settings, self.engine)
        self.inbox = self._build_inbox(self._clock.wall(), chosen)
        self.unsure.forget_missing()

    def _build_inbox(self, since: float, chosen: bool = False) -> Inbox:
        if not self._settings.folder.path and not self._folder:
            assembly.make_default_folder(self.root)
        return self._assembly.inbox(self.root, self._settings, self.pipeline, since, chosen)

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        self.pipeline.wake()

    def _drop_own_folder(self) -> None:
        self._folder = None

    def _change_login_item(self, wanted: bool) -> None:
        try:
            self._set_at_login(wanted)
        except BeartrayError as error:
            self._add_trouble(str(error))

    def _resume(self) -> None:
        self.pausing.end()
        self.inbox.rescan()

    def _sort_existing(self) -> None:
        self.notes.forget_existing(self.root)
        self.inbox.rescan()

    def _stumble(self, error: Exception) -> None:
        """Say it once, and go on; a journal on a full disk is no mistake of ours."""
        if not isinstance(error, (BeartrayError, OSError)):
            logger.exception("this should not happen; going on")
        if self._stumbled_over != (message := describe(error)):
            self._stumbled_over = message
            self._add_trouble(message)
        self._stopping.wait(TICK_SECONDS)

    def _add_trouble(self, message: str) -> None:
        self.pipeline.gather.add(Trouble(message), self._clock.steady())

    def _tell_problem(self) -> None:
        problem = self.inbox.problem or self.settings_file.problem
        if problem and problem != self._told_problem:
            self._add_trouble(problem)
        self._told_problem = problem

    def _tell_tray(self) -> None:
        """Also of what other processes did (`beartray undo`), and of a new day's count."""
        doing = (self.problem, self.inbox.degraded, self.state, self.pausing.until, self.root)
        today = time.localtime(self._clock.wall())[:3]
        before = self._shown
        self._shown = (doing, self._settings, self.database.version(), today)
        if self._shown != before:
            self._last_change = self._clock.steady()
            self._changed()

    def _patience(self, now: float) -> float:
        """Seconds until the next look at what nobody tells of. A laptop sleeps deeper when
        Beartray rarely wakes."""
        idle = self._told_of_settings and not self.problem and not self.pipeline.pending
        if not idle or now - self._last_change < IDLE_SECONDS:
            return TICK_SECONDS
        remaining = self.pausing.remaining
        return IDLE_SECONDS if remaining is None else min(IDLE_SECONDS, remaining)

    def _close(self) -> None:
        self.pipeline.tell_all()
        self.inbox.close()
        self.settings_file.close()
        self.engine.close()
        self._looking.close()
        self.database.close()
        self._owner.close()
