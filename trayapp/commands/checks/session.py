"""Does the desktop show icons and notices, will Beartray start at login, and does it run?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from trayapp.commands.checks.finding import Finding
from trayapp.desktop.control import NotAnsweringError, NotRunningError
from trayapp.desktop.login import LoginItem
from trayapp.photo import BeartrayError


def judge_tray(reason: str | None, host: str | None) -> Finding:
    """`reason` is why there is no tray, `host` the program that shows icons."""
    if reason is not None:
        return Finding("tray", False, reason, "Beartray works without an icon as well")
    return Finding("tray", True, f"{host} shows icons" if host else "icons are shown")


def check_notifications(service: Callable[[], str], mode: str) -> Finding:
    """`service` names the notification service, or raises `BeartrayError`."""
    wanted = f"told of {mode}" if mode != "off" else "switched off in the settings"
    try:
        return Finding("notifications", True, f"{service()}; {wanted}")
    except BeartrayError as error:
        return Finding("notifications", False, str(error))


def judge_login(item: LoginItem, wanted: bool) -> Finding:
    """`wanted` is the setting startup.at_login."""
    if wanted and not item.starts:
        detail = f"Beartray does not start at login, unlike startup.at_login says: {_why(item)}"
        off = "`beartray autostart off` if that is meant"
        return Finding("login", False, detail, f"`beartray autostart on` mends it, or {off}")
    if item.starts and not wanted:
        detail = "Beartray starts at login, unlike startup.at_login says"
        return Finding("login", False, detail, "`beartray autostart off` mends it, or on")
    if item.starts and not item.own:
        detail = f"another Beartray starts at login: {(item.command or ('?',))[0]}"
        return Finding("login", False, detail, "`beartray autostart on` starts this one")
    does = "starts" if item.starts else "does not start"
    return Finding("login", True, f"{does} at login ({item.place})")


def check_running(ask: Callable[[], Mapping[str, Any]], version: str) -> Finding:
    """`ask` gets the status of the running one, or raises `NotRunningError`."""
    try:
        found = ask()
    except NotAnsweringError as error:
        return Finding("running", False, str(error))
    except NotRunningError:
        return Finding("running", True, "Beartray does not run now; start it with `beartray`")
    if found.get("version") != version:
        detail = f"Beartray {found.get('version')} runs, and this is {version}"
        return Finding("running", False, detail, "`beartray quit`, and start it again")
    if problem := found.get("problem"):
        return Finding("running", False, str(problem))
    told = f"process {found.get('pid')} watches {found.get('folder')}"
    return Finding("running", True, f"{told}, {found.get('filed_today')} filed today")


def _why(item: LoginItem) -> str:
    return "there is no login item" if item.command is None else item.words.removeprefix("no, ")
