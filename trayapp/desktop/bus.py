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
from pathlib import Path
from typing import Any

from dbus_fast import Message, MessageType
from dbus_fast.service import ServiceInterface

from trayapp.desktop.link import CONNECT_SECONDS, DAEMON, BusCallError, Link, Peer
from trayapp.photo import BeartrayError

__all__ = ["DAEMON", "BusCallError", "NoSessionBusError", "Peer", "SessionBus", "session_address"]

logger = logging.getLogger(__name__)

CALL_SECONDS = 5.0


class NoSessionBusError(BeartrayError):
    """There is no session bus to speak to."""


def session_address(environ: Mapping[str, str]) -> str | None:
    """Where the session bus listens: the variable, else systemd's usual place."""
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and (socket := Path(runtime) / "bus").is_socket():
        return f"unix:path={socket}"
    return None


class SessionBus:
    """A connected session bus. `call` and friends are for every thread but the loop's own.

    A bus that breaks is connected to again for as long as `over(seconds since)` says that the
    session goes on; meanwhile calls fail, and what was exported and listened for comes back.
    """

    def __init__(self, address: str, over: Callable[[float], bool] = lambda _: True) -> None:
        """Connect to `address`; raises `NoSessionBusError` when nobody answers there."""
        self._ended = threading.Event()
        self._connected = threading.Event()
        self._failure: BaseException | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_unheard)
        self._link = Link(address, over)
        self._thread = threading.Thread(target=self._run, name="session bus", daemon=True)
        self._thread.start()
        if not self._connected.wait(CONNECT_SECONDS) or self._failure is not None:
            reason = self._failure or "no answer"
            raise NoSessionBusError(f"the session bus at {address} cannot be used: {reason}")

    @property
    def unique_name(self) -> str:
        """This connection's own name, such as ":1.42"; another one after the bus broke."""
        return str(self._link.bus.unique_name)

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
        return await self._link.call(peer, member, signature, body, timeout)

    def export(self, path: str, interface: ServiceInterface) -> None:
        """Let others call `interface` at `path`."""

        async def export() -> None:
            self._link.export(path, interface)

        self._wait(export(), CALL_SECONDS)

    def unexport(self, path: str, interface: ServiceInterface) -> None:
        """Take `interface` away again."""
        self.post(lambda: self._link.unexport(path, interface))

    def on_return(self, handler: Callable[[], None]) -> None:
        """Run `handler` on the loop whenever the bus had broken and is there again."""
        self._link.on_return(handler)

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

        rule = (
            f"type='signal',sender='{peer.name}',interface='{peer.interface}',"
            f"path='{peer.path}',member='{member}'"
        )
        self._wait(self._link.listen(rule, dispatch), CALL_SECONDS + 1)

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
        self.post(self._link.hang_up)
        if threading.current_thread() is not self._thread:
            self._thread.join(CALL_SECONDS)

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
        except (BusCallError, OSError, EOFError) as error:  # the bus has just ended
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

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._live())
        finally:
            self._ended.set()
            self._loop.close()
            self._connected.set()

    async def _live(self) -> None:
        try:
            await self._link.connect()
        except Exception as error:
            self._failure = error
            return
        self._connected.set()
        await self._link.live()
        self._ended.set()
        for task in (waiting := list(self._tasks)):
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


def _unheard(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What nobody waits for: signals that were on their way when the bus ended fail one by one."""
    if isinstance(error := context.get("exception"), OSError | EOFError):
        logger.debug("not sent: %s", error)
    else:
        loop.default_exception_handler(context)
