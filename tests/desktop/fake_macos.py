"""As much of macOS as a menu bar icon meets, AppKit foremost; it bears its main thread only.

pystray's own backend for macOS runs on it.
"""

# ruff: noqa: N802, N815 -- the names are AppKit's

from __future__ import annotations

import queue
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest

from tests.desktop.fake_windows import freshly_imported

MODULES = ("pystray._darwin", "trayapp.desktop.macos_icon")
WILL_TERMINATE = "NSApplicationWillTerminateNotification"
MENU_OPENS, MENU_CLOSED = "NSMenuDidBeginTracking", "NSMenuDidEndTracking"


class Mac:
    """The system, and the object of every AppKit class that there is only one of."""

    def __init__(self) -> None:
        self.main: threading.Thread | None = None
        self.policy: int | None = None
        self.shown = Button(self)
        self.menu: Menu | None = None
        self.open_menu: Menu | None = None
        self.observers: dict[str, list[Callable[[Any], None]]] = defaultdict(list)
        self.signals: dict[int, Any] = {}
        self.in_bar = False
        self.mistakes: list[str] = []
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._stopped = self.gone = False

    def check_thread(self) -> None:
        """What AppKit does is undefined elsewhere; mostly it ends the process."""
        self.check(self.main in (None, threading.current_thread()), "AppKit off its main thread")

    def check(self, fine: bool, otherwise: str) -> None:
        """A mistake is kept, as those who made it may go on all the same."""
        if not fine:
            self.mistakes.append(otherwise)
            raise AssertionError(otherwise)

    def later(self, job: Callable[[], None]) -> None:
        """`AppHelper.callAfter`, and how everything else comes to the main thread."""
        self._jobs.put(job)

    def do(self, job: Callable[[], None]) -> None:
        """Something happens on the main thread; returns when it has."""
        done = threading.Event()

        def all_of_it() -> None:
            job()
            done.set()

        self.later(all_of_it)
        assert done.wait(10)

    def post(self, name: str) -> None:
        for observer in self.observers[name]:
            observer(None)

    def log_out(self) -> None:
        """Every program is told to terminate, and is gone when it has told its own parts."""

        def terminate() -> None:
            self.post(WILL_TERMINATE)
            self.gone = self._stopped = True  # AppKit's `terminate:` would never return

        self.later(terminate)

    def kill(self, number: int) -> None:
        """A signal: Python's own handler would wait for ever, as no Python runs in the loop."""
        handler = self.signals[number]
        self.later(lambda: handler(number))

    def click(self, title: str | None, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Open the menu, wait for `meanwhile`, then choose a line of what is open, or none."""

        def opened() -> None:
            self.open_menu = self.menu
            self.post(MENU_OPENS)

        def chosen() -> None:
            menu, self.open_menu = self.open_menu, None
            self.post(MENU_CLOSED)
            if menu is not None and title is not None:
                item = menu.find(title)
                item.target.activate_menu_item(item)

        self.do(opened)
        meanwhile()
        self.do(chosen)

    # NSApplication

    def setActivationPolicy_(self, policy: int) -> None:
        self.policy = policy

    def run(self) -> None:
        self.main = threading.current_thread()
        self._stopped = False
        try:
            while not self._stopped:
                self._jobs.get()()
        finally:
            self.main = None

    def stop_(self, sender: Any) -> None:
        self.check_thread()
        self._stopped = True

    def postEvent_atStart_(self, event: Any, at_start: bool) -> None:
        self.later(lambda: None)

    # NSStatusBar and NSStatusItem

    def thickness(self) -> float:
        return 22.0

    def statusItemWithLength_(self, length: float) -> Mac:
        self.in_bar = True
        return self

    def button(self) -> Button:
        return self.shown

    def removeStatusItem_(self, item: Any) -> None:
        self.in_bar = False

    def setMenu_(self, menu: Menu) -> None:
        self.check_thread()
        self.check(self.open_menu is None, "a menu that is open was taken away")
        self.menu = menu

    # NSNotificationCenter and MachSignals

    def addObserverForName_object_queue_usingBlock_(
        self, name: str, about: None, where: None, block: Callable[[Any], None]
    ) -> Any:
        self.observers[name].append(block)
        return block

    def signal(self, number: int, handler: Any) -> Any:
        self.check_thread()
        before = self.signals.get(number, signal.SIG_DFL)
        self.signals[number] = handler
        return before

    def getsignal(self, number: int) -> Any:
        return self.signals.get(number, signal.SIG_DFL)


class Button:
    """NSStatusBarButton."""

    def __init__(self, mac: Mac) -> None:
        self._mac = mac
        self.image: Image | None = None
        self.tooltip = ""
        self.hidden = True

    def setImage_(self, image: Image) -> None:
        self._mac.check_thread()
        self.image = image

    def setToolTip_(self, text: str) -> None:
        self._mac.check_thread()
        self.tooltip = text

    def setHidden_(self, hidden: bool) -> None:
        self._mac.check_thread()
        self.hidden = hidden

    def setTarget_(self, target: Any) -> None:
        """Nothing comes of it: with a menu the button only opens that."""

    setAction_ = setTarget_


class Object:
    """NSObject, as far as it is made."""

    @classmethod
    def alloc(cls) -> Any:
        return cls.__new__(cls)

    def init(self) -> Any:
        return self


class Image(Object):
    """NSImage."""

    def initWithSize_(self, size: tuple[float, float]) -> Image:
        self.points, self.template = size, False
        self.pictures: list[Picture] = []
        return self

    def addRepresentation_(self, picture: Picture) -> None:
        self.pictures.append(picture)

    def setTemplate_(self, template: bool) -> None:
        self.template = template


class Picture(Object):
    """NSBitmapImageRep."""

    png: bytes
    points: tuple[float, float]

    @classmethod
    def imageRepWithData_(cls, data: bytes) -> Picture:
        made: Picture = cls.alloc()
        made.png = data
        return made

    def setSize_(self, size: tuple[float, float]) -> None:
        self.points = size


class Item(Object):
    """NSMenuItem."""

    submenu: Menu | None = None
    target: Any = None
    enabled = True
    state = 0

    @classmethod
    def separatorItem(cls) -> Item:
        return cls().initWithTitle_action_keyEquivalent_("", None, "")

    def initWithTitle_action_keyEquivalent_(self, title: str, action: Any, key: str) -> Item:
        self.title = title
        return self

    def setAttributedTitle_(self, title: Any) -> None:
        """Bold, for the default item."""

    def setAction_(self, action: Any) -> None:
        """Always the same."""

    def setSubmenu_(self, menu: Menu) -> None:
        self.submenu = menu

    def setTarget_(self, target: Any) -> None:
        self.target = target

    def setTag_(self, tag: int) -> None:
        self._tag = tag

    def tag(self) -> int:
        return self._tag

    def setState_(self, state: int) -> None:
        self.state = state

    def setEnabled_(self, enabled: bool) -> None:
        self.enabled = enabled


class Menu(Object):
    """NSMenu."""

    def initWithTitle_(self, title: str) -> Menu:
        self.items: list[Item] = []
        return self

    def setAutoenablesItems_(self, wanted: bool) -> None:
        assert not wanted

    def addItem_(self, item: Item) -> None:
        self.items.append(item)

    def find(self, start: str) -> Item:
        return next(item for item in self.all() if item.title.startswith(start))

    def all(self) -> Iterator[Item]:
        for item in self.items:
            yield item
            if item.submenu:
                yield from item.submenu.all()


class Anything:
    """What is called for its look only: fonts, attributes, events."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: self


def modules(mac: Mac) -> dict[str, ModuleType]:
    """The modules of pyobjc that are imported."""

    def alone(method: str) -> Any:
        return type("One", (), {method: staticmethod(lambda: mac)})

    contents: dict[str, dict[str, Any]] = {
        "AppKit": {
            "NSApplication": alone("sharedApplication"),
            "NSStatusBar": alone("systemStatusBar"),
            "NSVariableStatusItemLength": -1.0,
            "NSImage": Image,
            "NSBitmapImageRep": Picture,
            "NSMakeSize": lambda width, height: (width, height),
            "NSMenu": Menu,
            "NSMenuItem": Item,
            "NSOnState": 1,
            "NSOffState": 0,
            "NSFont": Anything(),
            "NSFontAttributeName": "NSFont",
            "NSEvent": Anything(),
            "NSPoint": lambda x, y: (x, y),
            "NSApplicationDefined": 15,
            "NSApplicationWillTerminateNotification": WILL_TERMINATE,
            "NSMenuDidBeginTrackingNotification": MENU_OPENS,
            "NSMenuDidEndTrackingNotification": MENU_CLOSED,
        },
        "Foundation": {
            "NSObject": Object,
            "NSNotificationCenter": alone("defaultCenter"),
            "NSAttributedString": Anything(),
            "NSDictionary": Anything(),
            "NSData": type(
                "NSData",
                (),
                {"dataWithBytes_length_": staticmethod(lambda data, length: data[:length])},
            ),
        },
        "objc": {"namedSelector": lambda name: lambda function: function},
        "PyObjCTools": {},
        "PyObjCTools.MachSignals": {"signal": mac.signal, "getsignal": mac.getsignal},
        "PyObjCTools.AppHelper": {"callAfter": mac.later},
    }
    made = {name: ModuleType(name) for name in contents}
    for name, module in made.items():
        vars(module).update(contents[name])
    tools = vars(made["PyObjCTools"])
    tools.update({"MachSignals": made["PyObjCTools.MachSignals"]})
    tools.update({"AppHelper": made["PyObjCTools.AppHelper"], "__path__": []})
    return made


@contextmanager
def pretend(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let what is imported from now on find this Mac; forget those modules afterwards."""
    with monkeypatch.context() as patch:
        for name, module in modules(mac).items():
            patch.setitem(sys.modules, name, module)
        with freshly_imported(*MODULES):
            yield
