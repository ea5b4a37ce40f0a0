"""The icon survives what happens to panels and to the session bus, from login to logout."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop.desk import PrivateBus, Processes, wait_until
from tests.desktop.desk.services import WATCHER, Watcher
from tests.desktop.stage import Stage, a_stage
from tests.desktop.stand_in import LoggedActions
from tests.helpers import SLOWNESS
from trayapp.desktop.bus import NoSessionBusError, SessionBus
from trayapp.desktop.linux import linux_desktop
from trayapp.desktop.panels import remedy
from trayapp.desktop.parts import NoTrayError
from trayapp.desktop.screen import Screen
from trayapp.tell import Notice

pytestmark = pytest.mark.desktop

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def compositor(in_memory: Path) -> Iterator[socket.socket]:
    """What listens where a Wayland compositor would."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(in_memory / "wayland-0"))
        listening.listen()
        yield listening


@pytest.fixture
def session(private_bus: PrivateBus, compositor: socket.socket, tmp_path: Path) -> Iterator[Stage]:
    """A stage with a screen, so that the end of its bus alone is no logout."""
    with a_stage(private_bus, tmp_path, {"WAYLAND_DISPLAY": compositor.getsockname()}) as stage:
        yield stage


def test_ten_panel_restarts_and_the_icon_is_there_each_time(stage: Stage) -> None:
    panel = stage.start_panel()
    stage.start_tray()
    for _ in range(10):
        panel.close()
        panel = stage.start_panel()
        assert stage.registered().labels()[-1] == "Quit"
    assert len(stage.watcher.registered) == 1


def test_a_list_of_icons_that_is_not_ready_is_asked_again(stage: Stage) -> None:
    """KDE's owns its name at login before it answers."""
    stage.start_panel(refuse=1)
    assert stage.start_tray().labels()[-1] == "Quit"


def test_a_list_of_icons_without_a_panel_is_no_tray(stage: Stage) -> None:
    connection = stage.start_panel(refuse=100)
    stage.watcher.hosts = 0
    assert "no system tray" in (stage.desktop.why_no_tray(0) or "")
    stage.thread.start()
    stage.watcher._refuse = 0
    connection.post(stage.watcher.StatusNotifierHostRegistered)
    assert stage.registered().labels()[-1] == "Quit"
    assert stage.desktop.why_no_tray(0) is None


def test_a_panel_that_is_too_busy_to_answer_is_asked_again(stage: Stage) -> None:
    stage.start_panel(busy=1)
    assert stage.start_tray().labels()[-1] == "Quit"


def test_a_panel_that_comes_late_gets_the_icon_too(stage: Stage) -> None:
    assert "AppIndicator" in (stage.desktop.why_no_tray(0) or "")
    stage.thread.start()
    stage.start_panel()
    assert stage.registered().labels()[-1] == "Quit"
    assert stage.desktop.why_no_tray(0) is None


def test_waiting_for_a_late_panel_ends_when_it_comes(stage: Stage) -> None:
    late = threading.Timer(0.5, stage.start_panel)
    late.start()
    assert stage.desktop.why_no_tray(10) is None
    late.join()


def test_without_a_session_there_is_no_tray_and_a_reason(tmp_path: Path) -> None:
    desktop = linux_desktop({"HOME": str(tmp_path)})
    assert "no D-Bus session bus" in (desktop.why_no_tray(0) or "")
    with pytest.raises(NoTrayError):
        desktop.tray(LoggedActions(tmp_path / "log", tmp_path), print)
    desktop.notifier(print, print).show(Notice("Filed", "one"))
    desktop.close()
    with pytest.raises(NoSessionBusError):
        SessionBus(f"unix:path={tmp_path}/nobody")


def test_logout_ends_the_tray(stage: Stage) -> None:
    stage.start_panel()
    stage.start_tray()
    stage.bus.kill()
    started = time.monotonic()
    stage.thread.join(10)
    assert not stage.thread.is_alive() and time.monotonic() - started < 2 * SLOWNESS
    stage.tray.refresh()
    notifier = stage.desktop.notifier(print, print)
    notifier.show(Notice("Filed", "nobody sees this"))


def test_the_app_ends_by_itself_after_a_logout(private_bus: PrivateBus, tmp_path: Path) -> None:
    keep = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    processes = Processes(
        {**keep, "DBUS_SESSION_BUS_ADDRESS": private_bus.address, "PYTHONPATH": str(ROOT)},
        tmp_path / "logs",
    )
    log = tmp_path / "log"
    connection = private_bus.connect()
    watcher = Watcher()
    connection.export("/StatusNotifierWatcher", watcher)
    late = private_bus.connect(WATCHER)
    late.export("/StatusNotifierWatcher", watcher)
    app = processes.start(sys.executable, "-m", "tests.desktop.stand_in", str(log), str(tmp_path))
    try:
        wait_until(lambda: watcher.registered, "the icon was registered")
        private_bus.kill()
        assert app.wait(10) == 0
        assert log.read_text().splitlines()[-1] == "threads left: ['MainThread']"
    finally:
        connection.close()
        late.close()
        processes.close()


def test_the_way_to_a_tray_is_told_for_the_desktop_that_there_is() -> None:
    assert "gnome-shell-extension-appindicator" in remedy(["ubuntu", "GNOME"])
    assert "Status Tray Plugin" in remedy(["XFCE"])
    assert "Waybar" in remedy(["sway"]) and "Waybar" in remedy([""])


def test_a_bus_that_dies_and_comes_back_has_icon_and_clicks_again(session: Stage) -> None:
    session.start_panel()
    session.start_tray()
    session.bus.kill()
    session.actions.show(paused=True)  # the app goes on, and what it says is kept
    for connection in session.connections:
        connection.wait(10)
    session.bus.start()
    session.start_panel()
    panel = session.registered()
    (pause,) = [line for line in panel.open() if line.label == "Pause"]
    assert pause.checked
    panel.event(pause.id)
    session.wait_for("resume")


def test_a_bus_that_stays_away_ends_nothing_until_the_screen_goes(
    session: Stage, compositor: socket.socket
) -> None:
    session.start_panel()
    session.start_tray()
    session.bus.kill()
    session.thread.join(2)
    assert session.thread.is_alive()
    compositor.close()
    session.thread.join(2 * SLOWNESS)
    assert not session.thread.is_alive()


def test_another_screen_at_the_same_place_is_that_of_the_next_login(
    compositor: socket.socket,
) -> None:
    screen = Screen.of({"WAYLAND_DISPLAY": compositor.getsockname()})
    assert screen is not None and screen.is_there()
    assert not Screen(screen.address, screen.process + 1).is_there()
    assert Screen.of({"DISPLAY": "far.away:0"}) is None
