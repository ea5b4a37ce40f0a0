"""A panel without a screen: reads an icon and its menu over D-Bus, and clicks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dbus_fast import Variant

from trayapp.desktop.bus import Peer, SessionBus

PROPERTIES = "org.freedesktop.DBus.Properties"
WATCHER = "org.kde.StatusNotifierWatcher"
ITEM = "org.kde.StatusNotifierItem"
MENU = "com.canonical.dbusmenu"


@dataclass(frozen=True)
class MenuLine:
    """A line of the menu as a panel draws it. `checked` is None without a box."""

    id: int
    label: str
    enabled: bool
    checked: bool | None
    separator: bool
    lines: tuple[MenuLine, ...]


class Panel:
    """Looks at the icon of the connection called `name`, over a connection of its own."""

    def __init__(self, bus: SessionBus, name: str) -> None:
        self._bus = bus
        self._menu = Peer(name, "/MenuBar", MENU)
        self._item = Peer(name, "/StatusNotifierItem", ITEM)

    @classmethod
    def first(cls, bus: SessionBus) -> Panel | None:
        """The first icon that the real watcher of the desktop knows, if any."""
        watcher = Peer(WATCHER, "/StatusNotifierWatcher", PROPERTIES)
        (found,) = bus.call(watcher, "Get", "ss", [WATCHER, "RegisteredStatusNotifierItems"])
        return cls(bus, found.value[0].split("/")[0].split("@")[0]) if found.value else None

    def get(self, name: str) -> Any:
        """A property of the icon."""
        properties = Peer(self._item.name, self._item.path, PROPERTIES)
        return self._bus.call(properties, "Get", "ss", [ITEM, name])[0].value

    def left_click(self) -> None:
        self.press("Activate", "ii", [0, 0])

    def middle_click(self) -> None:
        self.press("SecondaryActivate", "ii", [0, 0])

    def press(self, member: str, signature: str, body: list[Any]) -> None:
        """Any method of the icon."""
        self._bus.call(self._item, member, signature, body)

    def open(self) -> tuple[MenuLine, ...]:
        """What a right click shows."""
        self.about_to_show()
        return self.lines()

    def close(self) -> None:
        """The menu that was open is not shown any more."""
        self.event(0, "closed")

    def about_to_show(self) -> bool:
        return bool(self._bus.call(self._menu, "AboutToShow", "i", [0])[0])

    def lines(self) -> tuple[MenuLine, ...]:
        return _line(self.call("GetLayout", "iias", [0, -1, []])[1]).lines

    def labels(self) -> list[str]:
        """The menu as one reads it; "-" is a separator."""
        return ["-" if line.separator else line.label for line in self.open()]

    def find(self, start: str) -> MenuLine:
        """The line whose label starts so, wherever it is."""
        return next(line for line in _flat(self.open()) if line.label.startswith(start))

    def click(self, start: str) -> None:
        self.event(self.find(start).id)

    def event(self, item: int, kind: str = "clicked") -> None:
        self.call("Event", "isvu", [item, kind, Variant("i", 0), 0])

    def call(self, member: str, signature: str, body: list[Any]) -> list[Any]:
        """Any method of the menu; raises `BusCallError`."""
        return self._bus.call(self._menu, member, signature, body)

    def watch(self) -> list[tuple[str, list[Any]]]:
        """A list that grows with every signal of the menu and the icon from now on."""
        heard: list[tuple[str, list[Any]]] = []

        def listen(peer: Peer, member: str) -> None:
            self._bus.on_signal(peer, member, lambda body: heard.append((member, body)))

        for member in ("LayoutUpdated", "ItemsPropertiesUpdated"):
            listen(self._menu, member)
        for member in ("NewIcon", "NewTitle", "NewToolTip", "NewStatus"):
            listen(self._item, member)
        return heard


def _line(node: list[Any]) -> MenuLine:
    me, properties, children = node
    plain = {name: variant.value for name, variant in properties.items()}
    state = plain.get("toggle-state")
    return MenuLine(
        id=me,
        label=plain.get("label", "").replace("__", "_"),
        enabled=plain.get("enabled", True),
        checked=None if state is None else bool(state),
        separator=plain.get("type") == "separator",
        lines=tuple(_line(child.value) for child in children),
    )


def _flat(lines: tuple[MenuLine, ...]) -> list[MenuLine]:
    return [found for line in lines for found in (line, *_flat(line.lines))]
