"""The icon, its menu and notifications on a bus where the test plays panel and service."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.desktop.desk import Panel, PrivateBus, Processes, wait_until
from tests.desktop.desk.bus import own
from tests.desktop.desk.services import FILES, SERVICE, WATCHER, FileManager, Service, Watcher
from tests.desktop.stand_in import LoggedActions, entry
from trayapp.desktop.bus import BusCallError, NoSessionBusError, SessionBus, session_address
from trayapp.desktop.icons import SIZES
from trayapp.desktop.linux import linux_desktop
from trayapp.desktop.notify import Notifier
from trayapp.desktop.notify_dbus import DBusNotifier
from trayapp.desktop.parts import Desktop, NoTrayError
from trayapp.tell import Notice

pytestmark = pytest.mark.desktop

ROOT = Path(__file__).resolve().parents[2]


class Stage:
    """A bus with the real tray on it and, once `start_panel` was called, a panel."""

    def __init__(self, bus: PrivateBus, desktop: Desktop, folder: Path) -> None:
        self.bus, self.desktop = bus, desktop
        self.folder = folder / "Pictures"
        self.folder.mkdir()
        self.log = folder / "log"
        self.log.touch()
        self.actions = LoggedActions(self.log, self.folder)
        self.complaints: list[str] = []
        self.connections: list[SessionBus] = []
        self.watcher = Watcher()
        self.tray = desktop.tray(self.actions, self.complaints.append)
        self.actions.tray = self.tray
        self.thread = threading.Thread(target=self.tray.run)

    def start_panel(self, busy: int = 0) -> SessionBus:
        """A new panel, deaf to the first `busy` calls; returns the connection that it lives on."""
        self.watcher = Watcher(busy)
        connection = self.connect()
        connection.export("/StatusNotifierWatcher", self.watcher)
        own(connection, WATCHER)
        return connection

    def start_service(self, *able: str) -> tuple[Service, SessionBus]:
        service, connection = Service(*able), self.connect()
        connection.export("/org/freedesktop/Notifications", service)
        own(connection, SERVICE)
        return service, connection

    def connect(self) -> SessionBus:
        self.connections.append(self.bus.connect())
        return self.connections[-1]

    def start_tray(self) -> Panel:
        self.thread.start()
        return self.registered()

    def registered(self) -> Panel:
        watcher = self.watcher
        (name,) = wait_until(lambda: watcher.registered, "the icon was registered")[:1]
        return Panel(self.connect(), name)

    def did(self) -> list[str]:
        return self.log.read_text().splitlines()

    def wait_for(self, effect: str) -> None:
        wait_until(lambda: self.did()[-1:] == [effect], f"{effect} was done")

    def close(self) -> None:
        self.tray.stop()
        if self.thread.ident is not None:
            self.thread.join(10)
            assert not self.thread.is_alive()
        for connection in self.connections:
            connection.post(self.watcher.calm.set)
            connection.close()


@pytest.fixture
def desktop(private_bus: PrivateBus, tmp_path: Path) -> Iterator[Desktop]:
    environ = {"DBUS_SESSION_BUS_ADDRESS": private_bus.address, "HOME": str(tmp_path), "PATH": ""}
    desktop = linux_desktop(environ, frozen=False)
    yield desktop
    desktop.close()


@pytest.fixture
def stage(private_bus: PrivateBus, desktop: Desktop, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(private_bus, desktop, tmp_path)
    yield stage
    stage.close()


def test_the_icon_comes_with_its_menu_and_sharp_in_every_size(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    assert panel.labels() == [
        "Watching Pictures · 12 filed today",
        "Pause",
        "Pause for one hour",
        "-",
        "Change folder…",
        "Open folder",
        "Recent",
        "Undo last: IMG_0005.jpg",
        "Sort the 214 photos already here…",
        "-",
        "Start at login",
        "Quit",
    ]
    assert [line.label for line in panel.find("Recent").lines] == [
        "IMG_0005.jpg → grizzly, 98 %",
        "IMG_0004.jpg → teddy, 98 %",
        "IMG_0003.jpg → black, 98 %",
        "IMG_0002.jpg → grizzly, 98 %",
    ]
    pictures = panel.get("IconPixmap")
    assert [picture[0] for picture in pictures] == list(SIZES)
    assert all(len(data) == width * height * 4 for width, height, data in pictures)
    assert panel.get("Status") == "Active"
    assert panel.get("Id") == "beartray"
    assert panel.get("ToolTip")[2] == "Beartray – Watching Pictures · 12 filed today"


def test_the_icon_has_the_right_colours_in_network_byte_order(stage: Stage) -> None:
    stage.start_panel()
    width, height, data = stage.start_tray().get("IconPixmap")[-1]
    alpha, red, green, blue = Image.frombytes("RGBA", (width, height), bytes(data)).split()
    middle = Image.merge("RGBA", (red, green, blue, alpha)).getpixel((32, 20))
    assert middle == (0x8A, 0x5A, 0x33, 255)


def test_every_click_does_what_it_says(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    for click, effect in (
        ("Pause for", "pause 3600.0"),
        ("Undo last", "undo_last 5"),
        ("Start at login", "set_at_login True"),
    ):
        panel.click(click)
        stage.wait_for(effect)
    assert panel.find("Start at login").checked
    (pause,) = [line for line in panel.open() if line.label == "Pause"]
    assert pause.checked
    panel.event(pause.id)
    stage.wait_for("resume")
    panel.click("IMG_0003")  # there is no file manager on this bus, and the photo is not there
    wait_until(lambda: stage.complaints, "the person was told")
    assert "is not there any more" in stage.complaints[0]
    panel.left_click()
    wait_until(lambda: len(stage.complaints) == 2, "the person was told")
    assert "no file manager" in stage.complaints[1]
    panel.click("Change folder")
    wait_until(lambda: len(stage.complaints) == 3, "the person was told")
    assert "beartray config set folder.path" in stage.complaints[2]
    panel.click("Quit")
    stage.thread.join(10)
    assert not stage.thread.is_alive() and stage.did()[-1] == "quit"


def test_the_file_manager_selects_a_recent_photo(stage: Stage) -> None:
    stage.start_panel()
    manager, connection = FileManager(), stage.connect()
    connection.export("/org/freedesktop/FileManager1", manager)
    own(connection, FILES)
    photo = stage.folder / "black" / "IMG_0003.jpg"
    photo.parent.mkdir()
    photo.touch()
    stage.start_tray().click("IMG_0003")
    wait_until(lambda: manager.shown, "the photo was selected")
    clicks = [thread for thread in threading.enumerate() if thread.name.startswith("recent")]
    for thread in clicks:  # its answer has to arrive before the bus is taken down
        thread.join(10)
    assert manager.shown == [photo.as_uri()] and stage.complaints == []


def test_the_bus_is_found_where_systemd_puts_it(private_bus: PrivateBus) -> None:
    socket = Path(private_bus.address.removeprefix("unix:path="))
    assert socket.name == "bus"
    assert session_address({"XDG_RUNTIME_DIR": str(socket.parent)}) == private_bus.address
    assert session_address({"XDG_RUNTIME_DIR": str(socket.parent / "elsewhere")}) is None
    assert session_address({"DBUS_SESSION_BUS_ADDRESS": "unix:abstract=x"}) == "unix:abstract=x"


def test_only_what_changed_is_sent(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    panel.open()
    heard = panel.watch()
    stage.tray.refresh()
    stage.actions.show(paused=True)
    wait_until(lambda: heard, "the panel heard of it")
    (_, (changes, removed)), *rest = heard
    assert rest == [] and removed == []
    ((item, properties),) = changes
    assert item == next(line.id for line in panel.lines() if line.label == "Pause")
    assert list(properties) == ["toggle-state"]


def test_a_new_photo_moves_the_others_and_they_keep_their_ids(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    before = {line.label: line.id for line in panel.find("Recent").lines}
    heard = panel.watch()
    new = entry(6, "IMG_0006.jpg", "teddy", stage.folder)
    stage.actions.show(
        recent=(new, *stage.actions.view().recent), undoable=new, state="busy", headline="Sorting"
    )
    wait_until(lambda: "LayoutUpdated" in [name for name, _ in heard], "the panel heard of it")
    after = {line.label: line.id for line in panel.find("Recent").lines}
    assert before.items() <= after.items() and len(after) == 5
    assert {name for name, _ in heard} >= {"NewIcon", "NewTitle", "NewToolTip"}


def test_names_with_underscores_and_broken_bytes_arrive(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    stage.actions.show(undoable=entry(8, "_a_b\udcff\n.jpg"))
    label = "Undo last: _a_b� .jpg"
    wait_until(lambda: label in panel.labels(), "the menu followed")
    raw = panel.call("GetGroupProperties", "aias", [[panel.find("Undo").id], []])[0]
    assert raw[0][1]["label"].value == "Undo last: __a__b� .jpg"


def test_the_menu_answers_questions_about_items_that_are_not_there(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    for member, signature, body in (
        ("GetLayout", "iias", [999, -1, []]),
        ("GetProperty", "is", [999, "label"]),
        ("GetProperty", "is", [0, "no such thing"]),
    ):
        with pytest.raises(BusCallError, match="InvalidArgs"):
            panel.call(member, signature, body)
    panel.event(999)
    assert panel.call("GetGroupProperties", "aias", [[999], []]) == [[]]
    assert len(panel.call("GetGroupProperties", "aias", [[], []])[0]) > 12
    assert panel.call("AboutToShowGroup", "ai", [[0, 999]])[1] == [999]
    assert panel.labels()


def test_opening_the_menu_shows_what_is_true_now(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    panel.open()
    assert not panel.about_to_show()
    stage.actions._view = type(stage.actions.view())("watching", "Now", stage.folder, False)
    assert panel.about_to_show()
    assert panel.lines()[0].label == "Now"


def test_a_panel_that_restarts_gets_the_icon_again(stage: Stage) -> None:
    first = stage.start_panel()
    stage.start_tray()
    first.close()
    stage.start_panel()
    assert stage.registered().labels()[-1] == "Quit"


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
    desktop = linux_desktop({"HOME": str(tmp_path)}, frozen=False)
    assert "no D-Bus session bus" in (desktop.why_no_tray(0) or "")
    with pytest.raises(NoTrayError):
        desktop.tray(LoggedActions(tmp_path / "log", tmp_path), print)
    desktop.notifier(print).show(Notice("Filed", "one"))
    desktop.close()
    with pytest.raises(NoSessionBusError):
        SessionBus(f"unix:path={tmp_path}/nobody")


def test_logout_ends_the_tray(stage: Stage) -> None:
    stage.start_panel()
    stage.start_tray()
    stage.bus.kill()
    stage.thread.join(10)
    assert not stage.thread.is_alive()
    stage.tray.refresh()
    notifier = stage.desktop.notifier(print)
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


class Kept:
    def __init__(self) -> None:
        self.notices: list[Notice] = []

    def show(self, notice: Notice) -> None:
        self.notices.append(notice)

    def close(self) -> None:
        pass


@pytest.fixture
def undone() -> list[tuple[int, ...]]:
    return []


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def notifier(
    stage: Stage, kept: Kept, undone: list[tuple[int, ...]]
) -> Notifier:  # a headless Beartray: a bus, and no tray that runs
    return DBusNotifier(stage.connect(), Image.new("RGBA", (8, 8)), undone.append, kept)


def test_undo_in_a_notification_takes_back_what_it_told_of(
    stage: Stage, notifier: Notifier, undone: list[tuple[int, ...]]
) -> None:
    service, connection = stage.start_service("body", "body-markup", "actions")
    notifier.show(Notice("Filed 2 photos", "<i>.jpg & b.jpg", undo=(7, 8)))
    notifier.show(Notice("A problem", "with nothing to undo", problem=True))
    wait_until(lambda: len(service.shown) == 2, "both were shown")
    filed, problem = sorted(service.shown, key=lambda shown: shown["title"], reverse=True)
    assert (filed["title"], filed["body"]) == ("Filed 2 photos", "&lt;i&gt;.jpg &amp; b.jpg")
    assert filed["actions"] == ["undo", "Undo"] and problem["actions"] == []
    assert filed["hints"]["image-data"].value[:2] == (8, 8)
    number = service.shown.index(filed) + 1
    for other in (99, 3 - number):  # other programs' notifications, and the one without a button
        connection.post(lambda other=other: service.ActionInvoked(other, "undo"))  # type: ignore[misc]
    connection.post(lambda: service.ActionInvoked(number, "default"))

    def press() -> bool:
        connection.post(lambda: service.ActionInvoked(number, "undo"))
        return bool(undone)

    wait_until(press, "it was undone")
    assert undone == [(7, 8)]


def test_a_closed_notification_is_forgotten(
    stage: Stage, notifier: Notifier, undone: list[tuple[int, ...]]
) -> None:
    service, connection = stage.start_service("body", "actions")
    for number in (1, 2):
        notifier.show(Notice(f"Filed {number}", "", undo=(number,)))
        wait_until(lambda number=number: len(service.shown) == number, "it was shown")  # type: ignore[misc]
    connection.post(lambda: service.NotificationClosed(1))
    connection.post(lambda: service.ActionInvoked(1, "undo"))
    connection.post(lambda: service.ActionInvoked(2, "undo"))
    wait_until(lambda: undone, "it was undone")
    assert undone == [(2,)]


def test_without_a_service_the_fallback_has_it_and_a_later_service_takes_over(
    stage: Stage, notifier: Notifier, kept: Kept
) -> None:
    notice = Notice("Filed", "one")
    notifier.show(notice)
    wait_until(lambda: kept.notices == [notice], "the fallback had it")
    service, _ = stage.start_service("body")
    notifier.show(notice)
    wait_until(lambda: service.shown, "it was shown")
    assert len(kept.notices) == 1


def test_a_service_that_fails_while_showing_costs_nothing_but_that_notice(
    stage: Stage, notifier: Notifier, kept: Kept
) -> None:
    _, connection = stage.start_service("body")
    notifier.show(Notice("one", ""))
    connection.close()
    notifier.show(Notice("two", "\udcff"))
    wait_until(lambda: any(notice.title == "two" for notice in kept.notices), "it was kept")
