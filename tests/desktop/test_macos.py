"""The tray on macOS: pystray's own backend and ours on top of it, on a small Mac of paper."""

from __future__ import annotations

import io
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from tests.desktop.fake_macos import Mac, pretend
from tests.desktop.fake_windows import wait_until
from tests.desktop.stand_in import LoggedActions, entry
from trayapp.desktop.macos import macos_desktop
from trayapp.desktop.template import draw_template
from trayapp.desktop.tray import Tray

pytestmark = [
    pytest.mark.usefixtures("brisk"),
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals"),
]

ACCESSORY = 1


class Computer:
    """Somebody's Mac with the app's tray on it."""

    def __init__(self, mac: Mac, folder: Path) -> None:
        self.mac = mac
        self.log = folder / "log"
        self.log.touch()
        self.actions = LoggedActions(self.log, folder)
        self.ended = threading.Event()
        self.desktop = macos_desktop({"HOME": str(folder)})
        self.tray: Tray = self.desktop.tray(self.actions, lambda _: None)
        self.actions.tray = self.tray
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.tray.run()
        self.ended.set()

    def start(self) -> None:
        self._thread.start()
        wait_until(lambda: not self.mac.shown.hidden, "the icon was there")

    def close(self) -> None:
        self.tray.stop()
        self._thread.join(10)
        self.desktop.close()
        assert not self._thread.is_alive() and self.mac.mistakes == []

    def did(self) -> list[str]:
        return self.log.read_text().splitlines()

    def titles(self) -> list[str]:
        return [item.title for item in self.mac.menu.all()] if self.mac.menu else []


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    fake = Mac()
    with pretend(fake, monkeypatch):
        yield fake


@pytest.fixture
def computer(mac: Mac, tmp_path: Path) -> Iterator[Computer]:
    computer = Computer(mac, tmp_path)
    try:
        computer.start()
        yield computer
    finally:
        computer.close()


def pictures(mac: Mac) -> list[PIL.Image.Image]:
    assert mac.shown.image is not None
    return [PIL.Image.open(io.BytesIO(one.png)) for one in mac.shown.image.pictures]


def test_the_icon_suits_light_and_dark_menu_bars_and_retina_screens(computer: Computer) -> None:
    mac = computer.mac
    assert mac.policy == ACCESSORY, "it would sit in the Dock"
    assert mac.shown.image is not None and mac.shown.image.template
    assert mac.shown.image.points == (18, 18)
    assert all(one.points == (18, 18) for one in mac.shown.image.pictures)
    drawn = [draw_template("watching", size) for size in (18, 36)]
    assert [one.tobytes() for one in pictures(mac)] == [one.tobytes() for one in drawn]
    assert mac.shown.tooltip.startswith("Beartray – Watching")


@pytest.mark.parametrize("state", ["watching", "busy", "paused", "problem"])
def test_a_template_is_a_shape_and_nothing_else(state: Any) -> None:
    picture = draw_template(state, 36)
    bands = picture.split()
    assert all(band.getextrema() == (0, 0) for band in bands[:3])
    shape = bands[3]
    assert shape.getextrema() == (0, 255)
    ear = max(shape.crop((0, 0, 18, 18)).tobytes())  # where there is no mark
    assert (ear < 128) is (state == "paused")
    others = [draw_template(other, 36) for other in ("watching", "busy", "paused", "problem")]
    assert sum(other.tobytes() == picture.tobytes() for other in others) == 1


def test_icon_tooltip_and_menu_follow_on_the_main_thread(computer: Computer) -> None:
    computer.actions.show(state="problem", headline="Not watching", problem="the disk is full")
    wait_until(
        lambda: pictures(computer.mac)[1].tobytes() == draw_template("problem", 36).tobytes(),
        "the icon followed",
    )
    wait_until(lambda: "the disk is full" in computer.mac.shown.tooltip, "the tooltip followed")
    wait_until(lambda: "Not watching" in computer.titles(), "the menu followed")


def test_a_click_does_what_the_open_menu_said(computer: Computer) -> None:
    mac = computer.mac

    def more_is_filed() -> None:
        before = len(mac.shown.tooltip)
        computer.actions.show(
            headline="Watching · 13 filed today, and one more line", problem="look", at_login=False
        )
        computer.actions.show(recent=(entry(9, "new.jpg"),), undoable=entry(9, "new.jpg"))
        wait_until(lambda: len(mac.shown.tooltip) != before, "the tray was brought up to date")

    mac.click("Start at login", more_is_filed)
    wait_until(lambda: computer.did() == ["set_at_login True"], "it did what it said")
    wait_until(lambda: "⚠ look" in computer.titles(), "the menu followed")


def test_a_menu_that_was_open_follows_when_it_is_closed(computer: Computer) -> None:
    def more_is_filed() -> None:
        computer.actions.show(problem="the disk is full")
        wait_until(
            lambda: "disk is full" in computer.mac.shown.tooltip, "it was brought up to date"
        )
        computer.mac.do(lambda: None)
        assert "⚠ the disk is full" not in computer.titles()

    computer.mac.click(None, more_is_filed)
    wait_until(lambda: "⚠ the disk is full" in computer.titles(), "the menu followed")


def test_a_click_that_comes_late_hits_no_other_item(computer: Computer) -> None:
    mac = computer.mac
    assert mac.menu is not None
    old = mac.menu.find("Undo last")
    for number in range(3):
        computer.actions.show(headline=f"Watching {number}", existing=number)
        wait_until(lambda n=number: f"Watching {n}" in computer.titles(), "the menu followed")  # type: ignore[misc]
    mac.do(lambda: old.target.activate_menu_item(old))
    wait_until(computer.did, "it was carried out")
    assert "undo" in computer.did()[0] and "5" in computer.did()[0]
    assert len(computer.did()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_heard_while_the_loop_runs(
    mac: Mac, tmp_path: Path, number: signal.Signals
) -> None:
    computer = Computer(mac, tmp_path)
    before = signal.signal(number, lambda *_: computer.actions.quit())
    try:
        computer.start()
        wait_until(lambda: number in mac.signals, "it listens")
        mac.do(lambda: None)
        mac.kill(number)
        assert computer.ended.wait(10)
    finally:
        signal.signal(number, before)
        computer.close()
    assert not mac.gone  # it ended in its own time
    assert computer.did() == ["quit"] and not mac.in_bar


def test_at_logout_all_is_put_away_before_the_process_is_gone(computer: Computer) -> None:
    put_away: list[str] = []
    computer.desktop.at_logout(lambda: put_away.append("done"))
    computer.mac.log_out()
    wait_until(lambda: computer.mac.gone, "AppKit ended the process")
    assert put_away == ["done"]


def test_a_tray_that_is_stopped_early_ends(mac: Mac, tmp_path: Path) -> None:
    computer = Computer(mac, tmp_path)
    computer.tray.stop()
    computer._thread.start()
    assert computer.ended.wait(10)
    computer.close()
