"""A session bus of the test's own, with no services on it but those that the test brings."""

from __future__ import annotations

from pathlib import Path

from tests.desktop.desk.processes import Processes, wait_until
from trayapp.desktop.bus import DAEMON, SessionBus

BARE = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  {services}
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
DO_NOT_QUEUE = 4
PRIMARY_OWNER = 1


class PrivateBus:
    """A running dbus-daemon at `address`. With `services`, it starts what is installed."""

    def __init__(self, folder: Path, processes: Processes, services: bool = False) -> None:
        socket = folder / "bus"
        self.address = f"unix:path={socket}"
        config = folder / "bus.conf"
        element = "<standard_session_servicedirs/>" if services else ""
        config.write_text(BARE.format(address=self.address, services=element))
        processes.environ["DBUS_SESSION_BUS_ADDRESS"] = self.address
        self._processes = processes
        self._daemon = processes.start(
            "dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile"
        )
        wait_until(socket.is_socket, "the session bus was there")

    def connect(self, *names: str) -> SessionBus:
        """A new connection that owns `names`."""
        bus = SessionBus(self.address)
        for name in names:
            own(bus, name)
        return bus

    def kill(self) -> None:
        """End the bus, as a logout does."""
        self._processes.stop(self._daemon)


def own(connection: SessionBus, name: str) -> None:
    """Take `name` on the bus, now that what it stands for is exported."""
    (answer,) = connection.call(DAEMON, "RequestName", "su", [name, DO_NOT_QUEUE])
    assert answer == PRIMARY_OWNER, f"{name} is taken"
