"""Holds the one connection to the Linux session bus, on a thread of its own.

Icon, menu, notifications and the file manager all speak over it. The loop thread never runs
the app's code: callbacks that reach into the app start a thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dbus_fast import DBusError, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.service import ServiceInterface

from trayapp.photo import BeartrayError

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
CALL_SECONDS = 5.0


class NoSessionBusError(BeartrayError):
    """There is no session bus to speak to."""


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


def session_address(environ: Mapping[str, str]) -> str | None:
    """Where the session bus listens: the variable, else systemd's usual place."""
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and (socket := Path(runtime) / "bus").is_socket():
        return f"unix:path={socket}"
    return None


class SessionBus:
    """A connected session bus. `call` and friends are for every thread but the loop's own."""

    def __init__(self, address: str) -> None:
        """Connect to `address`; raises `NoSessionBusError` when nobody answers there."""
        self._ended = threading.Event()
        self._connected = threading.Event()
        self._failure: BaseException | None = None
        self._handlers: list[Callable[[Message], None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._bus: MessageBus | None = None
        self._thread = threading.Thread(
            target=self._run, args=(address,), name="session bus", daemon=True
        )
        self._thread.start()
        if not self._connected.wait(CONNECT_SECONDS) or self._failure is not None:
            reason = self._failure or "no answer"
            raise NoSessionBusError(f"the session bus at {address} cannot be used: {reason}")

    @property
    def unique_name(self) -> str:
        """This connection's own name, such as ":1.42"."""
        return str(self._connection.unique_name)

    def call(
        self,
        peer: Peer,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
        timeout: float = CALL_SECONDS,
    ) -> list[Any]:
        """Call and wait for the answer's body; raises `BusCallError`."""
        answer = self._wait(self.method(peer, member, signature, body, timeout), timeout + 1)
        return list(answer)

    async def method(
        self,
        peer: Peer,
        member: str,
        signature: str = "",
        body: Sequence[Any] = (),
        timeout: float = CALL_SECONDS,
    ) -> list[Any]:
        """`call` for code that already runs on the loop."""
        message = Message(peer.name, peer.path, peer.interface, member, signature=signature)
        message.body = list(body)
        try:
            reply = await asyncio.wait_for(self._connection.call(message), timeout)
        except TimeoutError:
            raise BusCallError("timeout", f"{peer.name} did not answer {member}") from None
        except (OSError, EOFError, DBusError) as error:
            raise BusCallError("lost", f"the session bus ended: {error}") from None
        if reply is None:
            raise BusCallError("lost", "the session bus ended")
        if reply.message_type is MessageType.ERROR:
            raise BusCallError(reply.error_name or "error", " ".join(map(str, reply.body)))
        return list(reply.body)

    def export(self, path: str, interface: ServiceInterface) -> None:
        """Let others call `interface` at `path`."""

        async def export() -> None:
            self._connection.export(path, interface)

        self._wait(export(), CALL_SECONDS)

    def unexport(self, path: str, interface: ServiceInterface) -> None:
        """Take `interface` away again."""
        self.post(lambda: self._connection.unexport(path, interface))

    def on_signal(self, peer: Peer, member: str, handler: Callable[[list[Any]], None]) -> None:
        """Run `handler` on the loop with the body of each such signal, whoever owns the name."""

        def dispatch(message: Message) -> None:
            if (
                message.message_type is MessageType.SIGNAL
                and message.member == member
                and message.interface == peer.interface
                and message.path == peer.path
            ):
                handler(message.body)

        self._handlers.append(dispatch)
        rule = (
            f"type='signal',sender='{peer.name}',interface='{peer.interface}',"
            f"path='{peer.path}',member='{member}'"
        )
        self.call(DAEMON, "AddMatch", "s", [rule])

    def on_owner(self, name: str, handler: Callable[[str], None]) -> None:
        """Run `handler` on the loop with the new owner of `name`, "" when it has none any more."""

        def changed(body: list[Any]) -> None:
            if body[0] == name:
                handler(body[2])

        self.on_signal(DAEMON, "NameOwnerChanged", changed)

    def has_owner(self, name: str) -> bool:
        """Whether somebody owns `name` right now."""
        return bool(self.call(DAEMON, "NameHasOwner", "s", [name])[0])

    def post(self, function: Callable[[], object]) -> None:
        """Run `function` on the loop, soon; dropped silently once the bus has ended."""
        if not self._ended.is_set():
            try:
                self._loop.call_soon_threadsafe(self._guarded, function)
            except RuntimeError:  # closed between the question and the call
                logger.debug("dropped %r: the session bus has ended", function)

    def spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start a coroutine on the loop; what it raises is logged."""
        self.post(lambda: self._keep(work()))

    def flush(self, seconds: float) -> None:
        """Wait, `seconds` at most, until what was spawned so far is done."""

        async def done() -> None:
            await asyncio.gather(*self._tasks, return_exceptions=True)

        with contextlib.suppress(BusCallError):
            self._wait(done(), seconds)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the bus ends (logout, `close`); False when `timeout` seconds passed first."""
        return self._ended.wait(timeout)

    def close(self) -> None:
        """Hang up and wait for the loop to end; harmless when it already has."""
        self.post(self._hang_up)
        if threading.current_thread() is not self._thread:
            self._thread.join(CALL_SECONDS)

    @property
    def _connection(self) -> MessageBus:
        if self._bus is None or self._ended.is_set():
            raise BusCallError("lost", "the session bus has ended")
        return self._bus

    def _wait(self, coroutine: Coroutine[Any, Any, Any], timeout: float) -> Any:
        if self._ended.is_set():
            coroutine.close()
            raise BusCallError("lost", "the session bus has ended")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(timeout)
        except TimeoutError:
            future.cancel()
            raise BusCallError("timeout", "the session bus did not answer") from None

    def _guarded(self, function: Callable[[], object]) -> None:
        try:
            function()
        except BusCallError as error:
            logger.debug("not sent: %s", error)
        except Exception:
            logger.exception("a message for the session bus could not be sent")

    def _keep(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)  # asyncio itself only holds tasks weakly
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.warning("session bus: %s", error)

    def _on_message(self, message: Message) -> None:
        for handler in self._handlers:
            handler(message)

    def _hang_up(self) -> None:
        if self._bus is not None:
            self._bus.disconnect()

    def _run(self, address: str) -> None:
        try:
            self._loop.run_until_complete(self._live(address))
        finally:
            self._ended.set()
            self._loop.close()
            self._connected.set()

    async def _live(self, address: str) -> None:
        try:
            bus = MessageBus(bus_address=address)
            self._bus = await asyncio.wait_for(bus.connect(), CONNECT_SECONDS)
        except Exception as error:
            self._failure = error
            return
        self._bus.add_message_handler(self._on_message)
        self._connected.set()
        try:
            await self._bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
        except (OSError, EOFError) as error:
            logger.info("the session bus ended: %s", error)
        self._ended.set()
        for task in (waiting := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
