"""Puts the parts of a Windows desktop together."""

from __future__ import annotations

import ctypes
import importlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trayapp.desktop.autostart import login_environment
from trayapp.desktop.autostart_windows import WindowsAutostart
from trayapp.desktop.children import Children
from trayapp.desktop.control import ControlPaths
from trayapp.desktop.dialogs_windows import WindowsDialogs
from trayapp.desktop.notify import LogNotifier, Manners, Notifier, plyer_notifier
from trayapp.desktop.opener import WindowsOpener
from trayapp.desktop.parts import Desktop, OnShow
from trayapp.desktop.tray import TrayKit
from trayapp.desktop.view import TrayState
from trayapp.tell import Notice

TOOLTIP_LIMIT = 127  # NOTIFYICONDATAW.szTip has 128 with the end mark
NO_CONSOLE = 0x08000000  # CREATE_NO_WINDOW


@dataclass
class Shared:
    """What the icon has to do with the rest: notices come up at it, a logout is told to it."""

    icon: Any = None
    put_away: Callable[[], None] = lambda: None

    def at_logout(self, put_away: Callable[[], None]) -> None:
        self.put_away = put_away


class IconNotifier:
    """Notices at the tray's own icon, where a click shows the photo; `elsewhere` without an icon.

    One of plyer's would be a second icon for a while, whose window answers nobody meanwhile.
    """

    def __init__(self, shared: Shared, elsewhere: Notifier, on_show: OnShow) -> None:
        self._shared, self._elsewhere, self._on_show = shared, elsewhere, on_show
        self._manners = Manners()

    def show(self, notice: Notice) -> None:
        icon = self._shared.icon
        if icon is None or not icon.visible:
            self._elsewhere.show(notice)
            return
        title, body = self._manners.title(notice.title), self._manners.body(notice.body)
        icon.notice(title, body, notice.problem, lambda: self._reveal(notice))

    def close(self) -> None:
        self._elsewhere.close()

    def _reveal(self, notice: Notice) -> None:
        """On a thread of its own: the icon must not wait for a file manager."""
        if notice.show is not None:
            threading.Thread(
                target=self._on_show, args=(notice.show,), name="show", daemon=True
            ).start()


def windows_desktop(environ: Mapping[str, str]) -> Desktop:
    """The desktop of the user who is logged in."""
    children = Children(environ, NO_CONSOLE)
    user32: Any = ctypes.windll.user32  # type: ignore[attr-defined]
    startfile: Any = os.startfile  # type: ignore[attr-defined]
    registry = importlib.import_module("winreg")
    shared = Shared()
    return Desktop(
        name="windows",
        autostart=WindowsAutostart(registry, login_environment(environ)),
        dialogs=WindowsDialogs(children, user32.MessageBoxW),
        opener=WindowsOpener(children, startfile),
        kit=lambda: _kit(shared),
        why_no_tray=lambda _: None,
        notifier=lambda _, on_show: IconNotifier(
            shared, plyer_notifier(Manners(), LogNotifier()), on_show
        ),
        control_paths=ControlPaths.for_windows,
        close=children.close,
        at_logout=shared.at_logout,
    )


def windows_kit(pystray: Any, make: Callable[..., Any]) -> TrayKit:
    """Menus are made with `pystray`, icons by `make`."""

    def paint(icon: Any, state: TrayState) -> None:
        icon.show_state(state)

    return TrayKit(
        module=pystray,
        make=make,
        paint=paint,
        escape=lambda text: text.replace("&", "&&"),  # one ampersand underlines the next letter
        on_main=lambda function: function(),
        tooltip_limit=TOOLTIP_LIMIT,
    )


def _kit(shared: Shared) -> TrayKit:
    icons = importlib.import_module("trayapp.desktop.windows_icon")  # only Windows has its parts
    icons.be_sharp()

    def make(*args: Any, **options: Any) -> Any:
        shared.icon = icons.Icon(*args, put_away=lambda: shared.put_away(), **options)
        return shared.icon

    return windows_kit(importlib.import_module("pystray"), make)
