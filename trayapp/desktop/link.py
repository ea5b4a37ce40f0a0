"""Keeps one connection to the session bus: when it breaks, all that was set up comes back with it.

Everything here runs on one asyncio loop; `bus.py` is the side for other threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dbus_fast import DBusError, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface

from trayapp.photo import BeartrayError

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
RETRY_SECONDS = (0.1, 0.2, 0.4, 0.8)  # then the last one again and again


class BusCallError(BeartrayError):
    """A peer answered with an error, or not in time. `name` is the D-Bus error name."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(f"{name}: {text}")
        self.name = name


@dataclass(frozen=True)
class Peer:
    """Whom to call: a bus name, an object and an interface on it."""

    name: str
    path: str
    interface: str


DAEMON = Peer("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")


class Patient:
    """A socket that takes nothing for now while its buffer is full.

    dbus-fast would take that for the end of the connection, and icons are large messages:
    https://github.com/altdesktop/python-dbus-next/issues/153
    """

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    def send(self, data: memoryview) -> int:
        try:
            return int(self._socket.send(data))
        except BlockingIOError:
            return 0


class Link:
    """A connection to `address`. `over(seconds)` tells whether the session has ended, so many
    seconds after the connection broke; until then it is tried again."""

    def __init__(self, address: str, over: Callable[[float], bool]) -> None:
        self._address, self._over = address, over
        self._bus: MessageBus | None = None
        self._closing = asyncio.Event()
        self._exports: list[tuple[str, ServiceInterface]] = []
        self._rules: list[str] = []
        self._handlers: list[Callable[[Message], None]] = []
        self._returns: list[Callable[[], None]] = []

    @property
    def bus(self) -> MessageBus:
        """The connection; raises `BusCallError` while there is none."""
        if self._bus is None:
            raise BusCallError("lost", "the session bus is away")
        return self._bus

    async def connect(self) -> None:
        """Connect; raises whatever stands in the way."""
        bus = MessageBus(bus_address=self._address)
        try:
            await asyncio.wait_for(bus.connect(), CONNECT_SECONDS)
        except BaseException:
            bus.disconnect()
            raise
        bus._writer.sock = Patient(bus._writer.sock)  # type: ignore[union-attr]
        bus.add_message_handler(self._on_message)
        self._bus = bus

    async def live(self) -> None:
        """Return when the session has ended, or after `hang_up`."""
        while True:
            try:
                await self.bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
            except (OSError, EOFError) as error:
                logger.info("the session bus ended: %s", error)
            self._bus = None
            if self._closing.is_set() or not await self._come_back():
                return

    def hang_up(self) -> None:
        """End `live`."""
        self._closing.set()
        if self._bus is not None:
            self._bus.disconnect()

    def export(self, path: str, interface: ServiceInterface) -> None:
        """Let others call `interface` at `path`, now and after each return."""
        self._exports.append((path, interface))
        if self._bus is not None:
            self._bus.export(path, interface)

    def unexport(self, path: str, interface: ServiceInterface) -> None:
        """Take `interface` away again."""
        self._exports = [one for one in self._exports if one[1] is not interface]
        if self._bus is not None:
            self._bus.unexport(path, interface)

    def on_return(self, handler: Callable[[], None]) -> None:
        """Run `handler` each time the bus is there again: nobody on it knows us."""
        self._returns.append(handler)

    async def listen(self, rule: str, handler: Callable[[Message], None]) -> None:
        """Run `handler` with every message; ask the bus for those that match `rule`."""
        self._handlers.append(handler)
        self._rules.append(rule)
        await self.call(DAEMON, "AddMatch", "s", [rule], CONNECT_SECONDS)

    async def call(
        self, peer: Peer, member: str, signature: str, body: Sequence[Any], timeout: float
    ) -> list[Any]:
        """The body of the answer; raises `BusCallError`."""
        message = Message(peer.name, peer.path, peer.interface, member, signature=signature)
        message.body = list(body)
        try:
            reply = await asyncio.wait_for(self.bus.call(message), timeout)
        except TimeoutError:
            raise BusCallError("timeout", f"{peer.name} did not answer {member}") from None
        except (OSError, EOFError, DBusError) as error:
            raise BusCallError("lost", f"the session bus ended: {error}") from None
        if reply is None:
            raise BusCallError("lost", "the session bus ended")
        if reply.message_type is MessageType.ERROR:
            raise BusCallError(reply.error_name or "error", " ".join(map(str, reply.body)))
        return list(reply.body)

    async def _come_back(self) -> bool:
        """Connect again; false when the session is over."""
        loop = asyncio.get_running_loop()
        lost, tries = loop.time(), 0
        while not self._closing.is_set() and not self._over(loop.time() - lost):
            try:
                await self.connect()
                await self._restore()
            except Exception as error:
                logger.debug("the session bus is still away: %s", error)
                self._bus = None
            else:
                logger.info("the session bus is back")
                return True
            pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
            tries += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
        return False

    async def _restore(self) -> None:
        for path, interface in self._exports:
            self.bus.export(path, interface)
        for rule in self._rules:
            await self.call(DAEMON, "AddMatch", "s", [rule], CONNECT_SECONDS)
        for handler in self._returns:
            handler()

    def _on_message(self, message: Message) -> None:
        for handler in self._handlers:
            handler(message)
