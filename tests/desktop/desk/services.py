"""What a test plays on its bus: a panel's list of icons, and a notification service.

Annotations here are D-Bus signatures: no `from __future__ import annotations` in this module.
"""

# ruff: noqa: N802 -- the names are those of the D-Bus interfaces

import asyncio
from typing import Annotated, Any

from dbus_fast import DBusError, PropertyAccess
from dbus_fast.annotations import DBusBool, DBusDict, DBusInt32, DBusSignature, DBusStr, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property, dbus_signal

WATCHER = "org.kde.StatusNotifierWatcher"
SERVICE = "org.freedesktop.Notifications"
FILES = "org.freedesktop.FileManager1"
Strings = Annotated[list[str], DBusSignature("as")]
Clicked = Annotated[list[Any], DBusSignature("us")]
Closed = Annotated[list[Any], DBusSignature("uu")]


class Watcher(ServiceInterface):
    """A panel's list of icons."""

    def __init__(self, busy: int = 0, refuse: int = 0) -> None:
        """The first `busy` icons that ask get no answer, the next `refuse` are turned away."""
        super().__init__(WATCHER)
        self.registered: list[str] = []
        self.hosts = 1
        self._busy, self._refuse = busy, refuse
        self.calm = asyncio.Event()

    @dbus_method()
    async def RegisterStatusNotifierItem(self, service: DBusStr) -> None:
        if self._busy:
            self._busy -= 1
            await self.calm.wait()
            return
        if self._refuse:
            self._refuse -= 1
            raise DBusError("org.freedesktop.DBus.Error.UnknownObject", "not loaded yet")
        self.registered.append(service)

    @dbus_property(PropertyAccess.READ)
    def IsStatusNotifierHostRegistered(self) -> DBusBool:
        return self.hosts > 0

    @dbus_signal()
    def StatusNotifierHostRegistered(self) -> None:
        self.hosts += 1


class Service(ServiceInterface):
    """A notification service."""

    def __init__(self, *able: str) -> None:
        super().__init__(SERVICE)
        self.shown: list[dict[str, Any]] = []
        self._able = list(able)

    @dbus_method()
    def Notify(
        self,
        app: DBusStr,
        replaces: DBusUInt32,
        icon: DBusStr,
        title: DBusStr,
        body: DBusStr,
        actions: Strings,
        hints: DBusDict,
        timeout: DBusInt32,
    ) -> DBusUInt32:
        self.shown.append({"title": title, "body": body, "actions": actions, "hints": hints})
        return len(self.shown)

    @dbus_method()
    def GetCapabilities(self) -> Strings:
        return self._able

    @dbus_signal()
    def ActionInvoked(self, number: int, action: str) -> Clicked:
        return [number, action]

    @dbus_signal()
    def NotificationClosed(self, number: int) -> Closed:
        return [number, 2]


class FileManager(ServiceInterface):
    """A file manager that can select files."""

    def __init__(self) -> None:
        super().__init__(FILES)
        self.shown: list[str] = []
        self.token = ""

    @dbus_method()
    def ShowItems(self, uris: Strings, startup: DBusStr) -> None:
        self.token = startup
        self.shown += uris
