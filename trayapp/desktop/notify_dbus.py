"""Shows notices through the Linux notification service, with buttons that work."""

from __future__ import annotations

import asyncio
import html
import logging
import threading
import time
from array import array
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from dbus_fast import Variant
from PIL import Image

from trayapp.desktop.bus import BusCallError, Peer, SessionBus
from trayapp.desktop.notify import APP_NAME, Backlog, Notifier
from trayapp.desktop.words import harmless, shorten_end
from trayapp.tell import Notice

logger = logging.getLogger(__name__)

# https://specifications.freedesktop.org/notification-spec/latest/
SERVER = Peer(
    "org.freedesktop.Notifications",
    "/org/freedesktop/Notifications",
    "org.freedesktop.Notifications",
)
UNDO, SHOW = "undo", "show"
CLICK = "default"  # the specification's name for a click on the notification itself
FLUSH_SECONDS = 0.5  # a logout must not wait for a service that is gone
SLOW_SECONDS = 5.0
ANSWER_SECONDS = 3600.0  # a service that was stopped may go on; until then it gets nothing more
REMEMBERED = 50  # notifications whose buttons still work
SERVERS_CHOICE = -1  # milliseconds: how long a notification stays
TITLE_LENGTH, BODY_LENGTH = 120, 600
DIED = "org.freedesktop.DBus.Error.NoReply"

OnUndo = Callable[[tuple[int, ...]], None]
OnShow = Callable[[Path], None]


class DBusNotifier:
    """Speaks over `bus`, the tray's own connection or one without a tray.

    `on_undo` gets the journal ids of the notice whose Undo was pressed, `on_show` what its Show
    button (or a click on it) is to reveal, each on a thread of its own. Notices go to `fallback`
    when there is no service. One that does not answer gets one notice and no more: what it was
    given may yet be shown, and must not be told twice.
    """

    def __init__(
        self,
        bus: SessionBus,
        picture: Image.Image,
        on_undo: OnUndo,
        fallback: Notifier,
        on_show: OnShow = lambda _: None,
    ) -> None:
        self._bus, self._fallback = bus, fallback
        self._on_undo, self._on_show = on_undo, on_show
        self._hints = {
            "desktop-entry": Variant("s", "beartray"),
            "image-data": Variant("(iiibiiay)", image_data(picture)),
        }
        # All of these belong to the bus's thread.
        self._backlog = Backlog()
        self._sending = False
        self._asked: float | None = None  # since when the service is to answer
        self._open: dict[int, Notice] = {}
        self._able: frozenset[str] | None = None
        self._listen()

    def show(self, notice: Notice) -> None:
        if self._bus.wait(0):
            self._fallback.show(notice)
        else:
            self._bus.spawn(lambda: self._take_in(notice))

    def close(self) -> None:
        """What was to be shown still is; the connection belongs to the desktop."""
        asked = self._asked
        waited = 0.0 if asked is None else time.monotonic() - asked
        if waited < FLUSH_SECONDS:  # one that hangs has had its time
            self._bus.flush(FLUSH_SECONDS - waited)
        self._fallback.close()

    def _listen(self) -> None:
        try:
            self._bus.on_signal(SERVER, "ActionInvoked", self._on_action)
            self._bus.on_signal(SERVER, "NotificationClosed", self._on_closed)
            self._bus.on_owner(SERVER.name, self._on_owner)
            self._bus.on_return(lambda: self._on_owner(""))
        except BusCallError as error:
            logger.warning("the buttons of notifications will not work: %s", error)

    async def _take_in(self, notice: Notice) -> None:
        self._backlog.put(notice)
        if self._sending:
            return
        self._sending = True
        try:
            while (following := self._backlog.take()) is not None:
                await self._send(following)
        finally:
            self._sending = False

    async def _send(self, notice: Notice) -> None:
        try:
            number = await self._notify(notice)
        except BusCallError as error:
            logger.info("a notice was not shown: %s", error)
            if error.name != "timeout":
                self._fallback.show(notice)
            return
        self._open.pop(number, None)
        # The newest last; of a backlog each undoes thousands of photos.
        self._open[number] = replace(notice, undo=array("q", notice.undo))
        while len(self._open) > REMEMBERED:
            del self._open[next(iter(self._open))]

    async def _notify(self, notice: Notice) -> int:
        """The number of the notification; raises `BusCallError`."""
        slow = asyncio.get_running_loop().call_later(
            SLOW_SECONDS, logger.warning, "the notification service does not answer; notices wait"
        )
        self._asked = time.monotonic()
        try:
            try:
                return await self._notify_once(notice)
            except BusCallError as error:
                if error.name != DIED:
                    raise
                # What it showed went with it; the bus may start another one.
                return await self._notify_once(notice)
        finally:
            slow.cancel()
            self._asked = None

    async def _notify_once(self, notice: Notice) -> int:
        if self._able is None:
            (able,) = await self._bus.method(SERVER, "GetCapabilities", timeout=ANSWER_SECONDS)
            self._able = frozenset(able)
        replaced = next((n for n, shown in self._open.items() if _repeats(notice, shown)), 0)
        body = notification(notice, self._able, self._hints, replaced)
        (number,) = await self._bus.method(SERVER, "Notify", "susssasa{sv}i", body, ANSWER_SECONDS)
        return int(number)

    def _on_action(self, body: list[Any]) -> None:
        number, action = body[0], body[1]
        notice = self._open.get(number)
        if notice is None:
            return  # every program on the bus hears of every button
        if action == UNDO and notice.undo:
            del self._open[number]  # once is enough
            self._bus.spawn(lambda: self._take_away(number))
            self._start(lambda: self._on_undo(tuple(notice.undo)), UNDO)
        elif action in (SHOW, CLICK) and (place := notice.show) is not None:
            self._start(lambda: self._on_show(place), SHOW)

    async def _take_away(self, number: int) -> None:
        """What it says is about to be untrue; some services leave it on the screen."""
        try:
            await self._bus.method(SERVER, "CloseNotification", "u", [number])
        except BusCallError as error:  # it is closed already
            logger.debug("notification %s: %s", number, error)

    def _start(self, act: Callable[[], None], name: str) -> None:
        def work() -> None:
            try:
                act()
            except Exception:
                logger.exception("%s from a notification failed", name)

        threading.Thread(target=work, name=name, daemon=True).start()

    def _on_closed(self, body: list[Any]) -> None:
        self._open.pop(body[0], None)

    def _on_owner(self, _: str) -> None:
        """Another service numbers anew and may be able to do other things."""
        self._open.clear()
        self._able = None


def _repeats(new: Notice, shown: Notice) -> bool:
    """Whether `new` may take the place of what is still shown.

    The same problem once more does, and so does the next answer to the same question. A photo
    never does: each has an Undo of its own.
    """
    if new.undo or shown.undo:
        return False
    same = (new.title, new.problem) == (shown.title, shown.problem)
    plain = not new.problem and new.show is None and shown.show is None
    return same and (plain or new.body == shown.body)


def notification(
    notice: Notice, able: frozenset[str], hints: dict[str, Variant], replaced: int = 0
) -> list[Any]:
    """The arguments of Notify, signature susssasa{sv}i, for a service with these capabilities."""
    title = shorten_end(harmless(notice.title), TITLE_LENGTH)
    text = shorten_end(harmless_lines(notice.body), BODY_LENGTH)
    if "body" not in able and text:
        title, text = f"{title}: {text}", ""
    if "body-markup" in able:
        text = html.escape(text, quote=False)  # a photo named <b> must not make text bold
    icon = "dialog-warning" if notice.problem else ""
    shown = {name: value for name, value in hints.items() if not (icon and name == "image-data")}
    actions = _actions(notice) if "actions" in able else []
    return [APP_NAME, replaced, icon, title, text, actions, shown, SERVERS_CHOICE]


def _actions(notice: Notice) -> list[str]:
    """Pairs of key and label, in the order in which they are drawn."""
    undo = [UNDO, "Undo"] if notice.undo else []
    show = [SHOW, "Show"] if notice.show else []
    return [*([CLICK, "Show"] if show else []), *undo, *show]


def harmless_lines(text: str) -> str:
    """`text` made harmless, with its own line breaks kept."""
    return "\n".join(harmless(line) for line in text.split("\n"))


def image_data(picture: Image.Image) -> list[Any]:
    """`picture` for the hint image-data: width, height, bytes a row, alpha, bits, channels."""
    rgba = picture.convert("RGBA")
    return [rgba.width, rgba.height, rgba.width * 4, True, 8, 4, rgba.tobytes()]
