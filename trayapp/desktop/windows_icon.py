"""The icon on Windows: pystray's, sharp at every scale, with notices, never in a logout's way.

Importable on Windows only.
"""

from __future__ import annotations

import ctypes
import io
import queue
import threading
from collections.abc import Callable
from ctypes import wintypes
from typing import Any

from PIL import Image
from pystray import _win32 as backend
from pystray._util import win32

from trayapp.desktop.icons import draw
from trayapp.desktop.view import TrayState

WM_NULL, WM_CLOSE = 0x0000, 0x0010
WM_QUERYENDSESSION, WM_ENDSESSION = 0x0011, 0x0016
WM_DPICHANGED = 0x02E0
LEFT_DOUBLE, LEFT_UP, RIGHT_UP, MIDDLE_UP = 0x0203, 0x0202, 0x0205, 0x0208
NOTICE_CLICKED = win32.WM_USER + 5  # NIN_BALLOONUSERCLICK
WM_NOTICE = win32.WM_USER + 12  # ours; pystray has 10 and 11
WARNING, RESPECT_QUIET_TIME = 0x02, 0x80  # NIIF_…
SMALL_ICON = 49  # SM_CXSMICON
ICON_FORMAT = 0x00030000  # the only version there has ever been
ICO_HEADER = 22  # bytes before the picture in an .ico that holds one
PER_MONITOR_AWARE = -4  # DPI_AWARENESS_CONTEXT_PER_MONITOR_AWARE_V2

user32: Any = ctypes.WinDLL("user32")  # type: ignore[attr-defined]
user32.CreateIconFromResourceEx.restype = wintypes.HICON
user32.FindWindowW.restype = wintypes.HWND
user32.FindWindowW.argtypes = (wintypes.LPCWSTR, wintypes.LPCWSTR)


def be_sharp() -> None:
    """Draw in the screen's own pixels; else Windows enlarges what it takes for a small screen.

    To be called before there is any window.
    """
    try:
        user32.SetProcessDpiAwarenessContext(wintypes.HANDLE(PER_MONITOR_AWARE))
    except AttributeError:  # before Windows 10 1703
        user32.SetProcessDPIAware()


def icon_size() -> int:
    """Pixels of an icon in the task bar, at the scale of the screen that it is on."""
    try:
        scale = user32.GetDpiForWindow(wintypes.HWND(user32.FindWindowW("Shell_TrayWnd", None)))
        size = user32.GetSystemMetricsForDpi(SMALL_ICON, scale) if scale else 0
    except AttributeError:  # before Windows 10 1607
        size = 0
    return int(size or user32.GetSystemMetrics(SMALL_ICON))


class Icon(backend.Icon):  # type: ignore[misc]
    """`put_away` is called at logout, before the process is ended; `secondary` by a middle click.

    Callbacks come on the thread of `run`, those of `notice` too.
    """

    def __init__(
        self,
        *args: Any,
        put_away: Callable[[], None],
        secondary: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._put_away, self._secondary = put_away, secondary
        self._menu_handle: Any = None
        self._icon_handle: Any = None
        self._drawing = threading.Lock()
        self._state: TrayState = "watching"
        self._second_click = False
        self._notices: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._notice_clicked: Callable[[], None] = lambda: None
        self._message_handlers |= {
            # What pystray does not know it answers with 0, which here means: do not log out.
            WM_QUERYENDSESSION: lambda *_: 1,
            WM_ENDSESSION: self._on_end_of_session,
            WM_CLOSE: self._on_stop,
            WM_DPICHANGED: self._on_display_change,
            WM_NOTICE: lambda *_: self._notices.get()(),
        }

    def show_state(self, state: TrayState) -> None:
        """Draw it for the task bar as it is now."""
        self._state = state
        self.icon = draw(state, icon_size())

    def notice(self, title: str, body: str, problem: bool, clicked: Callable[[], None]) -> None:
        """A notification at the icon: at most 63 and 255 UTF-16 units; a newer one takes its place.

        Only an icon that is visible can show it. Returns at once, from any thread, also while
        Explorer does not answer.
        """
        flags = RESPECT_QUIET_TIME | (WARNING if problem else 0)

        def show() -> None:
            self._notice_clicked = clicked
            self._message(
                win32.NIM_MODIFY, win32.NIF_INFO, szInfoTitle=title, szInfo=body, dwInfoFlags=flags
            )

        self._notices.put(show)
        win32.PostMessage(self._hwnd, WM_NOTICE, 0, 0)

    def _assert_icon_handle(self) -> None:
        """An icon of the very size that is shown; pystray's is one of 32 pixels, scaled down."""
        if self._icon_handle:
            return
        bits = icon_bits(self.icon)
        width, height = self.icon.size
        made = user32.CreateIconFromResourceEx(bits, len(bits), True, ICON_FORMAT, width, height, 0)
        self._icon_handle = wintypes.HICON(made)
        if not made:
            raise ctypes.WinError()  # type: ignore[attr-defined]

    def _update_icon(self) -> None:
        with self._drawing:  # the loop's thread redraws when the scale changes
            super()._update_icon()

    def _update_menu(self) -> None:
        """Nothing: it is made when it opens. One that is open must not be taken away."""

    def _on_notify(self, wparam: int, lparam: int) -> None:
        if lparam == LEFT_UP and self._second_click:
            self._second_click = False
        elif lparam == LEFT_DOUBLE:  # its first click has opened the folder already
            self._second_click = True
        elif lparam == MIDDLE_UP:
            self._secondary()
        elif lparam == NOTICE_CLICKED:
            self._notice_clicked()
        elif lparam == RIGHT_UP:
            super()._update_menu()
            super()._on_notify(wparam, lparam)
            # Else it may not open a second time:
            # https://learn.microsoft.com/windows/win32/api/winuser/nf-winuser-trackpopupmenu
            win32.PostMessage(self._hwnd, WM_NULL, 0, 0)
        else:
            super()._on_notify(wparam, lparam)

    def _on_display_change(self, wparam: int, lparam: int) -> None:  # noqa: ARG002
        self.show_state(self._state)

    def _on_taskbarcreated(self, wparam: int, lparam: int) -> None:
        """Explorer has started, again perhaps, and maybe at another scale."""
        self.show_state(self._state)
        super()._on_taskbarcreated(wparam, lparam)

    def _on_end_of_session(self, wparam: int, lparam: int) -> None:  # noqa: ARG002
        """Windows ends the process as soon as this has returned."""
        if wparam:  # else somebody said no: https://learn.microsoft.com/windows/win32/shutdown
            self._put_away()


def icon_bits(image: Image.Image) -> bytes:
    """The picture as an icon resource holds it, with its mask; no file, and sharp at any size."""
    ico = io.BytesIO()
    image.save(ico, "ICO", sizes=[image.size], bitmap_format="bmp")
    return ico.getvalue()[ICO_HEADER:]
