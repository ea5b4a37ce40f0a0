"""Puts a pystray icon into Linux panels over D-Bus: a StatusNotifierItem with its menu.

No GTK and no X connection. It works with every panel that follows the specification: Plasma,
Xfce, LXQt, MATE, Cinnamon, Waybar, swaybar, and GNOME with its AppIndicator extension.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

from PIL import Image
from pystray import _base

from trayapp.desktop import item as items
from trayapp.desktop.bus import BusCallError, SessionBus
from trayapp.desktop.dbusmenu import PATH as MENU_PATH
from trayapp.desktop.dbusmenu import DBusMenu
from trayapp.desktop.item import Item, Mouse, pixmap
from trayapp.desktop.panels import WATCHER

logger = logging.getLogger(__name__)

REGISTER_SECONDS = (2.0, 4.0, 8.0, 16.0, 30.0)  # a minute in all
NOBODY = {
    "lost",
    "org.freedesktop.DBus.Error.ServiceUnknown",
    "org.freedesktop.DBus.Error.NameHasNoOwner",
}


def nothing(*_: object) -> None:
    """What a click does that nobody asked for."""


class Icon(_base.Icon):  # type: ignore[misc]
    """`pystray.Icon` over the session bus; `dbus_bus` is the connection, which it does not close.

    `run` ends with `stop`, or when the bus does: that is a logout.
    """

    def __init__(
        self,
        *args: Any,
        dbus_bus: SessionBus,
        secondary: Callable[[], object] = nothing,
        scroll: Callable[[int, bool], object] = nothing,
        token: Callable[[str], object] = nothing,
        **options: Any,
    ) -> None:
        """`secondary` is what a middle click does, `scroll` the wheel (see `Mouse`); both are
        called on a thread of their own. `token` is called at once."""
        super().__init__(*args, **options)
        self._bus = dbus_bus
        # Not an Event: `stop` may be called by a signal handler of the very thread that waits,
        # and only this queue is made for that.
        self._endings: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._images: tuple[Image.Image, ...] = ()
        self._attention = False
        self._registered = False
        mouse = Mouse(
            default=lambda: self._away_from_loop(self),
            secondary=lambda: self._away_from_loop(secondary),
            scroll=lambda delta, sideways: self._away_from_loop(lambda: scroll(delta, sideways)),
            token=token,
        )
        self._item = Item(self.name, mouse)
        self._item.title = self.title
        self._dbusmenu = DBusMenu(lambda: self.menu, self._clicked, dbus_bus.post)

    def show_images(self, images: Sequence[Image.Image], attention: bool = False) -> None:
        """Show one picture drawn in several sizes; the panel takes the one that fits.

        With `attention`, panels that hide icons show this one.
        """
        self._images = tuple(images)
        self._attention = attention
        self.icon = self._images[-1]
        if self.visible:
            self._show()

    def _clicked(self, item: Any) -> None:
        def click() -> None:
            if item.enabled:  # it may have been greyed out since the panel drew it
                self._handler(item)()

        self._away_from_loop(click)

    def _away_from_loop(self, function: Callable[[], object]) -> None:
        def run() -> None:
            try:
                function()
            except Exception:
                logger.exception("a tray callback failed")

        threading.Thread(target=run, name="tray click", daemon=True).start()

    async def _register(self) -> None:
        """Where there is no panel yet, the watcher's owner tells when there is one. One that is
        there but too busy to answer, or not ready, as both are at login, is asked again."""
        self._registered = False
        for patience in REGISTER_SECONDS:
            try:
                name = [self._bus.unique_name]
                await self._bus.method(WATCHER, "RegisterStatusNotifierItem", "s", name, patience)
                self._registered = True
                return
            except BusCallError as error:
                logger.info("no system tray answers yet: %s", error)
                if error.name in NOBODY:
                    return
                if error.name != "timeout":
                    await asyncio.sleep(patience)

    def _on_watcher(self, owner: str) -> None:
        if owner and self.visible:
            self._bus.spawn(self._register)

    def _on_host(self, _: list[Any]) -> None:
        """A panel has come to a watcher that had refused us: KDE's may be there long before."""
        if self.visible and not self._registered:
            self._bus.spawn(self._register)

    def _run(self) -> None:
        self._dbusmenu.update()
        with contextlib.suppress(BusCallError):  # a bus that has just ended ends the run below
            self._bus.export(MENU_PATH, self._dbusmenu)
            self._bus.export(items.PATH, self._item)
            self._bus.on_return(lambda: self._bus.spawn(self._register))
            self._bus.on_owner(WATCHER.name, self._on_watcher)
            self._bus.on_signal(WATCHER, "StatusNotifierHostRegistered", self._on_host)
        self._mark_ready()
        self._setup_thread.join(self.SETUP_THREAD_TIMEOUT)  # icon and status before the panel looks
        self._bus.spawn(self._register)
        self._wait_for_the_end()
        for path, interface in ((items.PATH, self._item), (MENU_PATH, self._dbusmenu)):
            self._bus.unexport(path, interface)

    def _wait_for_the_end(self) -> None:
        def lost() -> None:
            self._bus.wait()
            self._endings.put(None)

        threading.Thread(target=lost, name="session bus watch", daemon=True).start()
        self._endings.get()

    def _run_detached(self) -> None:
        threading.Thread(target=self._run, name="tray", daemon=True).start()

    def _stop(self) -> None:
        self._set_status("Passive")
        self._endings.put(None)

    def _set_status(self, status: str) -> None:
        def change() -> None:
            if self._item.status != status:
                self._item.status = status
                self._item.NewStatus(status)

        self._bus.post(change)

    def _show(self) -> None:
        self._set_status("NeedsAttention" if self._attention else "Active")

    def _hide(self) -> None:
        self._set_status("Passive")

    def _update_icon(self) -> None:
        own = any(self.icon is image for image in self._images)
        drawn = self._images if own else (self.icon,)
        pixmaps = [pixmap(image) for image in drawn]
        self._icon_valid = True

        def change() -> None:
            self._item.pixmaps = pixmaps
            self._item.NewIcon()
            self._item.NewAttentionIcon()

        self._bus.post(change)

    def _update_title(self) -> None:
        title = self.title

        def change() -> None:
            self._item.title = title
            self._item.NewTitle()
            self._item.NewToolTip()

        self._bus.post(change)

    def _update_menu(self) -> None:
        self._dbusmenu.update()
