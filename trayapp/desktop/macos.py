"""Puts the parts of a macOS desktop together."""

from __future__ import annotations

import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trayapp.desktop.autostart import login_environment
from trayapp.desktop.autostart_macos import LaunchAgent
from trayapp.desktop.children import Children, clean_environment
from trayapp.desktop.control import ControlPaths
from trayapp.desktop.dialogs import MacDialogs
from trayapp.desktop.icons import draw
from trayapp.desktop.menu import TrayState
from trayapp.desktop.notify import (
    LogNotifier,
    Manners,
    Notifier,
    osascript_notifier,
    plyer_notifier,
)
from trayapp.desktop.opener import MacOpener
from trayapp.desktop.parts import Desktop
from trayapp.desktop.tray import TrayKit

TOOLTIP_LIMIT = 200
ICON_SIZE = 64  # pixels; pystray scales it to the menu bar
ACCESSORY = 1  # NSApplicationActivationPolicyAccessory: no Dock icon, no menu of its own


def macos_desktop(environ: Mapping[str, str], frozen: bool) -> Desktop:
    """The desktop of the user who is logged in."""
    children = Children(clean_environment(environ, frozen))
    home = Path(environ.get("HOME") or Path.home())
    return Desktop(
        name="macos",
        autostart=LaunchAgent(home / "Library", login_environment(environ)),
        dialogs=MacDialogs(children),
        opener=MacOpener(children),
        kit=_kit,
        why_no_tray=lambda _: None,
        notifier=lambda _: _notifier(children),
        control_paths=lambda private: ControlPaths.for_unix(
            private, environ, Path(tempfile.gettempdir())
        ),
        close=children.close,
    )


def macos_kit(pystray: Any, on_main: Callable[[Callable[[], None]], None]) -> TrayKit:
    """pystray's own icon; AppKit may be touched on the main thread only."""

    def paint(icon: Any, state: TrayState) -> None:
        icon.icon = draw(state, ICON_SIZE)

    return TrayKit(
        module=pystray,
        make=pystray.Icon,
        paint=paint,
        escape=str,
        on_main=on_main,
        tooltip_limit=TOOLTIP_LIMIT,
    )


def _kit() -> TrayKit:
    appkit = importlib.import_module("AppKit")
    helper = importlib.import_module("PyObjCTools.AppHelper")
    appkit.NSApplication.sharedApplication().setActivationPolicy_(ACCESSORY)
    return macos_kit(importlib.import_module("pystray"), helper.callAfter)


def _notifier(children: Children) -> Notifier:
    if importlib.util.find_spec("pyobjus"):
        return plyer_notifier(Manners(), LogNotifier())
    return osascript_notifier(children, LogNotifier())
