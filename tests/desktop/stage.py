"""A session bus with the real tray on it, where the test plays panel and notification service."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.desktop.desk import Panel, PrivateBus, wait_until
from tests.desktop.desk.bus import own
from tests.desktop.desk.services import SERVICE, WATCHER, Service, Watcher
from tests.desktop.stand_in import LoggedActions
from trayapp.desktop.bus import SessionBus
from trayapp.desktop.linux import linux_desktop
from trayapp.desktop.parts import Desktop


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

    def start_panel(self, busy: int = 0, refuse: int = 0) -> SessionBus:
        """A new panel, deaf to the first `busy` calls, refusing the next `refuse`; returns the
        connection that it lives on."""
        self.watcher = Watcher(busy, refuse)
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

    def settled(self) -> None:
        """Wait until all clicks so far were carried out."""
        names = {"tray click", *(row for row in self.tray._slots)}
        for thread in threading.enumerate():
            if thread.name in names:
                thread.join(10)

    def close(self) -> None:
        self.tray.stop()
        if self.thread.ident is not None:
            self.thread.join(10)
            assert not self.thread.is_alive()
        for connection in self.connections:
            connection.post(self.watcher.calm.set)
            connection.close()


@contextmanager
def a_stage(
    bus: PrivateBus, folder: Path, environ: Mapping[str, str] | None = None
) -> Iterator[Stage]:
    """A desktop with nothing but `bus` and what `environ` adds, until the block ends."""
    known = {"DBUS_SESSION_BUS_ADDRESS": bus.address, "HOME": str(folder), "PATH": ""}
    desktop = linux_desktop({**known, **(environ or {})})
    stage = Stage(bus, desktop, folder)
    try:
        yield stage
    finally:
        stage.close()
        desktop.close()
