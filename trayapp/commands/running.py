"""run, status, pause, resume, quit and autostart: Beartray as a program that runs."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from trayapp import app, settings, times
from trayapp.commands import terminal
from trayapp.commands.photos import Json
from trayapp.desktop.control import NotRunningError, send
from trayapp.desktop.login import Login, LoginItem
from trayapp.errors import explain
from trayapp.photo import BeartrayError


def run(
    headless: Annotated[bool, typer.Option("--headless", help="No icon, no pop-ups.")] = False,
    folder: Annotated[Path | None, typer.Option(help="Watch this folder, this time.")] = None,
) -> int:
    """Watch the folder, with an icon in the tray where there is one."""
    place = None if folder is None else terminal.absolute(folder)
    app.run(terminal.paths(), os.environ, place, headless, terminal.tell)
    return 0


def status(json: Json = False) -> int:
    """Say what the running Beartray is doing."""
    try:
        found = _ask({"command": "status"})
    except NotRunningError:
        if json:
            terminal.say_json({"state": "not running"})
        raise
    if json:
        terminal.say_json(found)
        return 0
    terminal.say(f"{found['state']}{_until(found['paused_until'])}: {found['folder']}")
    labels = ", ".join(f"{count} {label}" for label, count in found["labels_today"].items())
    counted = f"{found['filed_today']} filed today{f' ({labels})' if labels else ''}"
    terminal.say(f"{counted}, {found['pending']} on their way")
    for key in ("problem", "degraded"):
        if found[key]:
            terminal.say(f"{key}: {found[key]}")
    if found["existing"]:
        terminal.say(f"{found['existing']} photos were there before and are left alone")
    if found["not_recognised"]:
        terminal.say(f"{found['not_recognised']} not recognised; `beartray open unsure` shows them")
    terminal.say(f"model {found['model']}, engine {found['engine']}")
    terminal.say(f"action: {found['action']}, notifications: {found['notify']}")
    terminal.say(f"starts at login: {found['login_item']}")
    return 0


def pause(
    span: Annotated[str | None, typer.Option("--for", help="For a while: 30m, 1h …")] = None,
    until: Annotated[
        str | None, typer.Option(help="Until tomorrow (6:00 in the morning), 18:30 …")
    ] = None,
    json: Json = False,
) -> int:
    """Let the running Beartray touch nothing until `resume`, or for a while."""
    if span is not None and until is not None:
        raise BeartrayError("use one of --for and --until")
    now = times.local_now()
    moment = None
    if until is not None:
        moment = times.until(until, now)
    elif span is not None:
        moment = now.timestamp() + times.seconds(span)
    words = "" if moment is None else f" until {times.until_words(moment, now)}"
    return _tell({"command": "pause", "until": moment}, f"Paused{words}.", json)


def resume(json: Json = False) -> int:
    """Let it go on, with the photos that came meanwhile."""
    return _tell({"command": "resume"}, "Watching again.", json)


def quit_(json: Json = False) -> int:
    """End the running Beartray."""
    return _tell({"command": "quit"}, "Beartray ends.", json)


def autostart(
    action: Annotated[Literal["on", "off", "status"], typer.Argument()], json: Json = False
) -> int:
    """Start Beartray at login, or not."""
    with terminal.desktop() as desktop:
        login = app.login_of(desktop, terminal.paths(), os.environ)
        if action != "status":
            login.switch(action == "on")
            settings.change(terminal.paths().settings_file, "startup.at_login", action == "on")
        item = _look(login)
    if json:
        terminal.say_json(item.row())
    else:
        terminal.say(f"Starts at login: {item.words} ({item.place})")
    return 0


def _look(login: Login) -> LoginItem:
    try:
        return login.item()
    except OSError as error:
        raise BeartrayError(explain(error)) from None


def _until(moment: str | None) -> str:
    if moment is None:
        return ""
    seconds = datetime.fromisoformat(moment).timestamp()
    return f" until {times.until_words(seconds, times.local_now())}"


def _tell(request: dict[str, object], done: str, json: bool) -> int:
    _ask(request)
    if json:
        terminal.say_json({"done": request["command"]})
    else:
        terminal.say(done)
    return 0


def _ask(request: dict[str, object]) -> dict[str, Any]:
    with terminal.desktop() as desktop:
        return send(desktop.control_paths(terminal.paths().private), request)
