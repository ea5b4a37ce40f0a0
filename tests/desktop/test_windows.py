"""The tray on Windows: pystray's own backend and ours on top of it, on a small Windows of paper."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image, ImageChops

from tests.desktop.fake_windows import Windows, pretend, wait_until
from tests.desktop.stand_in import LoggedActions, entry
from trayapp.desktop.icons import draw
from trayapp.desktop.parts import Desktop
from trayapp.desktop.tray import Tray
from trayapp.desktop.view import TrayState
from trayapp.desktop.windows import IconNotifier, Shared, windows_desktop
from trayapp.tell import Notice

pytestmark = pytest.mark.usefixtures("brisk")

LEFT_UP, LEFT_DOUBLE, RIGHT_UP, MIDDLE_UP = 0x0202, 0x0203, 0x0205, 0x0208
CLOSE, DPI_CHANGED = 0x0010, 0x02E0
QUERY_END_SESSION, END_SESSION = 0x0011, 0x0016
NOTICE_CLICKED = 0x0405
WARNING = 0x2


class Computer:
    """Somebody's Windows with the app's tray on it."""

    def __init__(self, windows: Windows, folder: Path) -> None:
        self.windows = windows
        self.log = folder / "log"
        self.log.touch()
        self.actions = LoggedActions(self.log, folder)
        self.revealed: list[Path] = []
        self.ended = threading.Event()
        self.desktop: Desktop = windows_desktop({})
        self.notifier = self.desktop.notifier(lambda _: None, self.revealed.append)
        self.tray: Tray = self.desktop.tray(self.actions, lambda _: None)
        self.actions.tray = self.tray
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.tray.run()
        self.ended.set()

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: self.windows.in_tray, "the icon was there")

    def close(self) -> None:
        self.tray.stop()
        self._thread.join(10)
        self.notifier.close()
        self.desktop.close()
        assert not self._thread.is_alive() and self.windows.in_tray is None
        assert not self.windows.procedures and not self.windows.menus

    def did(self) -> list[str]:
        return self.log.read_text().splitlines()

    def open_menu(self) -> list[str | None]:
        self.windows.at_icon(RIGHT_UP)
        return [line.text for line in self.windows.lines()]


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[Windows]:
    fake = Windows()
    with pretend(fake, monkeypatch):
        yield fake


@contextmanager
def switched_on(windows: Windows, folder: Path) -> Iterator[Computer]:
    computer = Computer(windows, folder)
    try:
        computer.start()
        yield computer
    finally:
        computer.close()


@pytest.fixture
def computer(windows: Windows, tmp_path: Path) -> Iterator[Computer]:
    with switched_on(windows, tmp_path) as computer:
        yield computer


def decoded(picture: tuple[bytes, int]) -> Image.Image:
    """The icon's bits as a picture, read as the .ico that they could lie in."""
    bits, side = picture
    header = struct.pack("<HHHBBBBHHII", 0, 1, 1, side, side, 0, 0, 1, 32, len(bits), 22)
    return Image.open(io.BytesIO(header + bits)).convert("RGBA")


def same(one: Image.Image, other: Image.Image) -> bool:
    """The same to the eye: what is fully transparent has no colour."""
    flat = [Image.alpha_composite(Image.new("RGBA", i.size, "#808080"), i) for i in (one, other)]
    return one.size == other.size and ImageChops.difference(*flat).convert("RGB").getbbox() is None


@pytest.mark.parametrize(("dpi", "size"), [(96, 16), (120, 20), (144, 24), (192, 32), (240, 40)])
def test_the_icon_is_drawn_for_the_scale_of_the_screen(
    windows: Windows, tmp_path: Path, dpi: int, size: int
) -> None:
    windows.dpi = dpi
    with switched_on(windows, tmp_path):
        assert same(decoded(windows.picture()), draw("watching", size))


def test_an_older_windows_has_one_scale_for_all(windows: Windows, tmp_path: Path) -> None:
    windows.lacks = {"SetProcessDpiAwarenessContext", "GetDpiForWindow", "GetSystemMetricsForDpi"}
    with switched_on(windows, tmp_path):
        assert windows.aware and windows.picture()[1] == 16


def test_the_icon_stays_sharp_and_there_whatever_happens(computer: Computer) -> None:
    windows = computer.windows
    computer.actions.show(state="problem", problem="the folder is gone")
    wait_until(lambda: same(decoded(windows.picture()), draw("problem", 16)), "it followed")
    windows.dpi = 144
    windows.send(DPI_CHANGED)
    assert same(decoded(windows.picture()), draw("problem", 24))
    windows.dpi = 192
    windows.restart_explorer()
    assert same(decoded(windows.picture()), draw("problem", 32))
    assert windows.in_tray.szTip.startswith("Beartray – the folder is gone")
    assert len(windows.icons) == 1


def test_the_longest_tooltip_fits(computer: Computer) -> None:
    computer.actions.show(headline="Watching " + "🐻 long " * 50)
    wait_until(lambda: computer.windows.in_tray.szTip.endswith("…"), "the tooltip followed")


def test_a_click_opens_the_folder_and_a_double_click_only_once(computer: Computer) -> None:
    opened = computer.windows.opened
    for event in (LEFT_UP, LEFT_DOUBLE, LEFT_UP):
        computer.windows.at_icon(event)
    wait_until(lambda: opened, "the folder was opened")
    computer.windows.send(0)  # everything before it has been answered
    assert len(opened) == 1
    computer.windows.at_icon(LEFT_UP)
    wait_until(lambda: len(opened) == 2, "the next click counts again")


def test_a_middle_click_pauses(computer: Computer) -> None:
    computer.windows.at_icon(MIDDLE_UP)
    wait_until(lambda: computer.did() == ["pause None"], "it was paused")


def test_the_menu_is_made_when_it_opens(computer: Computer) -> None:
    windows = computer.windows
    assert not windows.menus
    computer.actions._view = replace(computer.actions.view(), headline="Cats & dogs")
    assert "Cats && dogs" in computer.open_menu()  # one ampersand would underline a letter
    windows.choices.put(None)
    windows.send(0)
    for _ in range(3):  # the old ones are taken away
        assert computer.open_menu()
        windows.choices.put(None)
        windows.send(0)
    tops = set(windows.menus) - {line.submenu for each in windows.menus.values() for line in each}
    assert len(tops) == 1


def test_what_changes_under_an_open_menu_moves_no_item(computer: Computer) -> None:
    computer.open_menu()
    newer = entry(6, "IMG_0006.jpg")
    computer.actions.show(undoable=newer, problem="one line more", headline="new")
    wait_until(lambda: computer.windows.in_tray.szTip.startswith("Beartray – one"), "it was told")
    computer.windows.choices.put("Start at login")
    wait_until(lambda: computer.did() == ["set_at_login True"], "it did what it said")


def test_a_logout_is_not_held_up_and_finds_all_put_away(computer: Computer) -> None:
    put_away: list[str] = []
    computer.desktop.at_logout(lambda: put_away.append("done"))
    assert computer.windows.send(QUERY_END_SESSION) == 1
    computer.windows.send(END_SESSION, wparam=0)  # another program said no
    assert put_away == [] and not computer.ended.is_set()
    assert computer.windows.send(QUERY_END_SESSION) == 1
    computer.windows.send(END_SESSION, wparam=1)  # now any moment may be the last
    assert put_away == ["done"]


def test_it_ends_when_the_system_asks_its_window_to_close(computer: Computer) -> None:
    computer.windows.send(CLOSE)
    assert computer.ended.wait(10)


def test_notices_come_up_at_the_icon_and_a_click_shows_the_photo(
    computer: Computer, tmp_path: Path
) -> None:
    windows, photo = computer.windows, tmp_path / "grizzly" / "a.jpg"
    computer.notifier.show(Notice("Photo filed", "a.jpg → grizzly, 98 %", (1,), show=photo))
    wait_until(lambda: len(windows.balloons) == 1, "it was shown")
    title, body, flags = windows.balloons[0]
    assert (title, body) == ("Photo filed", "a.jpg → grizzly, 98 %") and not flags & WARNING
    windows.at_icon(NOTICE_CLICKED)
    wait_until(lambda: computer.revealed == [photo], "the photo was shown")
    computer.notifier.show(Notice("T" * 100, "🐻" * 200, problem=True))
    wait_until(lambda: len(windows.balloons) == 2, "it was shown")
    title, body, flags = windows.balloons[1]
    assert title.endswith("…") and body.endswith("…") and flags & WARNING
    windows.at_icon(NOTICE_CLICKED)
    windows.send(0)
    assert computer.revealed == [photo]


def test_before_there_is_an_icon_plyer_speaks(
    windows: Windows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from plyer import notification

    said: list[Any] = []
    monkeypatch.setattr(notification, "notify", lambda **words: said.append(words["title"]))
    computer = Computer(windows, tmp_path)
    computer.notifier.show(Notice("Beartray cannot start", "the journal is broken", problem=True))
    wait_until(lambda: said == ["Beartray cannot start"], "plyer was asked")
    hidden = Shared(icon=SimpleNamespace(visible=False))
    IconNotifier(hidden, computer.notifier, lambda _: None).show(Notice("Still hidden", ""))
    wait_until(lambda: said[1:] == ["Still hidden"], "plyer was asked")
    computer.notifier.close()


def test_every_state_has_an_icon(computer: Computer) -> None:
    states: tuple[TrayState, ...] = ("busy", "paused", "problem", "watching")
    for state in states:
        computer.actions.show(state=state)
        wait_until(
            lambda state=state: same(decoded(computer.windows.picture()), draw(state, 16)),  # type: ignore[misc]
            f"{state} was shown",
        )
    assert len(computer.windows.icons) == 1
