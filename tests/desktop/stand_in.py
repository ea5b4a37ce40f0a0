"""A stand-in for the app: the real tray and notifications, with actions that only write a log.

python -m tests.desktop.stand_in LOG FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

from trayapp.desktop import choose_desktop
from trayapp.desktop.tray import Tray, View
from trayapp.desktop.view import Batch
from trayapp.photo import Action, BeartrayError, Entry, Verdict
from trayapp.tell import Mode, Notice


def entry(number: int, name: str, label: str = "grizzly", folder: Path = Path("/p")) -> Entry:
    """A photo that was filed."""
    place = folder / label / name
    return Entry(number, 0.0, 1, folder / name, place, label, 0.987, "move", "done")


class LoggedActions:
    """Actions that change the view as the app would, and write what was asked to `log`."""

    def __init__(self, log: Path, folder: Path) -> None:
        recent = tuple(
            entry(number, f"IMG_{number:04}.jpg", label, folder)
            for number, label in ((5, "grizzly"), (4, "teddy"), (3, "black"), (2, "grizzly"))
        )
        self._view = View(
            state="watching",
            headline=f"Watching {folder.name} · 12 filed today",
            folder=folder,
            paused=False,
            recent=recent,
            existing=214,
            undoable=recent[0],
            batch=Batch(1, 4),
            today=(("grizzly", 7), ("teddy", 5)),
            unsure=3,
            model="bears",
            models=("bears", "cats"),
        )
        self._log = log
        self.tray: Tray | None = None

    def write(self, line: str) -> None:
        with self._log.open("a") as log:
            log.write(line + "\n")

    def show(self, **changes: object) -> None:
        """Change what the tray shows."""
        self._view = replace(self._view, **changes)  # type: ignore[arg-type]
        if self.tray is not None:
            self.tray.refresh()

    def view(self) -> View:
        return self._view

    def pause(self, seconds: float | None) -> None:
        self.show(state="paused", paused=True, headline="Paused")
        self.write(f"pause {seconds}")

    def pause_until_tomorrow(self) -> None:
        self.show(state="paused", paused=True, headline="Paused")
        self.write("pause_until_tomorrow")

    def resume(self) -> None:
        self.show(state="watching", paused=False, headline="Watching again")
        self.write("resume")

    def change_folder(self, folder: Path) -> None:
        self.write(f"change_folder {folder}")
        self.show(folder=folder, headline=f"Watching {folder.name}")

    def undo(self, entry: int) -> None:
        if all(kept.id != entry for kept in self._view.recent):
            raise BeartrayError("there is nothing to undo")
        self.write(f"undo {entry}")
        recent = tuple(kept for kept in self._view.recent if kept.id != entry)
        self.show(recent=recent, undoable=recent[0] if recent else None)

    def undo_batch(self, batch: int) -> None:
        self.write(f"undo_batch {batch}")
        self.show(recent=(), undoable=None, batch=None)

    def sort_existing(self) -> None:
        self.write("sort_existing")
        self.show(existing=0)

    def not_recognised(self) -> tuple[Path, list[Path]]:
        self.write("not_recognised")
        return self._view.folder, []

    def classify(self, photo: Path) -> Verdict:
        self.write(f"classify {photo}")
        return Verdict("grizzly", 0.987, {"grizzly": 0.987, "black": 0.013})

    def review(self) -> str:
        self.write("review")
        return "http://127.0.0.1:9/enter?key=x"

    def set_at_login(self, wanted: bool) -> None:
        self.write(f"set_at_login {wanted}")
        self.show(at_login=wanted)

    def set_action(self, action: Action) -> None:
        self.write(f"set_action {action}")
        self.show(action=action)

    def set_notify(self, mode: Mode) -> None:
        self.write(f"set_notify {mode}")
        self.show(notify=mode)

    def use_model(self, package: str) -> None:
        self.write(f"use_model {package}")
        self.show(model=package)

    def settings_file(self) -> Path:
        return self._view.folder / "settings.toml"

    def log_file(self) -> Path:
        return self._log

    def about(self) -> str:
        return "Beartray, a stand-in"

    def say(self, title: str, body: str) -> None:
        self.write(f"say {title}: {body}")

    def quit(self) -> None:
        self.write("quit")
        if self.tray is not None:
            self.tray.stop()


class Kept:
    """Where notices go that no service shows."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def show(self, notice: Notice) -> None:
        self.notices.append(notice)

    def close(self) -> None:
        pass


def main(log: Path, folder: Path) -> int:
    desktop = choose_desktop(os.environ)
    actions = LoggedActions(log, folder)
    notifier = desktop.notifier(
        lambda ids: actions.write(f"undo {ids}"), lambda path: actions.write(f"show {path}")
    )
    tray = desktop.tray(actions, lambda problem: notifier.show(Notice("Beartray", problem)))
    actions.tray = tray

    def states(*_: object) -> None:  # SIGUSR1: the next state
        order = ["watching", "busy", "paused", "problem"]
        following = order[(order.index(actions.view().state) + 1) % 4]
        actions.show(state=following)

    def notice(*_: object) -> None:  # SIGUSR2: a notification
        body = "IMG_0005.jpg is a grizzly, 98 % sure. <b>Not bold</b> & fine."
        notifier.show(Notice("Filed 1 photo", body, undo=(5,)))

    signal.signal(signal.SIGUSR1, states)
    signal.signal(signal.SIGUSR2, notice)
    signal.signal(signal.SIGTERM, lambda *_: tray.stop())
    started = time.clock_gettime(time.CLOCK_BOOTTIME)
    actions.write(f"why_no_tray {desktop.why_no_tray(0)}")
    tray.run()
    actions.write(f"ended after {time.clock_gettime(time.CLOCK_BOOTTIME) - started:.1f} s")
    notifier.close()
    desktop.close()
    rest = [thread.name for thread in threading.enumerate() if not thread.daemon]
    actions.write(f"threads left: {rest}")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
