"""Puts a pystray icon into Linux panels over D-Bus: a StatusNotifierItem with its menu.

No GTK and no X connection. The interface is freedesktop's StatusNotifierItem as KDE, Xfce, LXQt
and GNOME's AppIndicator extension implement it. Annotations here are D-Bus signatures, so they
are evaluated: no `from __future__ import annotations` in this module.
"""

# ruff: noqa: ARG002 -- parameters are those of the D-Bus interface

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any

from dbus_fast import PropertyAccess
from dbus_fast.annotations import DBusBool, DBusInt32, DBusObjectPath, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal
from PIL import Image
from pystray import _base

from trayapp.desktop.bus import BusCallError, Peer, SessionBus
from trayapp.desktop.dbusmenu import PATH as MENU_PATH
from trayapp.desktop.dbusmenu import DBusMenu

logger = logging.getLogger(__name__)

READ = PropertyAccess.READ
REGISTER_TRIES, REGISTER_SECONDS = 30, 2.0  # a minute in all
ITEM_PATH = "/StatusNotifierItem"
WATCHER = Peer(
    "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher", "org.kde.StatusNotifierWatcher"
)

Pixmaps = Annotated[list[Any], DBusSignature("a(iiay)")]
ToolTips = Annotated[list[Any], DBusSignature("(sa(iiay)ss)")]


def pixmap(image: Image.Image) -> list[Any]:
    """A picture as `(width, height, bytes)`, ARGB32 in network byte order."""
    red, green, blue, alpha = image.convert("RGBA").split()
    return [*image.size, Image.merge("RGBA", (alpha, red, green, blue)).tobytes()]


class Item(ServiceInterface):
    """The icon as panels see it. `activate` runs the default action away from the loop."""

    def __init__(self, name: str, activate: Callable[[], None]) -> None:
        super().__init__("org.kde.StatusNotifierItem")
        self.title = ""
        self.status = "Passive"
        self.pixmaps: list[Any] = []
        self._name = name
        self._activate = activate

    @dbus_property(READ)
    def Category(self) -> DBusStr:
        return "ApplicationStatus"

    @dbus_property(READ)
    def Id(self) -> DBusStr:
        return self._name

    @dbus_property(READ)
    def Title(self) -> DBusStr:
        return self.title

    @dbus_property(READ)
    def Status(self) -> DBusStr:
        return self.status

    @dbus_property(READ)
    def WindowId(self) -> DBusInt32:
        return 0

    @dbus_property(READ)
    def IconThemePath(self) -> DBusStr:
        return ""

    @dbus_property(READ)
    def IconName(self) -> DBusStr:
        return ""

    @dbus_property(READ)
    def IconPixmap(self) -> Pixmaps:
        return self.pixmaps

    @dbus_property(READ)
    def OverlayIconName(self) -> DBusStr:
        return ""

    @dbus_property(READ)
    def OverlayIconPixmap(self) -> Pixmaps:
        return []

    @dbus_property(READ)
    def AttentionIconName(self) -> DBusStr:
        return ""

    @dbus_property(READ)
    def AttentionIconPixmap(self) -> Pixmaps:
        return []

    @dbus_property(READ)
    def AttentionMovieName(self) -> DBusStr:
        return ""

    @dbus_property(READ)
    def ToolTip(self) -> ToolTips:
        return ["", [], self.title, ""]

    @dbus_property(READ)
    def ItemIsMenu(self) -> DBusBool:
        return False

    @dbus_property(READ)
    def Menu(self) -> DBusObjectPath:
        return MENU_PATH

    @dbus_method()
    def Activate(self, x: DBusInt32, y: DBusInt32) -> None:
        self._activate()

    @dbus_method()
    def SecondaryActivate(self, x: DBusInt32, y: DBusInt32) -> None:
        """A middle click does nothing."""

    @dbus_method()
    def ContextMenu(self, x: DBusInt32, y: DBusInt32) -> None:
        """Panels draw the exported menu themselves."""

    @dbus_method()
    def Scroll(self, delta: DBusInt32, orientation: DBusStr) -> None:
        """The wheel does nothing."""

    @dbus_signal()
    def NewIcon(self) -> None:
        pass

    @dbus_signal()
    def NewTitle(self) -> None:
        pass

    @dbus_signal()
    def NewToolTip(self) -> None:
        pass

    @dbus_signal()
    def NewStatus(self, status: str) -> DBusStr:
        return status


class Icon(_base.Icon):  # type: ignore[misc]
    """`pystray.Icon` over the session bus; `dbus_bus` is the connection, which it does not close.

    `run` ends with `stop`, or when the bus does: that is a logout.
    """

    def __init__(self, *args: Any, dbus_bus: SessionBus, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bus = dbus_bus
        # Not an Event: `stop` may be called by a signal handler of the very thread that waits,
        # and only this queue is made for that.
        self._endings: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._images: tuple[Image.Image, ...] = ()
        self._item = Item(self.name, lambda: self._away_from_loop(self))
        self._item.title = self.title
        self._dbusmenu = DBusMenu(lambda: self.menu, self._clicked)

    def show_images(self, images: Sequence[Image.Image]) -> None:
        """Show one picture drawn in several sizes; the panel takes the one that fits."""
        self._images = tuple(images)
        self.icon = self._images[-1]

    def _clicked(self, item: Any) -> None:
        self._away_from_loop(lambda: self._handler(item)())

    def _away_from_loop(self, function: Callable[[], object]) -> None:
        def run() -> None:
            try:
                function()
            except Exception:
                logger.exception("a tray callback failed")

        threading.Thread(target=run, name="tray click", daemon=True).start()

    async def _register(self) -> None:
        """Where there is no panel yet, the watcher's owner tells when there is one; one that is
        there but too busy to answer, as at login, is asked again."""
        for _ in range(REGISTER_TRIES):
            try:
                await self._bus.method(
                    WATCHER,
                    "RegisterStatusNotifierItem",
                    "s",
                    [self._bus.unique_name],
                    REGISTER_SECONDS,
                )
                return
            except BusCallError as error:
                logger.info("no system tray answers yet: %s", error)
                if error.name != "timeout":
                    return

    def _on_watcher(self, owner: str) -> None:
        if owner and self.visible:
            self._bus.spawn(self._register)

    def _run(self) -> None:
        self._dbusmenu.rebuild()
        with contextlib.suppress(BusCallError):  # a bus that has just ended ends the run below
            self._bus.export(MENU_PATH, self._dbusmenu)
            self._bus.export(ITEM_PATH, self._item)
            self._bus.on_owner(WATCHER.name, self._on_watcher)
        self._mark_ready()
        self._setup_thread.join(self.SETUP_THREAD_TIMEOUT)  # icon and status before the panel looks
        self._bus.spawn(self._register)
        self._wait_for_the_end()
        for path, interface in ((ITEM_PATH, self._item), (MENU_PATH, self._dbusmenu)):
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
            self._item.status = status
            self._item.NewStatus(status)

        self._bus.post(change)

    def _show(self) -> None:
        self._set_status("Active")

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

        self._bus.post(change)

    def _update_title(self) -> None:
        title = self.title

        def change() -> None:
            self._item.title = title
            self._item.NewTitle()
            self._item.NewToolTip()

        self._bus.post(change)

    def _update_menu(self) -> None:
        self._bus.post(self._dbusmenu.refresh)
