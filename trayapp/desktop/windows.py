"""Puts the parts of a Windows desktop together."""

from __future__ import annotations

import ctypes
import importlib
import os
from collections.abc import Mapping
from typing import Any

from trayapp.desktop.autostart import login_environment
from trayapp.desktop.autostart_windows import WindowsAutostart
from trayapp.desktop.children import Children, clean_environment
from trayapp.desktop.control import ControlPaths
from trayapp.desktop.dialogs import WindowsDialogs
from trayapp.desktop.icons import draw
from trayapp.desktop.menu import TrayState
from trayapp.desktop.notify import LogNotifier, Manners, plyer_notifier
from trayapp.desktop.opener import WindowsOpener
from trayapp.desktop.parts import Desktop
from trayapp.desktop.tray import TrayKit

TOOLTIP_LIMIT = 127  # NOTIFYICONDATAW.szTip has 128 with the end mark
ICON_SIZE = 64  # pixels; saved as .ico it holds the smaller sizes too
RIGHT_BUTTON_UP = 0x0205
NO_CONSOLE = 0x08000000  # CREATE_NO_WINDOW


def windows_desktop(environ: Mapping[str, str], frozen: bool) -> Desktop:
    """The desktop of the user who is logged in."""
    children = Children(clean_environment(environ, frozen), NO_CONSOLE)
    user32: Any = ctypes.windll.user32  # type: ignore[attr-defined]
    startfile: Any = os.startfile  # type: ignore[attr-defined]
    registry = importlib.import_module("winreg")
    return Desktop(
        name="windows",
        autostart=WindowsAutostart(registry, login_environment(environ)),
        dialogs=WindowsDialogs(children, user32.MessageBoxW),
        opener=WindowsOpener(children, startfile),
        kit=lambda: windows_kit(importlib.import_module("pystray")),
        why_no_tray=lambda _: None,
        notifier=lambda _: plyer_notifier(Manners(), LogNotifier()),
        control_paths=ControlPaths.for_windows,
        close=children.close,
    )


def windows_kit(pystray: Any) -> TrayKit:
    """pystray's own icon, with its menu brought up to date whenever it is opened."""

    class Icon(pystray.Icon):  # type: ignore[misc]
        def _on_notify(self, wparam: int, lparam: int) -> Any:
            if lparam == RIGHT_BUTTON_UP:
                self._update_menu()
            return super()._on_notify(wparam, lparam)

    def paint(icon: Any, state: TrayState) -> None:
        icon.icon = draw(state, ICON_SIZE)

    return TrayKit(
        module=pystray,
        make=Icon,
        paint=paint,
        escape=lambda text: text.replace("&", "&&"),  # one ampersand underlines the next letter
        on_main=lambda function: function(),
        tooltip_limit=TOOLTIP_LIMIT,
    )
