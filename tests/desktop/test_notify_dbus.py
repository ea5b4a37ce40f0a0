"""Notifications on a real bus: buttons that work, and services that hang, die, or come late.

Annotations of the stand-in are D-Bus signatures: no `from __future__ import annotations` here.
"""

# ruff: noqa: N802 -- the names are those of the D-Bus interface

import asyncio
import os
import signal
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from dbus_fast import DBusError
from dbus_fast.annotations import DBusDict, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method, dbus_signal
from PIL import Image

from tests.desktop.desk import Desk, PrivateBus, wait_until
from tests.desktop.desk.services import WATCHER
from tests.desktop.stand_in import Kept
from tests.helpers import SLOWNESS
from trayapp.desktop.bus import DAEMON, SessionBus
from trayapp.desktop.notify import WAITING
from trayapp.desktop.notify_dbus import (
    BODY_LENGTH,
    FLUSH_SECONDS,
    SERVER,
    DBusNotifier,
    notification,
)
from trayapp.desktop.services import notification_service, tray_host
from trayapp.photo import BeartrayError
from trayapp.tell import Notice

pytestmark = pytest.mark.desktop

Strings = Annotated[list[str], DBusSignature("as")]
Words = Annotated[list[str], DBusSignature("ssss")]
Clicked = Annotated[list[Any], DBusSignature("us")]
Closed = Annotated[list[Any], DBusSignature("uu")]

PHOTO = Path("/inbox/grizzly/IMG_0412.jpg")
FILED = Notice("Photo filed", "IMG_0412.jpg → grizzly, 98 %", undo=(7,), show=PHOTO)
PROBLEM = Notice("Beartray needs you", "the disk is full; free some space", problem=True)
ABLE = ("body", "body-markup", "actions")


class Service(ServiceInterface):
    """A notification service that can be told to hang; numbers and replaces as the real ones."""

    def __init__(self, *able: str) -> None:
        super().__init__(SERVER.interface)
        self.shown: dict[int, dict[str, Any]] = {}
        self.calls = 0
        self.closed: list[int] = []
        self.refuses = False
        self._able = list(able or ABLE)
        self._going_on = asyncio.Event()
        self._going_on.set()

    def hang(self) -> None:
        self._going_on.clear()

    def go_on(self) -> None:
        self._going_on.set()

    @dbus_method()
    async def Notify(
        self,
        app: DBusStr,
        replaces: DBusUInt32,
        icon: DBusStr,
        title: DBusStr,
        body: DBusStr,
        actions: Strings,
        hints: DBusDict,
        timeout: DBusInt32,
    ) -> DBusUInt32:
        self.calls += 1
        if self.refuses:
            raise DBusError("org.freedesktop.Notifications.Error", "too many")
        await self._going_on.wait()
        number = replaces or self.calls
        self.shown[number] = {"title": title, "body": body, "actions": actions}
        return number

    @dbus_method()
    def GetCapabilities(self) -> Strings:
        return self._able

    @dbus_method()
    def GetServerInformation(self) -> Words:
        return ["Stand-in", "", "1.0\x07", "1.2"]

    @dbus_method()
    def CloseNotification(self, number: DBusUInt32) -> None:
        self.closed.append(number)

    @dbus_signal()
    def ActionInvoked(self, number: int, action: str) -> Clicked:
        return [number, action]

    @dbus_signal()
    def NotificationClosed(self, number: int) -> Closed:
        return [number, 2]


class Person:
    """What was asked for by pressing buttons."""

    def __init__(self) -> None:
        self.undone: list[tuple[int, ...]] = []
        self.looked_at: list[Path] = []


class Stage:
    """A private bus with Beartray's notifier on it, and services that come and go."""

    def __init__(self, bus: PrivateBus) -> None:
        self.bus, self.kept, self.person = bus, Kept(), Person()
        self.own = bus.connect()
        self._connections = [self.own]
        self.notifier = notifier_on(self.own, self.kept, self.person)

    def start(self, service: Service) -> SessionBus:
        """Let `service` take its place on the bus, over a connection of its own."""
        connection = self.bus.connect()
        connection.export(SERVER.path, service)
        self._connections.append(connection)
        connection.call(DAEMON, "RequestName", "su", [SERVER.name, 0])
        return connection

    def tasks(self) -> int:
        """How many calls and such are on their way on Beartray's connection."""
        return len(self.own._tasks)

    def wait_for_last(self, title: str) -> None:
        """Until the notice called so, and all before it, have come to the bus's thread."""
        waiting = self.notifier._backlog._waiting
        wait_until(lambda: bool(waiting) and waiting[-1].title == title, f"{title} waits")

    def wait_for_buttons(self, number: int) -> None:
        """Until Beartray knows which notification is which; no person is faster than that."""
        wait_until(lambda: number in self.notifier._open, f"{number} is known")

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def notifier_on(bus: SessionBus, kept: Kept, person: Person) -> DBusNotifier:
    picture = Image.new("RGBA", (8, 8))
    return DBusNotifier(bus, picture, person.undone.append, kept, person.looked_at.append)


@pytest.fixture
def stage(private_bus: PrivateBus) -> Iterator[Stage]:
    stage = Stage(private_bus)
    yield stage
    stage.close()


def press(connection: SessionBus, service: Service, number: int, button: str) -> None:
    connection.post(lambda: service.ActionInvoked(number, button))


def test_one_photo_comes_with_undo_and_show_and_a_click_shows_it(stage: Stage) -> None:
    service = Service()
    connection = stage.start(service)
    stage.notifier.show(FILED)
    wait_until(lambda: service.shown, "it was shown")
    shown = service.shown[1]
    assert (shown["title"], shown["body"]) == (FILED.title, FILED.body)
    assert shown["actions"] == ["default", "Show", "undo", "Undo", "show", "Show"]
    stage.wait_for_buttons(1)
    for button in ("default", "show"):
        press(connection, service, 1, button)
    wait_until(lambda: stage.person.looked_at == [PHOTO, PHOTO], "both showed the photo")
    for _ in range(3):  # an impatient person
        press(connection, service, 1, "undo")
    wait_until(lambda: service.closed, "what is untrue now was taken away")
    assert stage.person.undone == [(7,)] and service.closed == [1]


def test_there_are_no_buttons_that_could_do_nothing(stage: Stage) -> None:
    service = Service()
    connection = stage.start(service)
    stage.notifier.show(PROBLEM)
    wait_until(lambda: service.shown, "it was shown")
    assert service.shown[1]["actions"] == []
    stage.wait_for_buttons(1)
    for button in ("default", "show", "undo", "other"):
        press(connection, service, 1, button)
        press(connection, service, 99, button)  # of another program
    stage.notifier.show(FILED)
    wait_until(lambda: len(service.shown) == 2, "the next one was shown")
    assert stage.person.undone == [] and stage.person.looked_at == []


def test_the_same_problem_again_takes_its_own_place_and_photos_never_do(stage: Stage) -> None:
    service = Service()
    connection = stage.start(service)
    running = Notice("Beartray is running already", "Watching ~/a · 1 filed today")
    again = Notice("Beartray is running already", "Watching ~/a · 2 filed today")
    other = Notice(PROBLEM.title, "the folder is gone", problem=True)
    for notice in (PROBLEM, FILED, running, PROBLEM, FILED, other, again):
        stage.notifier.show(notice)
    wait_until(lambda: service.calls == 7, "all were told")
    wait_until(lambda: service.shown[3]["body"] == again.body, "the answer was brought up to date")
    assert [shown["title"] for shown in service.shown.values()] == [
        *(PROBLEM.title, FILED.title, running.title, FILED.title, other.title)
    ]
    stage.wait_for_buttons(1)
    connection.post(lambda: service.NotificationClosed(1))
    wait_until(lambda: 1 not in stage.notifier._open, "the person closed it")
    stage.notifier.show(PROBLEM)
    wait_until(lambda: service.calls == 8, "it was told once more")
    wait_until(lambda: 8 in service.shown, "what was closed is shown anew")


def test_notices_of_a_backlog_take_little_memory(stage: Stage) -> None:
    """Each can be undone for a long time, and has thousands of photos."""
    service, each, notices = Service(), 4000, 5
    connection = stage.start(service)
    stage.notifier.show(Notice("first", ""))
    stage.wait_for_buttons(1)
    tracemalloc.start()
    try:
        for number in range(notices):
            ids = tuple(range(1000 + number * each, 1000 + (number + 1) * each))
            stage.notifier.show(Notice(f"{each} photos filed", "", undo=ids))
            stage.wait_for_buttons(number + 2)
        del ids
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / (notices * each) < 16, "bytes a photo"
    press(connection, service, 2, "undo")
    wait_until(lambda: stage.person.undone == [tuple(range(1000, 1000 + each))], "it works")


def test_a_service_that_hangs_gets_one_notice_and_nothing_piles_up(stage: Stage) -> None:
    service = Service()
    connection = stage.start(service)
    stage.notifier.show(Notice("first", ""))
    stage.wait_for_buttons(1)
    connection.post(service.hang)
    started = time.monotonic()
    stage.notifier.show(PROBLEM)
    for number in range(500):
        stage.notifier.show(Notice(f"Photo {number}", "", undo=(number,)))
    assert time.monotonic() - started < 1.0 + SLOWNESS, "nobody waits for it"
    wait_until(lambda: service.calls == 2, "it has the next one")
    stage.wait_for_last("Photo 499")
    wait_until(lambda: stage.tasks() == 1, "only that call waits for its answer")
    assert service.calls == 2 and stage.kept.notices == []

    connection.post(service.go_on)
    wait_until(lambda: service.calls == 2 + WAITING, "it caught up with the newest")
    wait_until(lambda: len(service.shown) == service.calls, "all of it is shown")
    titles = [shown["title"] for shown in service.shown.values()]
    newest = [f"Photo {number}" for number in range(500 - WAITING, 500)]
    assert titles == ["first", PROBLEM.title, *newest]
    assert service.calls == len(titles), "nothing was told twice"
    stage.wait_for_buttons(3)
    press(connection, service, 3, "undo")
    wait_until(lambda: stage.person.undone == [(500 - WAITING,)], "its buttons work")
    assert stage.kept.notices == []


def test_a_logout_does_not_wait_for_a_service_that_hangs(stage: Stage) -> None:
    service = Service()
    connection = stage.start(service)
    connection.post(service.hang)
    for notice in (FILED, PROBLEM):
        stage.notifier.show(notice)
    wait_until(lambda: service.calls == 1, "it hangs")
    started = time.monotonic()
    stage.notifier.close()
    stage.own.close()
    assert time.monotonic() - started < FLUSH_SECONDS + SLOWNESS
    connection.post(service.go_on)


def test_a_problem_is_not_left_out_for_photos(stage: Stage) -> None:
    service = Service()
    connection = stage.start(service)
    connection.post(service.hang)
    stage.notifier.show(Notice("first", ""))
    wait_until(lambda: service.calls == 1, "it hangs")
    stage.notifier.show(PROBLEM)
    for number in range(20):
        stage.notifier.show(Notice(f"Photo {number}", "", undo=(number,)))
    stage.wait_for_last("Photo 19")
    connection.post(service.go_on)
    wait_until(lambda: len(service.shown) == 1 + WAITING, "it caught up")
    titles = [shown["title"] for shown in service.shown.values()]
    assert titles[:3] == ["first", PROBLEM.title, "Photo 13"]


def test_one_that_dies_while_it_shows_something_is_asked_again_where_it_comes_back(
    stage: Stage,
) -> None:
    service, following = Service(), Service("body")
    connection = stage.start(service)
    connection.post(service.hang)
    stage.notifier.show(FILED)
    wait_until(lambda: service.calls == 1, "it has the notice")
    waiting = stage.bus.connect()
    waiting.export(SERVER.path, following)
    waiting.call(DAEMON, "RequestName", "su", [SERVER.name, 0])  # next in the queue for the name
    connection.close()
    try:
        wait_until(lambda: following.shown, "the next service has it")
        assert following.shown[1]["actions"] == [], "and is asked itself what it can do"
        assert stage.kept.notices == []
        stage.notifier.show(PROBLEM)
        wait_until(lambda: following.calls == 2, "the next notice goes there as well")
    finally:
        waiting.close()


def test_one_that_dies_for_good_leaves_the_notice_to_the_next_best_way(stage: Stage) -> None:
    service = Service()
    connection = stage.start(service)
    connection.post(service.hang)
    stage.notifier.show(FILED)
    wait_until(lambda: service.calls == 1, "it has the notice")
    stage.notifier.show(PROBLEM)
    connection.close()
    wait_until(lambda: stage.kept.notices == [FILED, PROBLEM], "both came another way, in order")


def test_one_that_refuses_costs_nothing(stage: Stage) -> None:
    service = Service()
    stage.start(service)
    service.refuses = True
    stage.notifier.show(FILED)
    wait_until(lambda: stage.kept.notices == [FILED], "it came another way")
    service.refuses = False
    stage.notifier.show(PROBLEM)
    wait_until(lambda: service.shown, "and the next one as it should")


def test_buttons_of_a_service_that_is_gone_are_forgotten(stage: Stage) -> None:
    service, following = Service(), Service()
    connection = stage.start(service)
    stage.notifier.show(FILED)
    stage.wait_for_buttons(1)
    connection.close()
    wait_until(lambda: not stage.notifier._open, "its notifications are gone with it")
    connection = stage.start(following)
    press(connection, following, 1, "undo")  # the new one's first is not the old one's
    stage.notifier.show(Notice("Photo filed", "b.jpg", undo=(8,)))
    stage.wait_for_buttons(1)
    press(connection, following, 1, "undo")
    wait_until(lambda: stage.person.undone, "the button works")
    assert stage.person.undone == [(8,)]


def test_when_the_bus_dies_the_app_goes_on(stage: Stage) -> None:
    stage.start(Service())
    stage.bus.kill()
    started = time.monotonic()
    stage.notifier.show(PROBLEM)
    stage.notifier.close()
    assert time.monotonic() - started < 2.0 * SLOWNESS


def test_the_service_can_be_named_and_so_can_its_absence(stage: Stage) -> None:
    with pytest.raises(BeartrayError, match="no D-Bus session bus"):
        notification_service(None)
    with pytest.raises(BeartrayError, match="none answers on this desktop; install one"):
        notification_service(stage.own)
    service = Service("body")
    connection = stage.start(service)
    assert notification_service(stage.own) == "Stand-in 1.0�, which shows no buttons"
    connection.close()
    stage.start(Service())
    assert notification_service(stage.own) == "Stand-in 1.0�"
    assert tray_host(None, WATCHER) is tray_host(stage.own, WATCHER) is None


def test_what_is_too_long_is_cut() -> None:
    body = notification(Notice("t" * 500, "b" * 5000), frozenset({"body"}), {})
    assert len(body[3]) < 200 and len(body[4]) <= BODY_LENGTH and body[4].endswith("…")


@pytest.fixture
def session(desk: Desk) -> Iterator[SessionBus]:
    """Beartray's connection on a desktop with a real notification service."""
    bus = SessionBus(desk.environ["DBUS_SESSION_BUS_ADDRESS"])
    yield bus
    bus.close()


def test_a_real_service_shows_it_freezes_and_goes_on(desk: Desk, session: SessionBus) -> None:
    kept, person = Kept(), Person()
    notifier = notifier_on(session, kept, person)
    notifier.show(FILED)
    desk.wait_for_notices(1)
    desk.screenshot("notification")
    assert notification_service(session).startswith("dunst 1.")
    assert "systray" in str(tray_host(session, WATCHER))
    desk.click_notice()
    wait_until(lambda: person.looked_at == [PHOTO], "a click showed the photo")
    desk.press_button_of_notice("Show")
    wait_until(lambda: person.looked_at == [PHOTO, PHOTO], "Show showed it again")
    desk.press_button_of_notice("Undo")
    wait_until(lambda: person.undone == [(7,)], "Undo took it back")
    desk.wait_for_notices(0)

    (dunst,) = session.call(DAEMON, "GetConnectionUnixProcessID", "s", [SERVER.name])
    os.kill(dunst, signal.SIGSTOP)
    try:
        for number in range(100):
            notifier.show(Notice(f"Photo {number}", "", undo=(number,)))
        waiting = notifier._backlog._waiting
        wait_until(lambda: bool(waiting) and waiting[-1].title == "Photo 99", "all of them wait")
    finally:
        os.kill(dunst, signal.SIGCONT)

    def seen() -> int:
        return sum(int(desk.dunst("count", kind)) for kind in ("displayed", "waiting"))

    wait_until(lambda: seen() == 1 + WAITING, "the first and the newest were shown")
    assert kept.notices == []
    os.kill(dunst, signal.SIGSTOP)
    notifier.show(PROBLEM)
    started = time.monotonic()
    notifier.close()
    assert time.monotonic() - started < FLUSH_SECONDS + SLOWNESS, "a logout does not wait for it"
