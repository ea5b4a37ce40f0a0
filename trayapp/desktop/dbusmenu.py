"""Serves a pystray menu to Linux panels as com.canonical.dbusmenu.

The interface is the one that libdbusmenu documents in `dbus-menu.xml`; panels ask for the layout,
draw it themselves and report clicks by id. Annotations here are D-Bus signatures, so they are
evaluated: no `from __future__ import annotations` in this module.
"""

# ruff: noqa: N802, ARG002 -- names and parameters are those of the D-Bus interface

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from dbus_fast import DBusError, PropertyAccess, Variant
from dbus_fast.annotations import DBusBool, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.annotations import DBusVariant as DBusValue
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal
from pystray import _base

PATH = "/MenuBar"
READ = PropertyAccess.READ
ROOT = 0

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


@dataclass
class Tree:
    """A menu as last sent: each id's properties, children and pystray item."""

    properties: dict[int, Properties] = field(default_factory=dict)
    children: dict[int, list[int]] = field(default_factory=dict)
    actions: dict[int, Any] = field(default_factory=dict)
    ids: dict[Any, int] = field(default_factory=dict)

    def same_layout(self, other: "Tree") -> bool:
        return self.children == other.children and all(
            properties.keys() == other.properties[me].keys()
            for me, properties in self.properties.items()
        )

    def changes(self, older: "Tree") -> Changes:
        """Only the properties that differ, as `[[id, {name: value}], …]`."""
        found = (
            [me, {n: v for n, v in properties.items() if older.properties[me][n] != v}]
            for me, properties in self.properties.items()
        )
        return [change for change in found if change[1]]


class DBusMenu(ServiceInterface):
    """`menu` gives the pystray menu (or None), `click` runs an item away from the loop."""

    def __init__(self, menu: Callable[[], Any], click: Callable[[Any], None]) -> None:
        super().__init__("com.canonical.dbusmenu")
        self._menu, self._click = menu, click
        self._tree = Tree()
        self._revision = 0
        self._numbers = itertools.count(ROOT + 1)

    def rebuild(self) -> tuple[bool, Changes]:
        """Evaluate the menu again: whether its layout changed, else what changed in its items."""
        tree = Tree()
        self._add(tree, ROOT, self._menu(), {"children-display": Variant("s", "submenu")})
        older, self._tree = self._tree, tree
        if not tree.same_layout(older):
            self._revision += 1
            return True, []
        return False, tree.changes(older)

    def refresh(self) -> bool:
        """Rebuild, tell panels what changed and no more; whether anything did."""
        layout, changes = self.rebuild()
        if layout:
            self.LayoutUpdated()
        elif changes:
            self.ItemsPropertiesUpdated(changes)
        return layout or bool(changes)

    def _add(self, tree: Tree, me: int, menu: Any, properties: Properties) -> None:
        tree.properties[me], tree.children[me] = properties, []
        for position, item in enumerate(() if menu is None else menu):
            separator = item is _base.Menu.SEPARATOR
            # Ids follow the item, not its place, so that a late click cannot hit its neighbour.
            child = self._id(tree, (me, position) if separator else item)
            tree.children[me].append(child)
            if separator:
                self._add(tree, child, None, {"type": Variant("s", "separator")})
                continue
            if item.submenu is None:
                tree.actions[child] = item
            self._add(tree, child, item.submenu, _properties(item))

    def _id(self, tree: Tree, key: Any) -> int:
        known = self._tree.ids.get(key)
        tree.ids[key] = next(self._numbers) if known is None else known
        return tree.ids[key]

    def _node(self, me: int, depth: int) -> list[Any]:
        children = self._tree.children[me] if depth else []
        nodes = [Variant("(ia{sv}av)", self._node(child, depth - 1)) for child in children]
        return [me, self._tree.properties[me], nodes]

    def _known(self, me: int) -> int:
        if me not in self._tree.properties:
            raise DBusError("org.freedesktop.DBus.Error.InvalidArgs", f"no menu item {me}")
        return me

    def _event(self, me: int, event: str) -> None:
        action = self._tree.actions.get(me)
        if event == "clicked" and action is not None and action.enabled:
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
        return [self._revision, self._node(self._known(parent), depth)]

    @dbus_method()
    def GetGroupProperties(self, ids: Ids, names: Names) -> Groups:
        properties = self._tree.properties  # an empty list of ids asks for everything
        return [[me, properties[me]] for me in ids or properties if me in properties]

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
    def AboutToShow(self, me: DBusInt32) -> DBusBool:
        return self.refresh()

    @dbus_method()
    def AboutToShowGroup(self, ids: Ids) -> TwoIdLists:
        unknown = [me for me in ids if me not in self._tree.properties]
        return [[ROOT] if self.refresh() else [], unknown]

    @dbus_signal()
    def LayoutUpdated(self) -> Revision:
        return [self._revision, ROOT]

    @dbus_signal()
    def ItemsPropertiesUpdated(self, changes: Changes) -> Updates:
        return [changes, []]


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
