"""Beartray at work, with or without a desktop: follows folder, settings and commands."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

from trayapp import catalog, disk
from trayapp.clock import process_start
from trayapp.database import Database
from trayapp.decide import filed_folders
from trayapp.engine import EngineError
from trayapp.filing import Filing, UndoError
from trayapp.inbox import Inbox
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.owner import Owner
from trayapp.paths import Paths
from trayapp.photo import BeartrayError, Entry
from trayapp.pipeline import Pipeline
from trayapp.settings import Settings, SettingsError
from trayapp.settings_file import SettingsFile
from trayapp.settle import Settle
from trayapp.steps import look
from trayapp.tell import Gather, Notice, Trouble
from trayapp.watch import Seen

logger = logging.getLogger(__name__)

State = Literal["watching", "busy", "paused", "problem"]

TICK_SECONDS = 1.0
RECOVER_SECONDS = 60.0  # how often to look again at rows whose disk was away


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
    ) -> None:
        self._paths, self._folder = paths, folder
        self._show, self._changed, self._set_at_login = show, changed, set_at_login
        self.settings_file = SettingsFile(paths.settings_file)
        self._owner = Owner(paths.private)
        self._database = Database(paths.journal_file)
        self.journal = Journal(self._database, self._owner.name)
        self.notes = Notes(self._database)
        self.filing = Filing(self.journal, self._owner.is_gone)
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._settings = self.settings_file.current
        self._engine = catalog.start_engine(self._settings.model, paths)
        self.pipeline = self._build_pipeline()
        self.inbox = self._build_inbox(process_start())
        self.resume_at: float | None = None
        self._next_recovery = 0.0
        self._shown: object = None
        self._told_problem: str | None = None

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
            or self._engine.problem
        )

    def run(self) -> None:
        """Work until `stop`; then leave nothing running."""
        if self._settings.startup.paused:
            self.pipeline.pause()
        try:
            while not self._stopping.is_set():
                try:
                    self._turn()
                except Exception as error:
                    logger.exception("this should not happen; going on")
                    self.pipeline.gather.add(Trouble(f"internal error: {error}"), time.monotonic())
                    self._stopping.wait(TICK_SECONDS)
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
    def pause_remaining(self) -> float | None:
        """Seconds until a pause for a time ends."""
        return None if self.resume_at is None else max(0.0, self.resume_at - time.monotonic())

    @property
    def engine_state(self) -> str:
        return self._engine.state

    def stop(self) -> None:
        self._stopping.set()
        self.pipeline.wake()

    def pause(self, seconds: float | None = None) -> None:
        """Touch nothing for so many seconds, or until `resume`, also across restarts."""
        self._do(lambda: self._pause(seconds))

    def resume(self) -> None:
        self._do(self._resume)

    def change_folder(self, folder: Path) -> None:
        """Watch another folder from now on. Raises `SettingsError`."""
        self.settings_file.change("folder.path", str(folder))
        self._do(self._drop_own_folder)

    def sort_existing(self) -> None:
        """Sort the photos that were there when the folder was chosen."""
        self._do(self._sort_existing)

    def undo(self, entries: list[Entry]) -> list[Entry]:
        """Take entries back, newest first; `UndoError` for what cannot be, after all the rest."""
        undone, refused = [], []
        for entry in sorted(entries, key=lambda entry: entry.id, reverse=True):
            try:
                undone.append(self.filing.undo(self.journal.entry(entry.id)))
            except UndoError as error:
                refused.append(error)
        self._changed()
        if refused:
            more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
            raise UndoError(f"{refused[0]}{more}")
        return undone

    def _turn(self) -> None:
        now = time.monotonic()
        self._carry_out_commands()
        known = self.settings_file.known
        if self.settings_file.follow():
            self._apply(self.settings_file.current)
        if self.root != self.inbox.root:
            self._rebuild(chosen=known)
        if self.resume_at is not None and now >= self.resume_at:
            self._resume()
        if now >= self._next_recovery:
            self._next_recovery = now + RECOVER_SECONDS
            for entry in self.filing.recover():
                logger.info("entry %s, left half-done, is now %s", entry.id, entry.state)
        # Without settings so far nobody knows which folder, nor whether to move or to copy.
        more = self.settings_file.known and self.inbox.tick(now)
        self._tell_problem(now)
        self.pipeline.step(0.0 if more else TICK_SECONDS)
        self._tell_tray()

    def _apply(self, new: Settings) -> None:
        """Put changed settings in force, and find again what was on its way."""
        old, self._settings = self._settings, new
        logger.info("settings changed")
        if new.model != old.model:
            self._engine.close()
            self._engine = catalog.start_engine(new.model, self._paths)
        if new.startup.paused != old.startup.paused:
            self._resume() if not new.startup.paused else self.pipeline.pause()
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
        self.pipeline.restart()
        settings = self._settings
        self.pipeline.root, self.pipeline.sort = self.root, settings.sort
        self.pipeline.submit, self.pipeline.workers = self._engine.submit, settings.model.workers
        self.pipeline.settle.quiet = settings.folder.settle_seconds
        self.inbox = self._build_inbox(time.time(), chosen)

    def _build_pipeline(self) -> Pipeline:
        return Pipeline(
            self.root,
            self._settings.sort,
            Settle(self._settings.folder.settle_seconds, look, disk.being_written),
            self._engine.submit,
            self.filing,
            self.notes,
            Gather(self._settings.notify.mode),
            self._show,
            self._settings.model.workers,
        )

    def _build_inbox(self, since: float, chosen: bool = False) -> Inbox:
        try:
            labels = catalog.labels(catalog.find(self._settings.model.package, self._paths))
        except EngineError:
            labels = ()
        skip = filed_folders(self._settings.sort, self.root, labels)
        folder = self._settings.folder
        if not folder.path and not self._folder:
            with suppress(OSError):  # the inbox says what is wrong
                self.root.mkdir(parents=True, exist_ok=True)
        return Inbox(self.root, folder, self.notes, skip, self.pipeline.put, since, chosen)

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        self.pipeline.wake()

    def _carry_out_commands(self) -> None:
        while not self._commands.empty():
            self._commands.get()()

    def _drop_own_folder(self) -> None:
        self._folder = None

    def _change_login_item(self, wanted: bool) -> None:
        try:
            self._set_at_login(wanted)
        except BeartrayError as error:
            self.pipeline.gather.add(Trouble(str(error)), time.monotonic())

    def _pause(self, seconds: float | None) -> None:
        self.resume_at = None if seconds is None else time.monotonic() + seconds
        self.pipeline.pause()
        if seconds is None:
            self._remember_paused(True)

    def _resume(self) -> None:
        self.resume_at = None
        self.pipeline.resume()
        self._remember_paused(False)
        self.inbox.rescan()

    def _remember_paused(self, paused: bool) -> None:
        if self._settings.startup.paused != paused:
            try:
                self.settings_file.change("startup.paused", paused)
            except SettingsError as error:  # the file is broken; it pauses all the same
                logger.warning("%s", error)

    def _sort_existing(self) -> None:
        for path in self.notes.existing(self.root):
            self.notes.forget(path)
            self.pipeline.put(Seen(path))

    def _tell_problem(self, now: float) -> None:
        problem = self.inbox.problem or self.settings_file.problem
        if problem and problem != self._told_problem:
            self.pipeline.gather.add(Trouble(problem), now)
        self._told_problem = problem

    def _tell_tray(self) -> None:
        """Also of what other processes did (`beartray undo`), and of a new day's count."""
        doing = (self.problem, self.state, self.resume_at, self._settings, self.root)
        before, self._shown = self._shown, (doing, self.journal.filed(5), time.localtime()[:3])
        if self._shown != before:
            self._changed()

    def _close(self) -> None:
        self.pipeline.tell_all()
        self.inbox.close()
        self._engine.close()
        self._database.close()
        self._owner.close()
