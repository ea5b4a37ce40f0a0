"""Lets the desktop's portal ask for a folder or a photo, where no dialog program is installed.

https://flatpak.github.io/xdg-desktop-portal/docs/doc-org.freedesktop.portal.FileChooser.html
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from dbus_fast import Variant

from trayapp.desktop import dialogs_programs as programs
from trayapp.desktop.bus import BusCallError, Peer, SessionBus
from trayapp.desktop.dialogs_programs import NoChooserError
from trayapp.photo import BeartrayError

NAME, PATH = "org.freedesktop.portal.Desktop", "/org/freedesktop/portal/desktop"
CHOOSER = Peer(NAME, PATH, "org.freedesktop.portal.FileChooser")
PROPERTIES = Peer(NAME, PATH, "org.freedesktop.DBus.Properties")
REQUEST = "org.freedesktop.portal.Request"
TOKEN = "beartray"
FOLDERS_SINCE = 3  # version of the interface
START_SECONDS = 10.0  # the bus may have to start the portal
LOOK_SECONDS = 1.0
CHOSEN, CANCELLED = 0, 1


class Portal:
    """`bus` gives the session bus, None where there is none. One question at a time."""

    def __init__(self, bus: Callable[[], SessionBus | None]) -> None:
        self._bus = bus
        self._asking = threading.Lock()
        self._answers: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._heard: set[str] = set()

    def choose(self, title: str, start: Path, folder: bool) -> Path | None:
        """The folder or photo chosen; raises `NoChooserError` without a portal that asks for it."""
        bus = self._bus()
        if bus is None:
            raise NoChooserError("there is no session bus")
        with self._asking:
            try:
                self._ask(bus, title, start, folder)
            except BusCallError as error:
                raise NoChooserError(f"no portal asks for files: {error}") from None
            response, results = self._wait(bus)
        if response == CHOSEN and (uris := results["uris"].value):
            return _path(uris[0])
        if response in (CHOSEN, CANCELLED):
            return None
        raise BeartrayError("the desktop's portal could not show its dialog; install zenity")

    def _ask(self, bus: SessionBus, title: str, start: Path, folder: bool) -> None:
        asked = [CHOOSER.interface, "version"]
        (version,) = bus.call(PROPERTIES, "Get", "ss", asked, START_SECONDS)
        if folder and version.value < FOLDERS_SINCE:
            raise NoChooserError("this portal cannot ask for a folder")
        self._listen(bus)
        while not self._answers.empty():  # of a question that nobody waits for any more
            self._answers.get()
        bus.call(CHOOSER, "OpenFile", "ssa{sv}", ["", title, _options(start, folder)])

    def _listen(self, bus: SessionBus) -> None:
        """Before asking, as the answer may come before the call returns."""
        sender = bus.unique_name[1:].replace(".", "_")
        path = f"{PATH}/request/{sender}/{TOKEN}"
        if path not in self._heard:
            bus.on_signal(Peer(NAME, path, REQUEST), "Response", self._answers.put)
            self._heard.add(path)

    def _wait(self, bus: SessionBus) -> list[Any]:
        """As long as the person takes, and the portal is there."""
        while True:
            try:
                return self._answers.get(timeout=LOOK_SECONDS)
            except queue.Empty:
                if not _is_there(bus):
                    raise BeartrayError("the desktop's portal went away; try again") from None


def _is_there(bus: SessionBus) -> bool:
    try:
        return bus.has_owner(NAME)
    except BusCallError:
        return False


def _options(start: Path, folder: bool) -> dict[str, Variant]:
    options = {
        "handle_token": Variant("s", TOKEN),
        "directory": Variant("b", folder),
        "current_folder": Variant("ay", os.fsencode(start) + b"\0"),
    }
    if not folder:
        wanted = [[0, pattern] for pattern in programs.patterns()]
        kinds = [["Photos", wanted], ["All files", [[0, "*"]]]]
        options["filters"] = Variant("a(sa(us))", kinds)
    return options


def _path(uri: str) -> Path:
    """A name may be any bytes."""
    return Path(os.fsdecode(unquote_to_bytes(uri.removeprefix("file://"))))
