"""Puts the parts of a Linux desktop together: one session bus for icon, notices and files."""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from trayapp.desktop import panels
from trayapp.desktop.autostart import login_environment
from trayapp.desktop.autostart_xdg import XdgAutostart
from trayapp.desktop.bus import BusCallError, NoSessionBusError, Peer, SessionBus, session_address
from trayapp.desktop.children import Children
from trayapp.desktop.control import ControlPaths
from trayapp.desktop.dialogs_linux import LinuxDialogs
from trayapp.desktop.dialogs_portal import Portal
from trayapp.desktop.dialogs_terminal import Terminal
from trayapp.desktop.icons import SIZES, draw
from trayapp.desktop.notify import LogNotifier, Manners, Notifier, plyer_notifier
from trayapp.desktop.notify_dbus import DBusNotifier
from trayapp.desktop.opener import LinuxOpener
from trayapp.desktop.parts import Desktop, NoTrayError, OnShow, OnUndo
from trayapp.desktop.screen import Screen, is_over
from trayapp.desktop.services import NO_BUS, notification_service, tray_host
from trayapp.desktop.tray import TrayKit
from trayapp.desktop.view import TrayState

logger = logging.getLogger(__name__)

TOOLTIP_LIMIT = 200
NOTICE_PICTURE = 64  # pixels
FILE_MANAGER = Peer(
    "org.freedesktop.FileManager1",
    "/org/freedesktop/FileManager1",
    "org.freedesktop.FileManager1",
)


class Session:
    """The session bus, connected when it is first needed: `beartray status` does without.

    `token` is the permission that a panel gave last to bring a window to the front (Wayland).
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.token = ""
        self._lock = threading.Lock()
        self._asked = False
        self._bus: SessionBus | None = None

    def bus(self) -> SessionBus | None:
        """The connection, or None where there is no session; asked once."""
        with self._lock:
            if not self._asked:
                self._asked = True
                self._bus = _connect(self._environ)
            return self._bus

    def close(self) -> None:
        """Hang up, if it was ever needed."""
        with self._lock:
            self._asked = True
            if self._bus is not None:
                self._bus.close()


def linux_desktop(environ: Mapping[str, str]) -> Desktop:
    """The desktop that `environ` tells of; there may be none, then it has no tray."""
    session = Session(environ)
    children = Children(environ)
    home = Path(environ.get("HOME") or Path.home())
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    desktops = environ.get("XDG_CURRENT_DESKTOP", "").split(":")
    screen = bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))

    choosers = (Portal(session.bus).choose, Terminal(children, environ).choose)

    def close() -> None:
        children.close()
        session.close()

    return Desktop(
        name="linux",
        autostart=XdgAutostart(config, desktops, login_environment(environ)),
        dialogs=LinuxDialogs(children, environ, choosers),
        opener=LinuxOpener(children, partial(_show_items, session), screen),
        kit=lambda: _kit(session, screen),
        why_no_tray=lambda seconds: _why_no_tray(session.bus(), screen, desktops, seconds),
        notifier=lambda on_undo, on_show: _notifier(session.bus(), screen, on_undo, on_show),
        control_paths=lambda private: ControlPaths.for_unix(
            private, environ, Path(tempfile.gettempdir())
        ),
        close=close,
        notification_service=lambda: notification_service(session.bus()),
        tray_host=lambda: tray_host(session.bus(), panels.WATCHER.name),
    )


def sni_kit(bus: SessionBus, token: Callable[[str], object]) -> TrayKit:
    """The icon over D-Bus; `token` gets what a Wayland panel gives before each click."""
    os.environ["PYSTRAY_BACKEND"] = "dummy"  # else importing pystray wants an X display, or GTK
    import pystray

    from trayapp.desktop.sni import Icon

    def paint(icon: Any, state: TrayState) -> None:
        icon.show_images([draw(state, size) for size in SIZES], attention=state == "problem")

    return TrayKit(
        module=pystray,
        make=partial(Icon, dbus_bus=bus, token=token),
        paint=paint,
        escape=str,  # the icon escapes underscores itself, as D-Bus menus want it
        on_main=lambda function: function(),
        tooltip_limit=TOOLTIP_LIMIT,
    )


def _connect(environ: Mapping[str, str]) -> SessionBus | None:
    address = session_address(environ)
    if address is None:
        return None
    screen = Screen.of(environ)
    try:
        return SessionBus(address, partial(is_over, screen))
    except NoSessionBusError as error:
        logger.warning("%s", error)
        return None


def _why_no_tray(
    bus: SessionBus | None, screen: bool, desktops: Sequence[str], seconds: float
) -> str | None:
    if bus is not None and panels.wait_for_panel(bus, seconds):
        return None
    if _appindicator(screen) is not None:
        return None
    return NO_BUS if bus is None else panels.remedy(desktops)


def _kit(session: Session, screen: bool) -> TrayKit:
    def keep(token: str) -> None:
        session.token = token

    bus = session.bus()
    if bus is not None and panels.has_panel(bus):
        return sni_kit(bus, keep)
    if (backend := _appindicator(screen)) is not None:
        return _appindicator_kit(backend)
    if bus is None:
        raise NoTrayError(NO_BUS)
    return sni_kit(bus, keep)  # shows itself as soon as a panel comes


def _appindicator(screen: bool) -> ModuleType | None:
    """pystray's own GTK icon, where there is a screen, and PyGObject and the library."""
    if not screen:
        return None  # importing GTK would complain, and even end the process
    os.environ["PYSTRAY_BACKEND"] = "dummy"
    try:
        importlib.import_module("gi")
        return importlib.import_module("pystray._appindicator")
    except (ImportError, ValueError):  # ValueError: gi is there, the library is not
        return None


def _appindicator_kit(backend: ModuleType) -> TrayKit:
    import pystray

    glib = importlib.import_module("gi.repository.GLib")

    def paint(icon: Any, state: TrayState) -> None:
        icon.icon = draw(state, SIZES[-1])

    return TrayKit(
        module=pystray,
        make=backend.Icon,
        paint=paint,
        escape=str,
        on_main=glib.idle_add,
        tooltip_limit=TOOLTIP_LIMIT,
    )


def _notifier(bus: SessionBus | None, screen: bool, on_undo: OnUndo, on_show: OnShow) -> Notifier:
    fallback: Notifier = LogNotifier()
    if screen:  # else notify-send would fail without a word
        fallback = plyer_notifier(Manners(markup=True, options=True), fallback)
    if bus is None:
        return fallback
    return DBusNotifier(bus, draw("watching", NOTICE_PICTURE), on_undo, fallback, on_show)


def _show_items(session: Session, *uris: str) -> bool:
    """Ask the file manager to select files; it may have to be started first."""
    if (bus := session.bus()) is None:
        return False
    try:
        bus.call(FILE_MANAGER, "ShowItems", "ass", [list(uris), session.token])
    except BusCallError as error:
        logger.info("no file manager answers on the session bus: %s", error)
        return False
    return True
