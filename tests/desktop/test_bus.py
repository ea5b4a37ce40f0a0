"""The icon, its menu and notifications on a bus where the test plays panel and service."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from PIL import Image

from tests.desktop.desk import PrivateBus, wait_until
from tests.desktop.desk.bus import own
from tests.desktop.desk.services import FILES, FileManager
from tests.desktop.stage import Stage
from tests.desktop.stand_in import Kept
from trayapp.desktop import menu
from trayapp.desktop.bus import session_address
from trayapp.desktop.icons import SIZES, draw
from trayapp.desktop.item import tooltip
from trayapp.desktop.notify import Notifier
from trayapp.desktop.notify_dbus import DBusNotifier
from trayapp.tell import Notice

pytestmark = pytest.mark.desktop

ROOT = Path(__file__).resolve().parents[2]


def test_the_icon_comes_with_its_menu_and_sharp_in_every_size(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    rows = menu.rows(stage.actions.view())
    assert panel.labels() == [row.text if row else "-" for row in rows]
    (recent,) = [row.rows for row in rows if row and row.key == "recent"]
    assert [line.label for line in panel.find("Recent").lines] == [
        row.text for row in recent or () if row
    ]
    pictures = panel.get("IconPixmap")
    assert [picture[0] for picture in pictures] == list(SIZES)
    assert all(len(data) == width * height * 4 for width, height, data in pictures)
    assert panel.get("Status") == "Active"
    assert panel.get("Id") == "beartray"
    told = "\n".join(panel.get("ToolTip")[2:])
    assert "Watching Pictures · 12 filed today" in told and "7 grizzly" in told


def test_a_tooltip_is_safe_where_panels_take_it_for_markup() -> None:
    assert tooltip("Watching bears\n<3 & more") == ("Watching bears", "&lt;3 &amp; more")
    assert tooltip("Watching Tom & Jerry <3") == ("Watching Tom ＆ Jerry ‹3", "")


def test_a_problem_asks_for_attention_so_that_a_hidden_icon_is_shown(stage: Stage) -> None:
    stage.start_panel()
    panel = stage.start_tray()
    assert panel.get("AttentionIconPixmap") == []
    heard = panel.watch()
    stage.actions.show(state="problem", problem="The card is full")
    wait_until(lambda: ("NewStatus", ["NeedsAttention"]) in heard, "the panel heard of it")
    assert panel.get("AttentionIconPixmap") == panel.get("IconPixmap") != []
    stage.actions.show(state="watching", problem=None)
    wait_until(lambda: ("NewStatus", ["Active"]) in heard, "the panel heard of it")
    assert panel.get("Status") == "Active"


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
        ("Undo last: ", "undo 5"),
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
    for press in ("SecondaryActivate", "ii", [0, 0]), ("XAyatanaSecondaryActivate", "u", [0]):
        panel.press(*press)  # the second is how GNOME says it; a middle click pauses and resumes
        stage.wait_for("pause None" if press[1] == "ii" else "resume")
    panel.click("Quit")
    stage.thread.join(10)
    assert not stage.thread.is_alive() and stage.did()[-1] == "quit"


def test_the_wheel_arrives_in_both_directions(stage: Stage) -> None:
    stage.start_panel()
    turned: list[tuple[int, bool]] = []
    kit = stage.desktop.kit()
    icon = kit.make(
        "beartray", draw("watching", 22), "", None, scroll=lambda *turn: turned.append(turn)
    )
    running = threading.Thread(target=icon.run)
    running.start()
    panel = stage.registered()
    panel.press("Scroll", "is", [-120, "vertical"])
    wait_until(lambda: turned == [(-120, False)], "the wheel was heard")
    panel.press("Scroll", "is", [1, "Horizontal"])  # as some panels spell it
    wait_until(lambda: turned[1:] == [(1, True)], "the wheel was heard")
    icon.stop()
    running.join(10)
    assert not running.is_alive()


def test_the_file_manager_selects_a_recent_photo(stage: Stage) -> None:
    stage.start_panel()
    manager, connection = FileManager(), stage.connect()
    connection.export("/org/freedesktop/FileManager1", manager)
    own(connection, FILES)
    panel = stage.start_tray()
    panel.press("ProvideXdgActivationToken", "s", ["wayland-7"])  # so that it may come to the front
    photo = stage.folder / "black" / "IMG_0003.jpg"
    photo.parent.mkdir()
    photo.touch()
    panel.click("IMG_0003")
    wait_until(lambda: manager.shown, "the photo was selected")
    clicks = [thread for thread in threading.enumerate() if thread.name.startswith("recent")]
    for thread in clicks:  # its answer has to arrive before the bus is taken down
        thread.join(10)
    assert manager.shown == [photo.as_uri()] and stage.complaints == []
    assert manager.token == "wayland-7"


def test_the_bus_is_found_where_systemd_puts_it(private_bus: PrivateBus) -> None:
    socket = Path(private_bus.address.removeprefix("unix:path="))
    assert socket.name == "bus"
    assert session_address({"XDG_RUNTIME_DIR": str(socket.parent)}) == private_bus.address
    assert session_address({"XDG_RUNTIME_DIR": str(socket.parent / "elsewhere")}) is None
    assert session_address({"DBUS_SESSION_BUS_ADDRESS": "unix:abstract=x"}) == "unix:abstract=x"


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
