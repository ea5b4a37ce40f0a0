"""The icon in the menu bar of macOS: pystray's, as a sharp template image, true to its menu.

Importable on macOS only. Everything here is for the main thread, but `stop`.
"""

from __future__ import annotations

import io
import signal
from collections.abc import Callable
from typing import Any

import AppKit
import Foundation
from PyObjCTools import AppHelper, MachSignals
from pystray import _darwin as backend

from trayapp.desktop.template import draw_template
from trayapp.desktop.view import TrayState

POINTS = 18  # of the menu bar's 22 or more, as Apple's own icons
SCALES = (1, 2)  # ordinary and Retina screens
KEPT = 1000  # menu items that may still be clicked; a menu that was just closed is the last but one


class Callbacks:
    """What each menu item does, by its tag. A tag is never given twice: a menu that is open while
    a new one is made still does what it says."""

    def __init__(self) -> None:
        self._next = 0
        self._kept: dict[int, Callable[[Any], None]] = {}

    def __len__(self) -> int:
        """The tag that `append` will give; pystray asks."""
        return self._next

    def __getitem__(self, tag: int) -> Callable[[Any], None]:
        return self._kept.get(tag, lambda _: None)

    def append(self, callback: Callable[[Any], None]) -> None:
        self._kept[self._next] = callback
        self._next += 1
        self._kept.pop(self._next - KEPT, None)


class Icon(backend.Icon):  # type: ignore[misc]
    """`put_away` is called at logout, before the process is ended."""

    def __init__(self, *args: Any, put_away: Callable[[], None], **options: Any) -> None:
        super().__init__(*args, **options)
        self._callbacks = Callbacks()
        self._icon_image: Any = None
        self._state: TrayState = "watching"
        self._menu_is_open = self._menu_is_stale = False
        told = {
            # At logout AppKit ends the process itself: `run` never returns.
            AppKit.NSApplicationWillTerminateNotification: lambda _: put_away(),
            AppKit.NSMenuDidBeginTrackingNotification: lambda _: self._on_menu(opened=True),
            AppKit.NSMenuDidEndTrackingNotification: lambda _: self._on_menu(opened=False),
        }
        centre = Foundation.NSNotificationCenter.defaultCenter()
        self._observers = [
            centre.addObserverForName_object_queue_usingBlock_(name, None, None, block)
            for name, block in told.items()
        ]

    def show_state(self, state: TrayState) -> None:
        self._state = state
        self.icon = draw_template(state, POINTS)

    def _run(self) -> None:
        heard: dict[int, Any] = {}

        def listen() -> None:
            """Python's own handlers wait for Python to run, which it does not in AppKit's loop.

            pystray's for Ctrl-C would end the process on the spot; ours comes after it.
            """
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                handler = signal.getsignal(number)
                if callable(handler):
                    heard[number] = MachSignals.signal(number, _as_mach_signal(handler))

        AppHelper.callAfter(listen)
        try:
            super()._run()
        finally:
            for number, before in heard.items():
                MachSignals.signal(number, before)

    def _stop(self) -> None:
        AppHelper.callAfter(super()._stop)

    def _assert_image(self) -> None:
        """One picture for each kind of screen; black where the menu bar puts its own colour."""
        if self._icon_image:
            return
        image = AppKit.NSImage.alloc().initWithSize_(AppKit.NSMakeSize(POINTS, POINTS))
        for scale in SCALES:
            png = io.BytesIO()
            draw_template(self._state, POINTS * scale).save(png, "PNG")
            data = Foundation.NSData.dataWithBytes_length_(png.getvalue(), len(png.getvalue()))
            picture = AppKit.NSBitmapImageRep.imageRepWithData_(data)
            picture.setSize_(AppKit.NSMakeSize(POINTS, POINTS))
            image.addRepresentation_(picture)
        image.setTemplate_(True)
        self._icon_image = image
        self._status_item.button().setImage_(image)

    def _on_menu(self, *, opened: bool) -> None:
        self._menu_is_open = opened
        if self._menu_is_stale and not opened:
            self._menu_is_stale = False
            AppHelper.callAfter(self._update_menu)  # after the click that closed it

    def _update_menu(self) -> None:
        if self._menu_is_open:
            self._menu_is_stale = True
            return
        menu = self._create_menu(self.menu, self._callbacks)
        self._status_item.setMenu_(menu)
        self._menu_handle = (menu, self._callbacks)


def _as_mach_signal(handler: Any) -> Callable[[int], None]:
    return lambda number: handler(number, None)
