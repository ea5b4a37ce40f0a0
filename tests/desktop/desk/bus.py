"""A session bus of the test's own, with no services on it but those that the test brings."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from tests.desktop.desk.processes import Processes, wait_until
from trayapp.desktop.bus import DAEMON, SessionBus

BARE = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <servicedir>{services}</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
SERVICES = Path("/usr/share/dbus-1/services")
DO_NOT_QUEUE = 4
PRIMARY_OWNER = 1


class PrivateBus:
    """A running dbus-daemon at `address`; it starts these installed `services` when asked.

    No others: a file manager of this machine would take what a test wants to see.
    """

    def __init__(self, folder: Path, processes: Processes, *services: str) -> None:
        path = folder / "bus"
        self.address = f"unix:path={path}"
        config = folder / "bus.conf"
        offered = folder / "services"
        offered.mkdir()
        for name in services:
            shutil.copy(SERVICES / f"{name}.service", offered)
        config.write_text(BARE.format(address=self.address, services=offered))
        processes.environ["DBUS_SESSION_BUS_ADDRESS"] = self.address
        self._path, self._config, self._processes = path, config, processes
        self.start()

    def start(self) -> None:
        """Start the bus, or a new one at the same address after `kill`."""
        self._daemon = self._processes.start(
            "dbus-daemon", f"--config-file={self._config}", "--nofork", "--nopidfile"
        )
        wait_until(lambda: answers(self._path), "the session bus answered")

    def connect(self, *names: str) -> SessionBus:
        """A new connection that owns `names`."""
        bus = SessionBus(self.address)
        for name in names:
            own(bus, name)
        return bus

    def kill(self) -> None:
        """End the bus, as a logout or a crash does."""
        self._processes.stop(self._daemon)
        self._path.unlink(missing_ok=True)  # a new one would not take the name of an old socket


def answers(path: Path) -> bool:
    """Whether a server listens at `path`: its file is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def own(connection: SessionBus, name: str) -> None:
    """Take `name` on the bus, now that what it stands for is exported."""
    (answer,) = connection.call(DAEMON, "RequestName", "su", [name, DO_NOT_QUEUE])
    assert answer == PRIMARY_OWNER, f"{name} is taken"
