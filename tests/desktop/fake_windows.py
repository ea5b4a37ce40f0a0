"""As much of Windows as a tray icon meets: windows and messages, Explorer's task bar, the registry.

pystray's own backend for Windows runs on it, with real ctypes structures.
"""

# ruff: noqa: N802 -- the names are those of the Windows API

from __future__ import annotations

import ctypes
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests import helpers

QUIT = 0x0012
QUERY_END_SESSION = 0x0011
ADD, MODIFY, DELETE = 0, 1, 2
MESSAGE, ICON, TIP, INFO = 1, 2, 4, 0x10
EVENT = 0x400 + 11  # pystray's message for what happens at the icon
EXPLORER_STARTED = 0xC001
MODULES = ("pystray._win32", "pystray._util.win32", "trayapp.desktop.windows_icon")


class Function:
    """A function of a DLL: takes its arguments as ctypes would, or raises as ctypes would."""

    def __init__(self, name: str, does: Callable[..., Any]) -> None:
        self.name, self._does = name, does
        self.argtypes: tuple[Any, ...] | None = None
        self.restype: Any = None
        self.errcheck: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self.argtypes:
            assert len(arguments) == len(self.argtypes), self.name
            for kind, argument in zip(self.argtypes, arguments, strict=True):
                kind.from_param(argument)
        result = self._does(*(_plain(argument) for argument in arguments))
        return self.errcheck(result, self, arguments) if self.errcheck else result


def _plain(argument: Any) -> Any:
    referred = getattr(argument, "_obj", argument)  # what byref points to
    return referred.value if isinstance(referred, ctypes._SimpleCData) else referred


@dataclass
class Message:
    """One in the queue; a message that was sent, not posted, waits for its answer."""

    window: int
    number: int
    wparam: int = 0
    lparam: int = 0
    answer: queue.SimpleQueue[int] = field(default_factory=queue.SimpleQueue)


@dataclass
class MenuItem:
    """A line of a native menu."""

    id: int
    text: str | None
    state: int
    submenu: int | None


class Windows:
    """The system. `in_tray` is what the task bar shows, `balloons` what it has told."""

    def __init__(self) -> None:
        self.dpi = 96
        self.aware = False
        self.lacks: set[str] = set()  # functions that an older Windows does not have
        self.opened: list[str] = []  # in Explorer
        self.in_tray: Any = None
        self.balloons: list[tuple[str, str, int]] = []
        self.icons: dict[int, tuple[bytes, int]] = {}
        self.menus: dict[int, list[MenuItem]] = {}
        self.menu_is_open = threading.Event()
        self.choices: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.procedures: dict[int, Any] = {}  # of the windows that there are
        self._classes: dict[int, Any] = {}
        self._queue: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._handles = iter(range(0x1000, 0x100000))

    def dll(self, name: str) -> Any:
        """`ctypes.WinDLL(name)`."""
        names = {"shell32": ["Shell_NotifyIconW"], "kernel32": ["GetModuleHandleW"]}
        wanted = names.get(name, USER32)
        found = {one: Function(one, getattr(self, one)) for one in wanted if one not in self.lacks}
        return SimpleNamespace(**found)

    # What a person or the system does

    def send(self, number: int, wparam: int = 0, lparam: int = 0) -> int:
        """Send a message to all windows and wait, as the system does; the first one's answer."""
        sent = [Message(window, number, wparam, lparam) for window in self.procedures]
        for message in sent:
            self._queue.put(message)
        first, *_ = [message.answer.get(timeout=10) for message in sent]
        return first

    def at_icon(self, event: int) -> None:
        """A mouse button at the icon: Explorer posts, and does not wait."""
        assert self.in_tray is not None
        self._queue.put(Message(self.in_tray.hWnd, self.in_tray.uCallbackMessage, 0, event))

    def restart_explorer(self) -> None:
        self.in_tray = None
        self.send(EXPLORER_STARTED)

    def picture(self) -> tuple[bytes, int]:
        """The bits and the side of the icon in the task bar."""
        return self.icons[self.in_tray.hIcon]

    def lines(self) -> list[MenuItem]:
        """The lines of the menu that is open, those of submenus among them."""
        assert self.menu_is_open.wait(10)
        (top,) = set(self.menus) - {item.submenu for menu in self.menus.values() for item in menu}
        return list(self._flat(top))

    def _flat(self, menu: int) -> Iterator[MenuItem]:
        for item in self.menus[menu]:
            yield item
            if item.submenu:
                yield from self._flat(item.submenu)

    # user32

    def SetProcessDpiAwarenessContext(self, context: int) -> bool:
        assert context == ctypes.c_void_p(-4).value and not self.procedures
        self.aware = True
        return True

    def FindWindowW(self, name: str, title: None) -> int:
        return 0xBAD if name == "Shell_TrayWnd" else 0

    def GetDpiForWindow(self, window: int) -> int:
        return self.dpi if window == 0xBAD and self.aware else 0

    def GetSystemMetricsForDpi(self, metric: int, dpi: int) -> int:
        assert metric == 49
        return 16 * dpi // 96

    def GetSystemMetrics(self, metric: int) -> int:
        assert metric == 49
        return 16

    def CreateIconFromResourceEx(
        self, bits: bytes, length: int, icon: bool, version: int, wide: int, high: int, flags: int
    ) -> int:
        assert icon and version == 0x30000 and len(bits) == length and wide == high
        size, width, height, planes, depth = (
            int.from_bytes(bits[a:b], "little")
            for a, b in ((0, 4), (4, 8), (8, 12), (12, 14), (14, 16))
        )
        assert (size, width, height, planes, depth) == (40, wide, 2 * high, 1, 32)
        handle = next(self._handles)
        self.icons[handle] = bits, wide
        return handle

    def DestroyIcon(self, handle: int) -> bool:
        return self.icons.pop(handle, None) is not None

    def RegisterClassExW(self, kind: Any) -> int:
        atom = next(self._handles)
        self._classes[atom] = kind.lpfnWndProc
        return atom

    def UnregisterClassW(self, atom: int, module: int) -> bool:
        return self._classes.pop(atom, None) is not None

    def RegisterWindowMessageW(self, name: str) -> int:
        assert name == "TaskbarCreated"
        return EXPLORER_STARTED

    def CreateWindowExW(self, style: int, atom: int, *rest: Any) -> int:
        window = next(self._handles)
        self.procedures[window] = self._classes[atom]
        return window

    def DestroyWindow(self, window: int) -> bool:
        return self.procedures.pop(window, None) is not None

    def ChangeWindowMessageFilterEx(self, *arguments: Any) -> bool:
        return True

    def DefWindowProcW(self, window: int, number: int, wparam: int, lparam: int) -> int:
        return int(number == QUERY_END_SESSION)

    def PeekMessageW(self, *arguments: Any) -> bool:
        return False

    def PostMessageW(self, window: int, number: int, wparam: int, lparam: int) -> bool:
        self._queue.put(Message(window, number, wparam, lparam))
        return True

    def PostQuitMessage(self, status: int) -> None:
        self._queue.put(Message(0, QUIT))

    def GetMessageW(self, into: Any, *arguments: Any) -> int:
        self._current = self._queue.get()
        into.hWnd, into.message = self._current.window, self._current.number
        into.wParam, into.lParam = self._current.wparam, self._current.lparam
        return int(self._current.number != QUIT)

    def TranslateMessage(self, message: Any) -> bool:
        return False

    def DispatchMessageW(self, message: Any) -> None:
        current = self._current
        if procedure := self.procedures.get(message.hWnd):
            answer = procedure(message.hWnd, message.message, message.wParam, message.lParam)
            current.answer.put(answer)
        else:
            current.answer.put(0)

    def SetForegroundWindow(self, window: int) -> bool:
        return True

    def GetCursorPos(self, into: Any) -> bool:
        into.x, into.y = 1900, 1060
        return True

    def CreatePopupMenu(self) -> int:
        handle = next(self._handles)
        self.menus[handle] = []
        return handle

    def InsertMenuItemW(self, menu: int, place: int, by_place: bool, item: Any) -> bool:
        line = MenuItem(item.wID, item.dwTypeData, item.fState, item.hSubMenu)
        self.menus[menu].insert(place, line)
        return True

    def DestroyMenu(self, menu: int) -> bool:
        assert not self.menu_is_open.is_set(), "a menu that is open was taken away"
        for item in self.menus.pop(menu):
            if item.submenu:
                self.DestroyMenu(item.submenu)
        return True

    def TrackPopupMenuEx(self, menu: int, flags: int, x: int, y: int, *rest: Any) -> int:
        """Open until the person has chosen a line by its text, or none."""
        self.menu_is_open.set()
        chosen = self.choices.get()
        self.menu_is_open.clear()
        ids = {item.text: item.id for item in self._flat(menu)}
        return next((ids[text] for text in ids if chosen and text and text.startswith(chosen)), 0)

    def SetProcessDPIAware(self) -> bool:
        self.aware = True
        return True

    def LoadImageW(self, *arguments: Any) -> int:
        raise AssertionError("an icon of 32 pixels, from a file")

    def MessageBoxW(self, *arguments: Any) -> int:
        return 2

    # shell32 and kernel32

    def Shell_NotifyIconW(self, code: int, data: Any) -> bool:
        for name, units in (("szTip", 128), ("szInfo", 256), ("szInfoTitle", 64)):
            assert len(getattr(data, name).encode("utf-16-le")) // 2 < units, name
        if (self.in_tray is None) is not (code == ADD):
            return False
        if code == DELETE:
            self.in_tray = None
        elif code == ADD:
            self.in_tray = SimpleNamespace(hWnd=data.hWnd, uCallbackMessage=data.uCallbackMessage)
        if data.uFlags & ICON:
            self.in_tray.hIcon = data.hIcon
        if data.uFlags & TIP:
            self.in_tray.szTip = data.szTip
        if data.uFlags & INFO:
            self.balloons.append((data.szInfoTitle, data.szInfo, data.dwInfoFlags))
        return True

    def GetModuleHandleW(self, name: None) -> int:
        return 0x400000


USER32 = [
    "SetProcessDpiAwarenessContext",
    "FindWindowW",
    "GetDpiForWindow",
    "GetSystemMetricsForDpi",
    "GetSystemMetrics",
    "CreateIconFromResourceEx",
    "DestroyIcon",
    "RegisterClassExW",
    "UnregisterClassW",
    "RegisterWindowMessageW",
    "CreateWindowExW",
    "DestroyWindow",
    "ChangeWindowMessageFilterEx",
    "DefWindowProcW",
    "PeekMessageW",
    "PostMessageW",
    "PostQuitMessage",
    "GetMessageW",
    "TranslateMessage",
    "DispatchMessageW",
    "SetForegroundWindow",
    "GetCursorPos",
    "CreatePopupMenu",
    "InsertMenuItemW",
    "DestroyMenu",
    "TrackPopupMenuEx",
    "MessageBoxW",
    "LoadImageW",
    "SetProcessDPIAware",
]


def wait_until(condition: Callable[[], Any], what: str) -> None:
    """As the desk's, without what only Linux has."""
    helpers.wait_until(condition, 10.0, what)


@contextmanager
def pretend(windows: Windows, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what is imported from now on find this Windows; forget those modules afterwards."""
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "WinDLL", windows.dll, raising=False)
        patch.setattr(ctypes, "windll", ctypes.LibraryLoader(windows.dll), raising=False)  # type: ignore[arg-type]
        patch.setattr(ctypes, "WINFUNCTYPE", ctypes.CFUNCTYPE, raising=False)
        patch.setattr(ctypes, "HRESULT", ctypes.c_long, raising=False)
        patch.setattr(ctypes, "WinError", OSError, raising=False)
        patch.setattr(os, "startfile", windows.opened.append, raising=False)
        patch.setitem(sys.modules, "winreg", ModuleType("winreg"))
        with freshly_imported(*MODULES):
            yield


@contextmanager
def freshly_imported(*names: str) -> Iterator[None]:
    """Import these modules anew inside, and leave no trace of that."""
    before = {name: sys.modules.pop(name, None) for name in names}
    try:
        yield
    finally:
        for name, module in before.items():
            sys.modules.pop(name, None)
            parent, _, own = name.rpartition(".")
            if module is not None:
                sys.modules[name] = module
            elif hasattr(sys.modules.get(parent), own):
                delattr(sys.modules[parent], own)
