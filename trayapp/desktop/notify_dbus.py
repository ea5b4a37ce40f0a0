"""Shows notices through the Linux notification service, with an Undo button that works."""

from __future__ import annotations

import html
import logging
import threading
from collections.abc import Callable
from typing import Any

from dbus_fast import Variant
from PIL import Image

from trayapp.desktop.bus import BusCallError, Peer, SessionBus
from trayapp.desktop.notify import APP_NAME, Notifier
from trayapp.desktop.words import harmless
from trayapp.tell import Notice

logger = logging.getLogger(__name__)

# https://specifications.freedesktop.org/notification-spec/latest/
SERVER = Peer(
    "org.freedesktop.Notifications",
    "/org/freedesktop/Notifications",
    "org.freedesktop.Notifications",
)
UNDO = "undo"
FLUSH_SECONDS = 0.5  # a logout must not wait for a service that is gone
REMEMBERED = 50  # notifications whose Undo button still works
SERVERS_CHOICE = -1  # milliseconds: how long a notification stays


class DBusNotifier:
    """Speaks over `bus`, the tray's own connection or one without a tray.

    `on_undo` gets the journal ids of the notice whose Undo was pressed, on a thread of its own.
    Notices go to `fallback` when no service answers.
    """

    def __init__(
        self,
        bus: SessionBus,
        picture: Image.Image,
        on_undo: Callable[[tuple[int, ...]], None],
        fallback: Notifier,
    ) -> None:
        self._bus, self._on_undo, self._fallback = bus, on_undo, fallback
        self._hints = {
            "desktop-entry": Variant("s", "beartray"),
            "image-data": Variant("(iiibiiay)", image_data(picture)),
        }
        self._undo: dict[int, tuple[int, ...]] = {}
        self._able: frozenset[str] | None = None
        self._listen()

    def show(self, notice: Notice) -> None:
        if self._bus.wait(0):
            self._fallback.show(notice)
        else:
            self._bus.spawn(lambda: self._send(notice))

    def close(self) -> None:
        """What was to be shown still is; the connection belongs to the desktop."""
        self._bus.flush(FLUSH_SECONDS)
        self._fallback.close()

    def _listen(self) -> None:
        try:
            self._bus.on_signal(SERVER, "ActionInvoked", self._on_action)
            self._bus.on_signal(SERVER, "NotificationClosed", self._on_closed)
            self._bus.on_owner(SERVER.name, self._on_owner)
        except BusCallError as error:
            logger.warning("Undo in notifications will not work: %s", error)

    async def _send(self, notice: Notice) -> None:
        try:
            if self._able is None:
                (able,) = await self._bus.method(SERVER, "GetCapabilities")
                self._able = frozenset(able)
            body = notification(notice, self._able, self._hints)
            (number,) = await self._bus.method(SERVER, "Notify", "susssasa{sv}i", body)
        except BusCallError as error:
            logger.info("no notification service answers: %s", error)
            self._fallback.show(notice)
            return
        if notice.undo:
            self._undo[number] = notice.undo
            while len(self._undo) > REMEMBERED:
                del self._undo[next(iter(self._undo))]

    def _on_action(self, body: list[Any]) -> None:
        number, action = body[0], body[1]
        undo = self._undo.pop(number, None)
        if undo is None:
            return  # every program on the bus hears of every button
        if action != UNDO:
            self._undo[number] = undo
            return
        self._bus.spawn(lambda: self._take_away(number))
        threading.Thread(target=self._take_back, args=(undo,), name="undo", daemon=True).start()

    async def _take_away(self, number: int) -> None:
        """What it says is about to be untrue; some services leave it on the screen."""
        try:
            await self._bus.method(SERVER, "CloseNotification", "u", [number])
        except BusCallError as error:  # it is closed already
            logger.debug("notification %s: %s", number, error)

    def _take_back(self, undo: tuple[int, ...]) -> None:
        try:
            self._on_undo(undo)
        except Exception:
            logger.exception("Undo from a notification failed")

    def _on_closed(self, body: list[Any]) -> None:
        self._undo.pop(body[0], None)

    def _on_owner(self, _: str) -> None:
        """Another service numbers anew and may be able to do other things."""
        self._undo.clear()
        self._able = None


def notification(notice: Notice, able: frozenset[str], hints: dict[str, Variant]) -> list[Any]:
    """The arguments of Notify, signature susssasa{sv}i, for a service with these capabilities."""
    title, text = harmless(notice.title), harmless_lines(notice.body)
    if "body" not in able and text:
        title, text = f"{title}: {text}", ""
    if "body-markup" in able:
        text = html.escape(text, quote=False)  # a photo named <b> must not make text bold
    actions = [UNDO, "Undo"] if notice.undo and "actions" in able else []
    icon = "dialog-warning" if notice.problem else ""
    shown = {name: value for name, value in hints.items() if not (icon and name == "image-data")}
    return [APP_NAME, 0, icon, title, text, actions, shown, SERVERS_CHOICE]


def harmless_lines(text: str) -> str:
    """`text` made harmless, with its own line breaks kept."""
    return "\n".join(harmless(line) for line in text.split("\n"))


def image_data(picture: Image.Image) -> list[Any]:
    """`picture` for the hint image-data: width, height, bytes a row, alpha, bits, channels."""
    rgba = picture.convert("RGBA")
    return [rgba.width, rgba.height, rgba.width * 4, True, 8, 4, rgba.tobytes()]
