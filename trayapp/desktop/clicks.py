"""Carries out what a row of the menu asks for; called away from the thread of the tray."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar, assert_never

from trayapp.desktop import messages
from trayapp.desktop.dialogs import Dialogs
from trayapp.desktop.menu import (
    Command,
    PauseFor,
    SetAction,
    SetAtLogin,
    SetNotify,
    ShowEntry,
    Simple,
    UndoBatch,
    UndoEntry,
    UseModel,
    View,
)
from trayapp.desktop.opener import Opener, show_photos
from trayapp.photo import Action, BeartrayError, Verdict
from trayapp.tell import Mode

logger = logging.getLogger(__name__)

WHAT = "What is this photo?"
ABOUT = "About Beartray"

T = TypeVar("T")


class Actions(Protocol):
    """What the tray asks of the app; `view` is quick, and each may be called on any thread.

    What cannot be done raises `BeartrayError` with one line for the person. `not_recognised`
    gives the folder to open and the photos in it, `classify` may take as long as the engine,
    `review` gives an address for the browser that opens once, `settings_file` and `log_file` are
    there to be opened, `say(title, body)` notifies.
    """

    def view(self) -> View: ...
    def pause(self, seconds: float | None) -> None: ...
    def pause_until_tomorrow(self) -> None: ...
    def resume(self) -> None: ...
    def change_folder(self, folder: Path) -> None: ...
    def undo(self, entry: int, /) -> None: ...
    def undo_batch(self, batch: int) -> None: ...
    def sort_existing(self) -> None: ...
    def not_recognised(self) -> tuple[Path, list[Path]]: ...
    def classify(self, photo: Path) -> Verdict: ...
    def review(self) -> str: ...
    def set_at_login(self, wanted: bool) -> None: ...
    def set_action(self, action: Action) -> None: ...
    def set_notify(self, mode: Mode) -> None: ...
    def use_model(self, package: str) -> None: ...
    def settings_file(self) -> Path: ...
    def log_file(self) -> Path: ...
    def about(self) -> str: ...
    def say(self, title: str, body: str) -> None: ...
    def quit(self) -> None: ...


class Clicks:
    """`complain` tells the person one line; a click that fails never ends the tray."""

    def __init__(
        self,
        actions: Actions,
        dialogs: Dialogs,
        opener: Opener,
        complain: Callable[[str], None],
    ) -> None:
        self._actions, self._dialogs = actions, dialogs
        self._opener, self._complain = opener, complain
        self._dialog = threading.Lock()

    def carry_out(self, command: Command, text: str) -> None:
        """Do it, or say why not; `text` is what the row said."""
        try:
            self._do(command)
        except BeartrayError as error:
            self._tell(str(error))
        except Exception as error:
            logger.exception("“%s” failed", text)
            self._tell(f"“{text}” did not work: {error}")

    def pause_or_resume(self) -> None:
        """What a middle click on the icon does."""
        paused = self._actions.view().paused
        self.carry_out("resume" if paused else PauseFor(None), "Pause")

    def _tell(self, problem: str) -> None:
        try:
            self._complain(problem)
        except Exception:
            logger.exception("nobody could be told: %s", problem)

    def _do(self, command: Command) -> None:
        match command:
            case PauseFor(seconds):
                self._actions.pause(seconds)
            case ShowEntry(entry):
                self._opener.show_file(entry.place)
            case UndoEntry(entry):
                self._actions.undo(entry.id)
            case UndoBatch(batch):
                self._actions.undo_batch(batch)
            case SetAtLogin(wanted):
                self._actions.set_at_login(wanted)
            case SetAction(action):
                self._actions.set_action(action)
            case SetNotify(mode):
                self._actions.set_notify(mode)
            case UseModel(package):
                self._actions.use_model(package)
            case _:
                self._do_simple(command)

    def _do_simple(self, command: Simple) -> None:
        match command:
            case "resume":
                self._actions.resume()
            case "pause until tomorrow":
                self._actions.pause_until_tomorrow()
            case "open folder":
                self._opener.open_folder(self._actions.view().folder)
            case "show unsure":
                show_photos(self._opener, *self._actions.not_recognised())
            case "review":
                self._opener.open_page(self._actions.review())
            case "open settings":
                self._opener.open_text(self._actions.settings_file())
            case "open log":
                self._opener.open_text(self._actions.log_file())
            case "change folder":
                self._change_folder()
            case "what is this":
                self._what_is_this()
            case "sort existing":
                self._sort_existing()
            case "about":
                self._message(ABOUT, self._actions.about())
            case "quit":
                self._actions.quit()
            case _:
                assert_never(command)

    def _change_folder(self) -> None:
        start = self._actions.view().folder
        folder = self._one_dialog(lambda: self._dialogs.choose_folder(start))
        if folder is not None:
            self._actions.change_folder(folder)

    def _what_is_this(self) -> None:
        start = self._actions.view().folder
        photo = self._one_dialog(lambda: self._dialogs.choose_photo(start))
        if photo is not None:
            self._message(WHAT, messages.answer(photo, self._actions.classify(photo)))

    def _sort_existing(self) -> None:
        view = self._actions.view()
        question = messages.sort_question(view.existing, view.folder)
        if self._one_dialog(lambda: self._dialogs.confirm(question, "Sort")):
            self._actions.sort_existing()

    def _one_dialog(self, ask: Callable[[], T]) -> T | None:
        """The answer; None for a second click, which finds the window already open."""
        if not self._dialog.acquire(blocking=False):
            return None
        try:
            return ask()
        finally:
            self._dialog.release()

    def _message(self, title: str, text: str) -> None:
        """In a window, which waits to be read; a notification where there is no such program."""
        try:
            self._dialogs.tell(title, text)
        except BeartrayError as error:
            logger.info("%s", error)
            self._actions.say(title, text)
