"""What a person can do in the tray: the tray's `Actions`, carried out on the running Beartray."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from trayapp import about, adopt, settings, times
from trayapp.app.face import Face
from trayapp.desktop.login import Login
from trayapp.desktop.view import View
from trayapp.engine.package import ModelPackage
from trayapp.engine.trust import check_consent
from trayapp.errors import explain
from trayapp.live import Live
from trayapp.paths import Paths
from trayapp.photo import Action, BeartrayError, Verdict
from trayapp.tell import Mode, Notice


class TrayActions:
    """`show` gives a notice to the person, `end` ends the program, `review` opens the page."""

    def __init__(
        self,
        live: Live,
        face: Face,
        login: Login,
        paths: Paths,
        show: Callable[[Notice], None],
        end: Callable[[], None],
        review: Callable[[], str] = lambda: "",
    ) -> None:
        self._live, self._face, self._login, self._paths = live, face, login, paths
        self._show, self._end, self._review = show, end, review

    def view(self) -> View:
        return self._face.view()

    def headline(self) -> str:
        """The view's, for a fraction of what the view costs."""
        return self._face.headline()

    def problem(self) -> str | None:
        return self._live.problem

    def pause(self, seconds: float | None) -> None:
        self._live.pause(None if seconds is None else time.time() + seconds)

    def pause_until(self, moment: float) -> None:
        """Until `moment`, in seconds since the epoch."""
        self._live.pause(moment)

    def pause_until_tomorrow(self) -> None:
        self._live.pause(times.tomorrow(times.local_now()))

    def resume(self) -> None:
        self._live.resume()

    def change_folder(self, folder: Path) -> None:
        self._live.change_folder(folder)

    def undo(self, *entries: int) -> None:
        self._live.undo(entries)

    def undo_batch(self, batch: int) -> None:
        entries = self._live.journal.of_batch(batch)
        if not entries:
            raise BeartrayError("these photos were taken back already; nothing was changed")
        self._live.undo(entries)

    def sort_existing(self) -> None:
        self._live.sort_existing()

    def not_recognised(self) -> tuple[Path, list[Path]]:
        unsure = self._live.unsure
        return unsure.folder, unsure.photos()

    def classify(self, photo: Path) -> Verdict:
        return self._live.classify(photo)

    def review(self) -> str:
        return self._review()

    def set_at_login(self, wanted: bool) -> None:
        try:
            self._login.switch(wanted)
        finally:
            self._face.login.forget()
        self._live.change("startup.at_login", wanted)

    def set_action(self, action: Action) -> None:
        self._live.change("sort.action", action)

    def set_notify(self, mode: Mode) -> None:
        self._live.change("notify.mode", mode)

    def use_model(self, package: str) -> None:
        """A learner has to be agreed to on the command line, where there is room to say what it
        is; the error says how."""
        if package != self._live.settings.model.package:
            adopt.adopt(package, None, self._paths, self._check_consent, self._live.change)

    def settings_file(self) -> Path:
        try:
            settings.create(self._paths.settings_file)
        except OSError as error:
            raise BeartrayError(explain(error)) from None
        return self._paths.settings_file

    def log_file(self) -> Path:
        return self._paths.log_file

    def about(self) -> str:
        return "\n".join(about.about(self._paths))

    def say(self, title: str, body: str) -> None:
        self._show(Notice(title, body))

    def quit(self) -> None:
        self._end()

    def _check_consent(self, package: ModelPackage) -> None:
        check_consent(package, self._paths.trust)
