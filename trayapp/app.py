"""Wires Beartray to the desktop and runs it: tray, notifications, control socket, login item."""

from __future__ import annotations

import logging
import logging.handlers
import os
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path

from trayapp import __version__, settings
from trayapp.desktop import Desktop, NoTrayError, choose_desktop
from trayapp.desktop.autostart import launch_command
from trayapp.desktop.control import ControlServer, NotRunningError, SingleInstance, send
from trayapp.desktop.menu import View
from trayapp.desktop.tray import Tray
from trayapp.live import Live
from trayapp.paths import Paths
from trayapp.photo import BeartrayError
from trayapp.tell import Notice

logger = logging.getLogger(__name__)

PANEL_SECONDS = 3.0  # at login the panel may come a little later than we
CLOSE_SECONDS = 10.0

Say = Callable[[str], None]


class AlreadyRunningError(BeartrayError):
    """Another Beartray of this user runs; it has been told."""


class App:
    """The running program as a person meets it; the tray's `Actions`."""

    def __init__(
        self, paths: Paths, desktop: Desktop, folder: Path | None, say: Say, headless: bool
    ) -> None:
        self._paths, self._desktop, self._say = paths, desktop, say
        self._notifier = None if headless else desktop.notifier(self._undo_ids)
        self._tray: Tray | None = None
        # Not an Event: a signal handler may end the very thread that waits, and only this queue
        # is made for that.
        self._endings: queue.SimpleQueue[None] = queue.SimpleQueue()
        try:
            self.live = Live(paths, folder, self.show, self._refresh, self.set_login_item)
        except BeartrayError as error:
            if self._notifier is not None:  # at login nobody sees what a program prints
                self._notifier.show(Notice("Beartray cannot start", str(error), problem=True))
                self._notifier.close()
            raise
        self._thread = threading.Thread(target=self._work, name="pipeline")

    def run(self) -> None:
        """Block until `quit`, logout or a signal; call it on the main thread."""
        for number in _ending_signals():
            signal.signal(number, lambda *_: self.quit())
        control = ControlServer(self._desktop.control_paths(self._paths.private), self._answer)
        control.start()
        self._thread.start()
        try:
            self._say(f"Watching {self.live.root}")
            self._say("Drop photos there; `beartray status` tells more. Ctrl-C ends Beartray.")
            self._run_front()
        finally:
            self.live.stop()
            self._thread.join(CLOSE_SECONDS)
            control.close()
            if self._notifier is not None:
                self._notifier.close()

    def show(self, notice: Notice) -> None:
        """Tell the person, on the desktop and wherever the program was started from."""
        self._say(f"{notice.title}: {notice.body}")
        if self._notifier is not None:
            self._notifier.show(notice)

    def view(self) -> View:
        live, journal = self.live, self.live.journal
        undoable = journal.filed(1)
        return View(
            state=live.state,
            headline=self._headline(),
            folder=live.root,
            paused=live.paused,
            recent=tuple(journal.filed(5)),
            existing=live.notes.count_existing(live.root),
            undoable=undoable[0] if undoable else None,
            at_login=self._desktop.autostart.is_enabled(),
            problem=live.problem,
        )

    def pause(self, seconds: float | None) -> None:
        self.live.pause(seconds)

    def resume(self) -> None:
        self.live.resume()

    def change_folder(self, folder: Path) -> None:
        self.live.change_folder(folder)

    def undo_last(self) -> None:
        self.live.undo(self.live.journal.filed(1))

    def sort_existing(self) -> None:
        self.live.sort_existing()

    def set_at_login(self, wanted: bool) -> None:
        self.set_login_item(wanted)
        self.live.settings_file.change("startup.at_login", wanted)

    def set_login_item(self, wanted: bool) -> None:
        """Raises `BeartrayError` when the system's list of login items cannot be written."""
        try:
            if wanted:
                self._desktop.autostart.enable(launch_command())
            else:
                self._desktop.autostart.disable()
        except OSError as error:
            place = self._desktop.autostart.place
            raise BeartrayError(f"{place}: the login item cannot be changed: {error}") from None

    def quit(self) -> None:
        self._endings.put(None)
        if self._tray is not None:
            self._tray.stop()

    def status(self) -> dict[str, object]:
        live = self.live
        remaining = live.pause_remaining
        return {
            "state": live.state,
            "folder": str(live.root),
            "filed_today": live.journal.count_filed(_midnight()),
            "pending": live.pipeline.pending,
            "existing": live.notes.count_existing(live.root),
            "problem": live.problem,
            "degraded": live.inbox.degraded,
            "watching": live.inbox.watching,
            "model": live.settings.model.package,
            "engine": live.engine_state,
            "paused": live.paused,
            "pause_seconds_left": None if remaining is None else round(remaining),
            "at_login": self._desktop.autostart.is_enabled(),
            "tray": self._tray is not None,
            "pid": os.getpid(),
            "version": __version__,
        }

    def _run_front(self) -> None:
        if self._notifier is None:
            self._endings.get()
            return
        try:
            self._tray = self._desktop.tray(self, self._complain)
        except NoTrayError as error:
            self._say(f"No tray icon: {error}. Beartray works all the same.")
            self._endings.get()
            return
        threading.Thread(target=self._mention_no_panel, name="panel watch", daemon=True).start()
        if self._endings.empty():
            self._tray.run()

    def _mention_no_panel(self) -> None:
        reason = self._desktop.why_no_tray(PANEL_SECONDS)
        if reason and self._endings.empty():
            self._say(f"No tray icon yet: {reason}. Beartray works all the same.")

    def _work(self) -> None:
        try:
            self.live.run()
        finally:
            self.quit()

    def _refresh(self) -> None:
        if self._tray is not None:
            self._tray.refresh()

    def _headline(self) -> str:
        live = self.live
        if not live.settings_file.known:
            return "Not watching: the settings file has a mistake"
        count = live.journal.count_filed(_midnight())
        doing = "Paused" if live.paused else "Watching"
        if (seconds := live.pause_remaining) is not None:
            until = datetime.now().astimezone() + timedelta(seconds=seconds)
            doing = f"Paused until {until:%H:%M}"
        return f"{doing} {_from_home(live.root)} · {count} filed today"

    def _answer(self, request: dict[str, object]) -> dict[str, object]:
        """What `beartray status` and friends ask over the control socket."""
        seconds = request.get("seconds")
        match request.get("command"):
            case "status":
                return self.status()
            case "pause":
                self.pause(float(seconds) if isinstance(seconds, int | float) else None)
            case "resume":
                self.resume()
            case "quit":
                self.quit()
            case "show":
                self.show(Notice("Beartray is running already", self._headline()))
            case other:
                raise BeartrayError(f"the running Beartray does not know {other!r}; restart it")
        return {}

    def _undo_ids(self, ids: tuple[int, ...]) -> None:
        """The Undo button of a notification."""
        try:
            self.live.undo([self.live.journal.entry(id_) for id_ in ids])
        except BeartrayError as error:
            self._complain(str(error))

    def _complain(self, message: str) -> None:
        self.show(Notice("Beartray", message, problem=True))


def run(
    paths: Paths, environ: Mapping[str, str], folder: Path | None, headless: bool, say: Say
) -> None:
    """Run Beartray until it is asked to end.

    Raises `AlreadyRunningError` when it runs already (and tells that one to show itself), and
    other `BeartrayError`s when it cannot start.
    """
    paths.private.mkdir(parents=True, exist_ok=True, mode=0o700)
    instance = SingleInstance(paths.private / "running.lock")
    desktop = choose_desktop(environ)
    try:
        if not instance.acquire():
            raise AlreadyRunningError(_hand_over(desktop, paths))
        log_to(paths.log_file)
        settings.create(paths.settings_file)
        App(paths, desktop, folder, say, headless).run()
    except OSError as error:
        raise BeartrayError(f"Beartray cannot start: {error}") from error
    finally:
        desktop.close()
        instance.release()


def log_to(file: Path) -> None:
    """Keep the last few megabytes of what happened, for this user only."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = logging.handlers.RotatingFileHandler(
        file, maxBytes=1_000_000, backupCount=2, encoding="utf-8", errors="backslashreplace"
    )
    file.chmod(0o600)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def _hand_over(desktop: Desktop, paths: Paths) -> str:
    control = desktop.control_paths(paths.private)
    try:
        send(control, {"command": "show"})
        folder = send(control, {"command": "status"}).get("folder")
    except NotRunningError:
        return "Beartray is running already, but does not answer; end it and try again"
    return f"Beartray is running already and watches {folder}"


def _ending_signals() -> list[signal.Signals]:
    """Also that the terminal was closed, except under nohup; Windows knows no such signal."""
    found = [signal.SIGINT, signal.SIGTERM]
    hangup: signal.Signals | None = getattr(signal, "SIGHUP", None)
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        found.append(hangup)
    return found


def _midnight() -> float:
    today = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    return today.timestamp()


def _from_home(folder: Path) -> str:
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
