"""The program from its start to its end: builds the parts, wires them, and lets them work."""

from __future__ import annotations

import logging
import queue
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from trayapp import settings, times
from trayapp.app.actions import TrayActions
from trayapp.app.face import Face
from trayapp.app.log import log_to
from trayapp.app.reviewing import Reviewing
from trayapp.app.signals import on_signals
from trayapp.desktop import Desktop, NoTrayError, choose_desktop
from trayapp.desktop.control import (
    ControlServer,
    NotAnsweringError,
    NotRunningError,
    SingleInstance,
    hand_over,
    send,
)
from trayapp.desktop.login import Login
from trayapp.desktop.tray import Tray
from trayapp.errors import explain
from trayapp.files import make_private
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
    """The running program as a person meets it."""

    def __init__(
        self,
        paths: Paths,
        desktop: Desktop,
        folder: Path | None,
        say: Say,
        headless: bool,
        login: Login,
    ) -> None:
        self._paths, self._desktop, self._say, self._login = paths, desktop, say, login
        self._notifier = None if headless else desktop.notifier(self._undo, self._reveal)
        self._tray: Tray | None = None
        # Not an Event: a signal handler may end the very thread that waits, and only this queue
        # is made for that.
        self._endings: queue.SimpleQueue[None] = queue.SimpleQueue()
        try:
            self.live = Live(paths, folder, self.show, self._refresh, login.switch)
        except BeartrayError as error:
            if self._notifier is not None:  # at login nobody sees what a program prints
                self._notifier.show(Notice("Beartray cannot start", str(error), problem=True))
                self._notifier.close()
            raise
        self.face = Face(self.live, login, desktop.autostart.place, paths)
        self.reviewing = Reviewing(self.live, paths, lambda: self.actions)
        self.actions = TrayActions(
            *(self.live, self.face, login, paths, self.show, self.quit, self.reviewing.link)
        )
        self._thread = threading.Thread(target=self._work, name="pipeline")

    def run(self) -> None:
        """Block until `quit`, logout or a signal; call it on the main thread."""
        with on_signals(_ending_signals(), self.quit):
            self._run()

    def _run(self) -> None:
        self._desktop.at_logout(self._put_away)
        control = ControlServer(self._desktop.control_paths(self._paths.private), self._answer)
        try:
            control.start()
        except BeartrayError as error:  # photos are filed all the same
            self._complain(f"{error}; `beartray status` and the like will not work")
        self._thread.start()
        try:
            self._say(f"Watching {self.live.root}")
            self._say("Drop photos there; `beartray status` tells more. Ctrl-C ends Beartray.")
            self._repair_login_item()
            self._run_front()
        finally:
            self._put_away()
            control.close()
            if self._notifier is not None:
                self._notifier.close()

    def show(self, notice: Notice) -> None:
        """Tell the person, on the desktop and wherever the program was started from."""
        self._say(f"{notice.title}: {notice.body}")
        if self._notifier is not None:
            self._notifier.show(notice)

    def quit(self) -> None:
        self._endings.put(None)
        if self._tray is not None:
            self._tray.stop()

    def status(self) -> dict[str, object]:
        return {**self.face.status(), "tray": self._tray is not None}

    def _run_front(self) -> None:
        if self._notifier is None:
            self._endings.get()
            return
        try:
            self._tray = self._desktop.tray(self.actions, self._complain)
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

    def _repair_login_item(self) -> None:
        """One that starts a Beartray of an older place starts this one from now on."""
        live = self.live
        try:
            if live.settings_file.known and self._login.repair(live.settings.startup.at_login):
                logger.info("the login item starts this Beartray now")
        except OSError as error:
            logger.warning("the login item cannot be repaired: %s", explain(error))

    def _work(self) -> None:
        try:
            self.live.run()
        finally:
            self.quit()

    def _put_away(self) -> None:
        """End the work, with nothing half-done; the program itself may be ended right after."""
        self.reviewing.close()
        self.live.stop()
        self._thread.join(CLOSE_SECONDS)

    def _refresh(self) -> None:
        if self._tray is not None:
            self._tray.refresh()
        self.reviewing.changed()

    def _answer(self, request: dict[str, object]) -> dict[str, object]:
        """What `beartray status` and friends ask over the control socket."""
        match request:
            case {"command": "status"}:
                return self.status()
            case {"command": "pause", "until": int() | float() as until}:
                self.actions.pause_until(times.on_the_calendar(until))
            case {"command": "pause"}:
                self.actions.pause(None)
            case {"command": "resume"}:
                self.actions.resume()
            case {"command": "review"}:
                return {"address": self.reviewing.link()}
            case {"command": "quit"}:
                self.quit()
            case {"command": "show"}:
                self.show(Notice("Beartray is running already", self.face.headline()))
            case _:
                asked = request.get("command")
                raise BeartrayError(f"the running Beartray does not know {asked!r}; restart it")
        return {}

    def _undo(self, ids: tuple[int, ...]) -> None:
        """The Undo button of a notification."""
        try:
            self.actions.undo(*ids)
        except BeartrayError as error:
            self._complain(str(error))

    def _reveal(self, place: Path) -> None:
        """The Show button of a notification, for a photo or a folder."""
        opener = self._desktop.opener
        try:
            opener.open_folder(place) if place.is_dir() else opener.show_file(place)
        except (BeartrayError, OSError) as error:
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
    make_private(paths.private)
    instance = SingleInstance(paths.private / "running.lock")
    desktop = choose_desktop(environ)
    try:
        if not instance.acquire():
            raise AlreadyRunningError(_hand_over(desktop, paths))
        log_to(paths.log_file)
        settings.create(paths.settings_file)
        App(paths, desktop, folder, say, headless, login_of(desktop, paths, environ)).run()
    except OSError as error:
        raise BeartrayError(f"Beartray cannot start: {error}") from error
    finally:
        desktop.close()
        instance.release()


def login_of(desktop: Desktop, paths: Paths, environ: Mapping[str, str]) -> Login:
    """The login item of this Beartray."""
    return Login(desktop.autostart, paths.private / "had-login-item", environ)


def _hand_over(desktop: Desktop, paths: Paths) -> str:
    control = desktop.control_paths(paths.private)
    try:
        hand_over(control, {"command": "show"})
        folder = send(control, {"command": "status"}).get("folder")
    except NotAnsweringError as error:
        return str(error)
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
