"""The whole desktop: Xvfb, a session bus, openbox, an Xfce panel, dunst, a mouse and a keyboard.

HOME and every XDG folder are private to it, and nothing of it is left when it is closed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageGrab

from tests.desktop.desk.bus import PrivateBus
from tests.desktop.desk.panel import MenuLine, Panel
from tests.desktop.desk.processes import Processes, require_programs, wait_until
from trayapp.desktop.bus import Peer, SessionBus

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
PROGRAMS = [
    "Xvfb",
    "dbus-daemon",
    "openbox",
    "xfce4-panel",
    "dunst",
    "dunstctl",
    "xdotool",
]
WIDTH, HEIGHT = 1024, 600
UNDER_ICON = (760, 100, 1024, 400)  # the menu is there, but neither tooltips nor notifications
ICON = (1008, 16)  # where the panel of xfce4-panel.xml puts the only icon
FOREIGN = ("XDG_", "DBUS_", "WAYLAND_", "BEARTRAY_", "GTK_", "QT_", "DISPLAY", "XAUTHORITY")
DUNST = """[global]
    origin = bottom-right
    offset = (16, 16)
    width = (300, 420)
    font = DejaVu Sans 10
    markup = full
    format = "<b>%s</b>\\n%b"
    dmenu = {chooser}
[urgency_normal]
    timeout = 0
"""


NOTICES = Peer(
    "org.freedesktop.Notifications", "/org/freedesktop/Notifications", "org.dunstproject.cmd0"
)


@dataclass(frozen=True, order=True)
class Notified:
    """What a notification said; dunst numbers them as they come."""

    id: int
    title: str
    body: str


class Desk:
    """A desktop that somebody sits at: look (`screenshot`), point (`open_menu`), type (`keys`)."""

    def __init__(self, folder: Path, shots: Path, *services: str) -> None:
        """Start it under `folder`; screenshots go to `shots`. Skips without the programs.

        The bus starts the `services` named, and Xfce's settings, when they are asked for.
        """
        require_programs(*PROGRAMS)
        self.folder, self._shots = folder, shots
        self.home, self.config = folder / "home", folder / "config"
        self.programs = folder / "bin"  # first on the search path: what a test puts there wins
        self.programs.mkdir()
        self._chooser = self.programs / "choose-button"
        self._processes = Processes(self._environment(), folder / "logs")
        self._watch: SessionBus | None = None
        try:
            self._start(services)
        except BaseException:
            self.close()
            raise

    @property
    def environ(self) -> dict[str, str]:
        """The environment of everything on this desktop; changes count for what starts later."""
        return self._processes.environ

    def close(self) -> None:
        if self._watch is not None:
            self._watch.close()
        self._processes.close()

    def start(self, *command: str, log: str | None = None) -> subprocess.Popen[bytes]:
        """Start a program on this desktop; it is ended with the desktop at the latest."""
        return self._processes.start(*command, log=log)

    def stop(self, child: subprocess.Popen[bytes]) -> int:
        """End a program that was started here; its status."""
        return self._processes.stop(child)

    def python(self, *arguments: str, log: str = "app") -> subprocess.Popen[bytes]:
        """Start Python with the project importable, as `python ARGUMENTS…`."""
        return self.start(sys.executable, *arguments, log=log)

    def run(self, *command: str, seconds: float = 20.0) -> subprocess.CompletedProcess[str]:
        """Run a program on this desktop to its end."""
        return self._processes.run(*command, seconds=seconds)

    def log(self, name: str = "app") -> str:
        """What a started program has said so far."""
        path = self._processes.log_of(name)
        return path.read_text(errors="replace") if path.exists() else ""

    def restart_panel(self) -> None:
        """As after a crash of the panel."""
        self.stop_panel()
        self.start_panel()

    def stop_panel(self) -> None:
        """Take the panel away, as before it has come up at login."""
        self._processes.stop(self._panel_process)
        wait_until(lambda: not self._bus_has_watcher(), "the panel was gone")

    def start_panel(self) -> None:
        self._panel_process = self.start("xfce4-panel", "--disable-wm-check")
        wait_until(self._bus_has_watcher, "the panel's tray was there", 30.0)

    def logout(self) -> None:
        """End the session: screen and bus go away under everything."""
        self._processes.stop(self._screen)
        self.lose_bus()

    def lose_bus(self) -> None:
        """The session bus crashes; the panel and dunst end with it, as most programs do."""
        if self._watch is not None:
            self._watch.close()
        self._watch = None
        self._bus.kill()
        for child in (self._panel_process, self._dunst):
            self._processes.stop(child)

    def bring_bus_back(self) -> None:
        """A new bus at the same address, with a new panel and notification service."""
        self._bus.start()
        self._watch = self._bus.connect()
        self._dunst = self.start("dunst")
        self.start_panel()
        self._wait_for_dunst()

    def screenshot(self, name: str) -> Path:
        """Save what is on the screen as `name`.png among the test's output; its path."""
        self._shots.mkdir(parents=True, exist_ok=True)
        path = self._shots / f"{name}.png"
        self.look().save(path)
        return path

    def look(self) -> Image.Image:
        """What is on the screen, RGB."""
        return self._grab((0, 0, WIDTH, HEIGHT))

    def panel(self, seconds: float = 30.0) -> Panel:
        """The icon as it is known to the panel, once there is one."""
        assert self._watch is not None
        watch = self._watch
        found = wait_until(lambda: Panel.first(watch), "an icon was in the panel", seconds)
        assert found is not None
        return found

    def icon(self) -> Image.Image:
        """The pixels where the icon is, 32 × 32."""
        x, y = ICON
        return self._grab((x - 16, y - 16, x + 16, y + 16))

    def _grab(self, box: tuple[int, int, int, int]) -> Image.Image:
        return ImageGrab.grab(box, xdisplay=self.environ["DISPLAY"]).convert("RGB")

    def wait_for_icon(self, seconds: float = 30.0) -> Image.Image:
        """The icon's pixels once something is drawn in the panel's tray."""
        try:
            wait_until(lambda: _colours(self.icon()) > 20, "an icon was drawn", seconds)
        except pytest.fail.Exception as failure:
            shot = self.screenshot("no-icon")
            said = {name: self.log(name) for name in ("xfce4-panel", "app")}
            pytest.fail(f"{failure}; see {shot.name}; they said: {said}")
        return self.icon()

    def open_menu(self) -> None:
        """Click the icon with the right button and wait until the menu is drawn."""
        self.point(*ICON)
        before = self._grab(UNDER_ICON)
        self._xdotool("click", "3")

        def drawn() -> bool:
            seen = self._grab(UNDER_ICON)
            return seen == self._grab(UNDER_ICON) and seen != before

        wait_until(drawn, "the menu was drawn")

    def choose(self, *labels: str) -> None:
        """Open the menu and walk to a line by keyboard, through submenus; labels may be cut."""
        self.open_menu()
        self.choose_in_open_menu(*labels)

    def choose_in_open_menu(self, *labels: str) -> None:
        """Walk to a line of the menu that `open_menu` has opened."""
        lines = self.panel().lines()
        for depth, label in enumerate(labels):
            able = [line for line in lines if line.enabled and not line.separator]
            place = next(i for i, line in enumerate(able) if line.label.startswith(label))
            # A submenu that is opened by the keyboard has its first line selected already.
            self.keys(*["Down"] * (place + (depth == 0)))
            last = depth == len(labels) - 1
            self.keys("Return" if last else "Right")
            lines = able[place].lines

    def wait_for_notices(self, count: int) -> None:
        """Wait until so many notifications are on the screen."""
        what = f"{count} notifications were seen"
        wait_until(lambda: self.dunst("count", "displayed").strip() == str(count), what)

    def press_button_of_notice(self, label: str = "Undo") -> None:
        """Press the button called `label` of the notifications that are shown.

        dunst offers the buttons to a chooser; this one takes the first line with the label.
        """
        self._chooser.write_text(f'#!/bin/sh\nexec grep --max-count=1 "^#{label} "\n')
        self._chooser.chmod(0o755)
        self.dunst("context")

    def click_notice(self) -> None:
        """Click the newest notification itself, not a button of it."""
        self.dunst("action", "0")

    def closed_notices(self) -> list[Notified]:
        """The notifications that are no longer shown, the oldest first. (`dunstctl history` needs
        systemd's busctl.)"""
        assert self._watch is not None
        (found,) = self._watch.call(NOTICES, "NotificationListHistory")
        wanted = ("id", "summary", "body")
        return sorted(Notified(*(one[name].value for name in wanted)) for one in found)

    def dunst(self, *arguments: str) -> str:
        """What the notification service answers to `dunstctl ARGUMENTS…`."""
        done = self.run("dunstctl", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def answer_folder_dialog(self, title: str, folder: Path) -> None:
        """Type a folder's path into a GTK folder dialog and confirm it."""
        window = self.window(title)
        self.type(f"{folder}/")  # GTK opens a line to type in at the first slash

        def closed() -> bool:
            if window in self.windows(title):
                self.keys("Return")
            return window not in self.windows(title)

        wait_until(closed, "the folder was chosen")

    def stub(self, name: str) -> Callable[[], list[str]]:
        """Put a program in the place of another that notes its arguments; the answer reads them."""
        noted = self.folder / f"{name}.noted"
        program = self.programs / name
        program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{noted}"\n')
        program.chmod(0o755)
        return lambda: noted.read_text().splitlines() if noted.exists() else []

    def menu(self) -> tuple[MenuLine, ...]:
        """The menu's lines, without opening it."""
        return self.panel().lines()

    def keys(self, *names: str) -> None:
        """Press keys by their X names: "Down", "Return", "ctrl+a"."""
        if names:
            self._xdotool("key", "--delay", "40", *names)

    def type(self, text: str) -> None:
        self._xdotool("type", "--delay", "20", text)

    def point(self, x: int, y: int) -> None:
        """Move the mouse."""
        self._xdotool("mousemove", str(x), str(y))

    def click(self, x: int, y: int, button: int = 1) -> None:
        self.point(x, y)
        self._xdotool("click", str(button))

    def window(self, title: str, seconds: float = 30.0) -> str:
        """The id of the window with this title, once it is there and has the keyboard."""

        what = f"a window called {title} was there"
        window = wait_until(lambda: self.windows(title), what, seconds)[0]
        self._xdotool("windowactivate", "--sync", window)
        return window

    def windows(self, title: str) -> list[str]:
        """The ids of the visible windows with this title (a regular expression)."""
        return self.run("xdotool", "search", "--onlyvisible", "--name", title).stdout.split()

    def _environment(self) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(FOREIGN)}
        folders = {
            "HOME": self.home,
            "XDG_CONFIG_HOME": self.config,
            "XDG_RUNTIME_DIR": self.folder / "run",
            "XDG_CACHE_HOME": self.folder / "cache",
            "XDG_DATA_HOME": self.folder / "data",
            "XDG_STATE_HOME": self.folder / "state",
        }
        for folder in folders.values():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {
            **kept,
            **{name: str(folder) for name, folder in folders.items()},
            "PATH": f"{self.programs}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "PYTHONPATH": str(ROOT),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "NO_AT_BRIDGE": "1",
            "GTK_A11Y": "none",
            "XDG_CURRENT_DESKTOP": "XFCE",
            "XDG_SESSION_TYPE": "x11",
        }

    def _start(self, services: tuple[str, ...]) -> None:
        self._start_screen()
        self._bus = PrivateBus(self.folder / "run", self._processes, "org.xfce.Xfconf", *services)
        self._watch = self._bus.connect()
        self.start("openbox")
        channels = self.config / "xfce4" / "xfconf" / "xfce-perchannel-xml"
        channels.mkdir(parents=True)
        shutil.copy(HERE / "xfce4-panel.xml", channels)
        rules = self.config / "dunst" / "dunstrc"
        rules.parent.mkdir()
        rules.write_text(DUNST.format(chooser=self._chooser))
        self._dunst = self.start("dunst")
        self.start_panel()
        self._wait_for_dunst()

    def _wait_for_dunst(self) -> None:
        assert self._watch is not None
        watch = self._watch
        wait_until(
            lambda: watch.has_owner("org.freedesktop.Notifications"), "dunst was there", 15.0
        )

    def _start_screen(self) -> None:
        """Xvfb chooses a free display itself and writes its number, here to standard output."""
        size = f"{WIDTH}x{HEIGHT}x24"
        self._screen = self.start(
            "Xvfb", "-displayfd", "1", "-screen", "0", size, "-nolisten", "tcp"
        )
        number = wait_until(lambda: re.findall(r"^(\d+)$", self.log("Xvfb"), re.M), "Xvfb was up")
        self.environ["DISPLAY"] = f":{number[0]}"

    def _bus_has_watcher(self) -> bool:
        assert self._watch is not None
        return self._watch.has_owner("org.kde.StatusNotifierWatcher")

    def _xdotool(self, *arguments: str) -> None:
        done = self.run("xdotool", *arguments)
        assert done.returncode == 0, done.stderr


def _colours(picture: Image.Image) -> int:
    return len(picture.getcolors(4096) or ())
