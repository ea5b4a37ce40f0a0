"""Puts the parts of a macOS desktop together."""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trayapp.desktop.autostart import login_environment
from trayapp.desktop.autostart_macos import LaunchAgent
from trayapp.desktop.children import Children
from trayapp.desktop.control import ControlPaths
from trayapp.desktop.dialogs_macos import MacDialogs
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
from trayapp.desktop.view import TrayState

TOOLTIP_LIMIT = 200
ACCESSORY = 1  # NSApplicationActivationPolicyAccessory: no Dock icon, no menu of its own


def macos_desktop(environ: Mapping[str, str]) -> Desktop:
    """The desktop of the user who is logged in."""
    children = Children(environ)
    home = Path(environ.get("HOME") or Path.home())
    at_logout: list[Callable[[], None]] = []
    return Desktop(
        name="macos",
        autostart=LaunchAgent(
            home / "Library", login_environment(environ), partial(_launchctl, children), os.getuid()
        ),
        dialogs=MacDialogs(children),
        opener=MacOpener(children),
        kit=lambda: _kit(at_logout),
        why_no_tray=lambda _: None,
        notifier=lambda *_: _notifier(children),
        control_paths=lambda private: ControlPaths.for_unix(
            private, environ, Path(tempfile.gettempdir())
        ),
        close=children.close,
        at_logout=at_logout.append,
    )


def _launchctl(children: Children, arguments: Sequence[str]) -> str:
    try:
        answer = children.ask(["launchctl", *arguments])
    except OSError:
        return ""
    return answer.output if answer.status == 0 else ""


def macos_kit(
    pystray: Any, make: Callable[..., Any], on_main: Callable[[Callable[[], None]], None]
) -> TrayKit:
    """Menus are made with `pystray`, icons by `make`; AppKit bears its main thread only."""

    def paint(icon: Any, state: TrayState) -> None:
        icon.show_state(state)

    return TrayKit(
        module=pystray,
        make=make,
        paint=paint,
        escape=str,
        on_main=on_main,
        tooltip_limit=TOOLTIP_LIMIT,
    )


def _kit(at_logout: Sequence[Callable[[], None]]) -> TrayKit:
    appkit = importlib.import_module("AppKit")
    helper = importlib.import_module("PyObjCTools.AppHelper")
    icons = importlib.import_module("trayapp.desktop.macos_icon")  # only macOS has its parts
    appkit.NSApplication.sharedApplication().setActivationPolicy_(ACCESSORY)

    def put_away() -> None:
        for each in at_logout:
            each()

    make = partial(icons.Icon, put_away=put_away)
    return macos_kit(importlib.import_module("pystray"), make, helper.callAfter)


def _notifier(children: Children) -> Notifier:
    if importlib.util.find_spec("pyobjus"):
        return plyer_notifier(Manners(), LogNotifier())
    return osascript_notifier(children, LogNotifier())
