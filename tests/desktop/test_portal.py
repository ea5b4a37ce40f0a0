"""A desktop without a dialog program, whose portal asks in its place.

Annotations here are D-Bus signatures: no `from __future__ import annotations` in this module.
"""

# ruff: noqa: N802 -- names and parameters are those of the D-Bus interface

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
from dbus_fast import PropertyAccess, Variant
from dbus_fast.annotations import DBusObjectPath, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

from tests.desktop.desk import PrivateBus, wait_until
from tests.desktop.desk.bus import own
from trayapp.desktop.dialogs_portal import CHOOSER, NAME, PATH, REQUEST, TOKEN, Portal
from trayapp.desktop.dialogs_programs import NoChooserError
from trayapp.photo import BeartrayError

pytestmark = pytest.mark.desktop

Options = Annotated[dict[str, Variant], DBusSignature("a{sv}")]
Answered = Annotated[list[Any], DBusSignature("ua{sv}")]


class Request(ServiceInterface):
    def __init__(self) -> None:
        super().__init__(REQUEST)

    @dbus_signal()
    def Response(self, response: int, results: dict[str, Variant]) -> Answered:
        return [response, results]


class Chooser(ServiceInterface):
    """A portal whose person answers every question with `answer`, or not at all."""

    def __init__(self, request: Request, version: int) -> None:
        super().__init__(CHOOSER.interface)
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answer: tuple[int, dict[str, Variant]] | None = None
        self._request, self._version = request, version

    @dbus_property(PropertyAccess.READ)
    def version(self) -> DBusUInt32:
        return self._version

    @dbus_method()
    def OpenFile(self, parent: DBusStr, title: DBusStr, options: Options) -> DBusObjectPath:
        self.asked.append((title, {name: value.value for name, value in options.items()}))
        if self.answer is not None:  # a quick one comes before this call returns
            self._request.Response(*self.answer)
        return f"{PATH}/request/1_0/{options['handle_token'].value}"


class Scene:
    def __init__(self, bus: PrivateBus) -> None:
        self.mine, self.theirs = bus.connect(), bus.connect()
        self.portal = Portal(lambda: self.mine)

    def start(self, version: int = 4) -> Chooser:
        request, caller = Request(), self.mine.unique_name[1:].replace(".", "_")
        chooser = Chooser(request, version)
        self.theirs.export(PATH, chooser)
        self.theirs.export(f"{PATH}/request/{caller}/{TOKEN}", request)
        own(self.theirs, NAME)
        return chooser


@pytest.fixture
def scene(private_bus: PrivateBus) -> Iterator[Scene]:
    scene = Scene(private_bus)
    yield scene
    scene.mine.close()
    scene.theirs.close()


def chosen(uri: str) -> tuple[int, dict[str, Variant]]:
    return 0, {"uris": Variant("as", [uri])}


def test_the_portal_asks_for_a_folder_and_for_a_photo(scene: Scene, tmp_path: Path) -> None:
    chooser = scene.start()
    chooser.answer = chosen("file:///home/ann/B%E4rs%20%26%20more")
    found = scene.portal.choose("Which folder?", tmp_path, True)
    assert found is not None and os.fsencode(found) == b"/home/ann/B\xe4rs & more"
    chooser.answer = chosen("file:///home/ann/a.jpg")
    assert scene.portal.choose("Which photo?", tmp_path, False) == Path("/home/ann/a.jpg")
    (title, folder), (_, photo) = chooser.asked
    assert (title, folder["directory"], photo["directory"]) == ("Which folder?", True, False)
    assert bytes(folder["current_folder"]) == os.fsencode(tmp_path) + b"\0"
    name, patterns = photo["filters"][0]
    assert name == "Photos" and (0, "*.jpg") in [tuple(pattern) for pattern in patterns]


@pytest.mark.parametrize("answer", [(1, {}), (0, {"uris": Variant("as", [])})])
def test_cancel_is_no_choice_and_no_error(scene: Scene, tmp_path: Path, answer: Any) -> None:
    scene.start().answer = answer
    assert scene.portal.choose("?", tmp_path, True) is None


def test_a_portal_that_cannot_is_said_to(scene: Scene, tmp_path: Path) -> None:
    scene.start().answer = (2, {})
    with pytest.raises(BeartrayError, match="could not show its dialog; install zenity"):
        scene.portal.choose("?", tmp_path, True)


def no_bus(scene: Scene) -> None:
    scene.portal = Portal(lambda: None)


def nobody(scene: Scene) -> None:
    """Nobody on the bus offers to ask."""


def too_old(scene: Scene) -> None:
    scene.start(version=2)


def without_a_backend(scene: Scene) -> None:
    own(scene.theirs, NAME)


@pytest.mark.parametrize("case", [no_bus, nobody, too_old, without_a_backend])
def test_where_no_portal_asks_another_way_is_tried(
    scene: Scene, tmp_path: Path, case: Callable[[Scene], None]
) -> None:
    case(scene)
    with pytest.raises(NoChooserError):
        scene.portal.choose("?", tmp_path, True)


def test_nobody_waits_for_a_portal_that_went_away(scene: Scene, tmp_path: Path) -> None:
    chooser = scene.start()
    failures: list[str] = []

    def ask() -> None:
        try:
            scene.portal.choose("?", tmp_path, True)
        except BeartrayError as error:
            failures.append(str(error))

    asking = threading.Thread(target=ask)
    asking.start()
    wait_until(lambda: chooser.asked, "it was asked")
    scene.theirs.close()
    asking.join(10)
    assert failures == ["the desktop's portal went away; try again"]
