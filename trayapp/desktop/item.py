"""Shows an icon to Linux panels as freedesktop's StatusNotifierItem.

The names are those that KDE gave it (`org.kde.StatusNotifierItem.xml` in its KStatusNotifierItem):
every panel asks for these; the freedesktop page's own names were never taken up. The signatures
are KDE's too, which differ from that page. Annotations here are D-Bus signatures, so they are
evaluated: no `from __future__ import annotations` in this module.
"""

# ruff: noqa: N802, ARG002 -- names and parameters are those of the D-Bus interface

import html
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from dbus_fast import PropertyAccess
from dbus_fast.annotations import (
    DBusBool,
    DBusInt32,
    DBusObjectPath,
    DBusSignature,
    DBusStr,
    DBusUInt32,
)
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal
from PIL import Image

from trayapp.desktop.dbusmenu import PATH as MENU_PATH

READ = PropertyAccess.READ
PATH = "/StatusNotifierItem"
LOOKALIKES = str.maketrans("&<>", "＆‹›")

Pixmaps = Annotated[list[Any], DBusSignature("a(iiay)")]
ToolTips = Annotated[list[Any], DBusSignature("(sa(iiay)ss)")]


def pixmap(image: Image.Image) -> list[Any]:
    """A picture as `(width, height, bytes)`, ARGB32 in network byte order."""
    red, green, blue, alpha = image.convert("RGBA").split()
    return [*image.size, Image.merge("RGBA", (alpha, red, green, blue)).tobytes()]


def tooltip(text: str) -> tuple[str, str]:
    """The title and the body of a tooltip: the first line of `text`, and all others.

    The body is markup, as the specification says. Of the title it says nothing: Waybar takes it
    for markup, Plasma does not, and LXQt shows nothing else; so it gets letters that need no
    escaping.
    """
    title, _, body = text.partition("\n")
    return title.translate(LOOKALIKES), html.escape(body, quote=False)


@dataclass(frozen=True)
class Mouse:
    """What the mouse does to the icon; each is called on the loop.

    `scroll` gets a distance as the panel counts it (±1 or ±120 a notch; downwards and to the
    right are positive) and whether the wheel was turned sideways. `token` gets the permission to
    bring a window to the front that Wayland panels give before each of the others.
    """

    default: Callable[[], object]
    secondary: Callable[[], object]
    scroll: Callable[[int, bool], object]
    token: Callable[[str], object]


class Item(ServiceInterface):
    """The icon as panels see it."""

    def __init__(self, name: str, mouse: Mouse) -> None:
        super().__init__("org.kde.StatusNotifierItem")
        self.title = ""
        self.status = "Passive"
        self.pixmaps: list[Any] = []
        self._name = name
        self._mouse = mouse

    @dbus_property(READ)
    def Category(self) -> DBusStr:
        return "ApplicationStatus"

    @dbus_property(READ)
    def Id(self) -> DBusStr:
        return self._name

    @dbus_property(READ)
    def Title(self) -> DBusStr:
        return tooltip(self.title)[0]

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
        return self.pixmaps if self.status == "NeedsAttention" else []

    @dbus_property(READ)
    def AttentionMovieName(self) -> DBusStr:
        return ""

    @dbus_property(READ)
    def IconAccessibleDesc(self) -> DBusStr:
        """What screen readers say; GNOME asks for it."""
        return tooltip(self.title)[0]

    @dbus_property(READ)
    def AttentionAccessibleDesc(self) -> DBusStr:
        return tooltip(self.title)[0]

    @dbus_property(READ)
    def ToolTip(self) -> ToolTips:
        return ["", [], *tooltip(self.title)]

    @dbus_property(READ)
    def ItemIsMenu(self) -> DBusBool:
        return False

    @dbus_property(READ)
    def Menu(self) -> DBusObjectPath:
        return MENU_PATH

    @dbus_method()
    def Activate(self, x: DBusInt32, y: DBusInt32) -> None:
        self._mouse.default()

    @dbus_method()
    def SecondaryActivate(self, x: DBusInt32, y: DBusInt32) -> None:
        self._mouse.secondary()

    @dbus_method()
    def XAyatanaSecondaryActivate(self, timestamp: DBusUInt32) -> None:
        """GNOME's name for it."""
        self._mouse.secondary()

    @dbus_method()
    def ContextMenu(self, x: DBusInt32, y: DBusInt32) -> None:
        """Panels draw the exported menu themselves."""

    @dbus_method()
    def Scroll(self, delta: DBusInt32, orientation: DBusStr) -> None:
        self._mouse.scroll(delta, orientation.lower() == "horizontal")

    @dbus_method()
    def ProvideXdgActivationToken(self, token: DBusStr) -> None:
        self._mouse.token(token)

    @dbus_signal()
    def NewIcon(self) -> None:
        pass

    @dbus_signal()
    def NewAttentionIcon(self) -> None:
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
