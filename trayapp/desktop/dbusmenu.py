"""Serves a pystray menu to Linux panels as com.canonical.dbusmenu.

The interface is the one that libdbusmenu documents in `dbus-menu.xml`; panels ask for the layout,
draw it themselves and report clicks by id. The app is asked what its menu says on other threads,
never on the loop that answers panels: it may have to wait for a disk. Annotations here are
D-Bus signatures, so they are evaluated: no `from __future__ import annotations` in this module.
"""

# ruff: noqa: N802, ARG002 -- names and parameters are those of the D-Bus interface

import asyncio
import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from dbus_fast import DBusError, PropertyAccess, Variant
from dbus_fast.annotations import DBusBool, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.annotations import DBusVariant as DBusValue
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal
from pystray import _base

logger = logging.getLogger(__name__)

PATH = "/MenuBar"
READ = PropertyAccess.READ
ROOT = 0
# An open menu stands still: a line that moves under the mouse is clicked by mistake. Not every
# panel tells that the menu is closed, so this long at most; the next opening shows what is true.
STILL_SECONDS = 30.0
PATIENCE_SECONDS = 0.03  # how long a menu that is about to open waits for what is true now

Properties = dict[str, Variant]
Changes = list[list[Any]]
Ids = Annotated[list[int], DBusSignature("ai")]
Names = Annotated[list[str], DBusSignature("as")]
Layout = Annotated[list[Any], DBusSignature("u(ia{sv}av)")]
Groups = Annotated[list[Any], DBusSignature("a(ia{sv})")]
Events = Annotated[list[Any], DBusSignature("a(isvu)")]
TwoIdLists = Annotated[list[Any], DBusSignature("aiai")]
Revision = Annotated[list[int], DBusSignature("ui")]
Updates = Annotated[list[Any], DBusSignature("a(ia{sv})a(ias)")]


@dataclass(frozen=True)
class Node:
    """A menu item as it was at one moment; `action` is the pystray item, if it can be clicked."""

    key: Hashable
    properties: Properties
    children: tuple["Node", ...] = ()
    action: Any = None


@dataclass
class Tree:
    """A menu as last sent: each id's properties, children and pystray item."""

    properties: dict[int, Properties] = field(default_factory=dict)
    children: dict[int, list[int]] = field(default_factory=dict)
    actions: dict[int, Any] = field(default_factory=dict)
    ids: dict[Hashable, int] = field(default_factory=dict)

    def changes(self, older: "Tree") -> tuple[Changes, Changes]:
        """What differs in the items that both have, `[[id, {name: value}], …]`, and what they
        have no more, `[[id, [name]], …]`."""
        both = [(me, old, self.properties.get(me)) for me, old in older.properties.items()]
        kept = [(me, old, new) for me, old, new in both if new is not None]
        found = [[me, {n: v for n, v in new.items() if old.get(n) != v}] for me, old, new in kept]
        gone = [[me, [name for name in old if name not in new]] for me, old, new in kept]
        return [one for one in found if one[1]], [one for one in gone if one[1]]


class DBusMenu(ServiceInterface):
    """`menu` gives the pystray menu (or None), `click` runs an item away from the loop, `post`
    runs a function on the loop."""

    def __init__(
        self,
        menu: Callable[[], Any],
        click: Callable[[Any], None],
        post: Callable[[Callable[[], object]], None],
    ) -> None:
        super().__init__("com.canonical.dbusmenu")
        self._menu, self._click, self._post = menu, click, post
        self._tree = Tree()
        self._revision = 0
        self._changes = 0
        self._numbers = itertools.count(ROOT + 1)
        self._updating = threading.Lock()
        self._stale = False
        self._still: asyncio.TimerHandle | None = None  # while the menu is open

    def update(self) -> None:
        """Tell panels what changed and no more; once it is closed, if the menu is open."""
        self._stale = True
        if self._still is None:
            self._evaluate()

    def _evaluate(self) -> None:
        """Ask the app what the menu says, here and now."""
        self._stale = False
        with self._updating:  # else the older of two could be sent last
            nodes = tuple(_nodes(ROOT, self._menu()))
            self._post(lambda: self._show(nodes))

    def _show(self, nodes: tuple[Node, ...]) -> None:
        tree = Tree()
        root = Node(ROOT, {"children-display": Variant("s", "submenu")}, nodes)
        self._add(tree, ROOT, root)
        older, self._tree = self._tree, tree
        changed, removed = tree.changes(older)
        moved = tree.children != older.children
        # First the properties: GNOME reads those of new items only when the layout is another one.
        if changed or removed:
            self.ItemsPropertiesUpdated(changed, removed)
        if moved:
            self._revision += 1
            self.LayoutUpdated()
        self._changes += bool(changed or removed or moved)

    async def _refresh(self, me: int) -> bool:
        """Update the menu that is about to open; whether it changed, if that is known soon."""
        if me != ROOT:  # a submenu came with its menu, which is open
            return False
        self._close()
        self._still = asyncio.get_running_loop().call_later(STILL_SECONDS, self._close)
        before, done = self._changes, asyncio.Event()

        def update() -> None:
            try:
                self._evaluate()
            except Exception:
                logger.exception("the menu could not be brought up to date")
            self._post(done.set)

        threading.Thread(target=update, name="tray menu", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), PATIENCE_SECONDS)
        return self._changes != before

    def _close(self) -> None:
        """The menu is closed, or open for long enough."""
        if self._still is not None:
            self._still.cancel()
            self._still = None
        if self._stale:
            threading.Thread(target=self._evaluate, name="tray menu", daemon=True).start()

    def _add(self, tree: Tree, me: int, node: Node) -> None:
        tree.properties[me], tree.children[me] = node.properties, []
        if node.action is not None:
            tree.actions[me] = node.action
        for child in node.children:
            known = self._tree.ids.get(child.key)
            # A number is never given twice, so that a late click cannot hit another item.
            number = tree.ids[child.key] = next(self._numbers) if known is None else known
            tree.children[me].append(number)
            self._add(tree, number, child)

    def _node(self, me: int, depth: int, names: list[str]) -> list[Any]:
        children = self._tree.children[me] if depth else []
        nodes = [Variant("(ia{sv}av)", self._node(child, depth - 1, names)) for child in children]
        return [me, self._chosen(me, names), nodes]

    def _chosen(self, me: int, names: list[str]) -> Properties:
        """The properties that were asked for; no names ask for all."""
        properties = self._tree.properties[me]
        return {n: v for n, v in properties.items() if n in names} if names else properties

    def _known(self, me: int) -> int:
        if me not in self._tree.properties:
            raise DBusError("org.freedesktop.DBus.Error.InvalidArgs", f"no menu item {me}")
        return me

    def _event(self, me: int, event: str) -> None:
        action = self._tree.actions.get(me)
        if event == "clicked" or (event == "closed" and me == ROOT):
            self._close()
        if event == "clicked" and action is not None:
            self._click(action)

    @dbus_property(READ)
    def Version(self) -> DBusUInt32:
        return 3

    @dbus_property(READ)
    def TextDirection(self) -> DBusStr:
        return "ltr"

    @dbus_property(READ)
    def Status(self) -> DBusStr:
        return "normal"

    @dbus_property(READ)
    def IconThemePath(self) -> Names:
        return []

    @dbus_method()
    def GetLayout(self, parent: DBusInt32, depth: DBusInt32, names: Names) -> Layout:
        return [self._revision, self._node(self._known(parent), depth, names)]

    @dbus_method()
    def GetGroupProperties(self, ids: Ids, names: Names) -> Groups:
        properties = self._tree.properties  # an empty list of ids asks for everything
        return [[me, self._chosen(me, names)] for me in ids or properties if me in properties]

    @dbus_method()
    def GetProperty(self, me: DBusInt32, name: DBusStr) -> DBusValue:
        properties = self._tree.properties[self._known(me)]
        if name not in properties:
            raise DBusError("org.freedesktop.DBus.Error.InvalidArgs", f"item {me} has no {name}")
        return properties[name]

    @dbus_method()
    def Event(self, me: DBusInt32, event: DBusStr, data: DBusValue, time: DBusUInt32) -> None:
        self._event(me, event)

    @dbus_method()
    def EventGroup(self, events: Events) -> Ids:
        for me, event, _, _ in events:
            self._event(me, event)
        return [event[0] for event in events if event[0] not in self._tree.properties]

    @dbus_method()
    async def AboutToShow(self, me: DBusInt32) -> DBusBool:
        return await self._refresh(me)

    @dbus_method()
    async def AboutToShowGroup(self, ids: Ids) -> TwoIdLists:
        changed = ROOT in ids and await self._refresh(ROOT)
        unknown = [me for me in ids if me not in self._tree.properties]
        return [[ROOT] if changed else [], unknown]

    @dbus_signal()
    def LayoutUpdated(self) -> Revision:
        return [self._revision, ROOT]

    @dbus_signal()
    def ItemsPropertiesUpdated(self, changed: Changes, removed: Changes) -> Updates:
        return [changed, removed]


def _nodes(parent: Hashable, menu: Any) -> Iterator[Node]:
    """The items of a pystray menu as they are now."""
    for position, item in enumerate(() if menu is None else menu):
        if item is _base.Menu.SEPARATOR:
            yield Node((parent, position), {"type": Variant("s", "separator")})
            continue
        # The key follows the item, not its place. Panels do not turn a plain line into one with
        # a box or a submenu, so that is another item to them.
        key = (item, item.checked is None, item.radio, item.submenu is None)
        children = tuple(_nodes(key, item.submenu))
        yield Node(key, _properties(item), children, item if item.submenu is None else None)


def _properties(item: Any) -> Properties:
    properties = {
        "label": Variant("s", item.text.replace("_", "__")),  # one underscore is a mnemonic
        "enabled": Variant("b", bool(item.enabled)),
        "visible": Variant("b", True),
    }
    if item.checked is not None:
        properties["toggle-type"] = Variant("s", "radio" if item.radio else "checkmark")
        properties["toggle-state"] = Variant("i", int(bool(item.checked)))
    if item.submenu is not None:
        properties["children-display"] = Variant("s", "submenu")
    return properties
