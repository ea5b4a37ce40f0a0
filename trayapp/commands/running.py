"""run, status, pause, resume, quit and autostart: Beartray as a program that runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from trayapp import app, settings, times
from trayapp.commands import terminal
from trayapp.commands.photos import Json
from trayapp.desktop import Desktop, choose_desktop
from trayapp.desktop.autostart import launch_command
from trayapp.desktop.control import NotRunningError, send
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
    terminal.say(f"{found['state']}: {found['folder']}")
    terminal.say(f"{found['filed_today']} filed today, {found['pending']} on their way")
    for key in ("problem", "degraded"):
        if found[key]:
            terminal.say(f"{key}: {found[key]}")
    if found["existing"]:
        terminal.say(f"{found['existing']} photos were there before and are left alone")
    terminal.say(f"model {found['model']}, engine {found['engine']}")
    terminal.say(f"starts at login: {'yes' if found['at_login'] else 'no'}")
    return 0


def pause(
    span: Annotated[str | None, typer.Option("--for", help="For a while: 30m, 1h …")] = None,
    json: Json = False,
) -> int:
    """Let the running Beartray touch nothing until `resume`."""
    seconds = None if span is None else times.seconds(span)
    return _tell({"command": "pause", "seconds": seconds}, "Paused.", json)


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
    with _desktop() as desktop:
        item = desktop.autostart
        try:
            if action == "on":
                item.enable(launch_command())
            elif action == "off":
                item.disable()
        except OSError as error:
            raise BeartrayError(
                f"{item.place}: the login item cannot be changed: {error}"
            ) from None
        if action != "status":
            settings.change(terminal.paths().settings_file, "startup.at_login", action == "on")
        enabled = item.is_enabled()
        if json:
            row = {"enabled": enabled, "place": item.place, "command": item.command()}
            terminal.say_json(row)
        else:
            terminal.say(f"Starts at login: {'yes' if enabled else 'no'} ({item.place})")
    return 0


def _tell(request: dict[str, object], done: str, json: bool) -> int:
    _ask(request)
    if json:
        terminal.say_json({"done": request["command"]})
    else:
        terminal.say(done)
    return 0


def _ask(request: dict[str, object]) -> dict[str, Any]:
    with _desktop() as desktop:
        return send(desktop.control_paths(terminal.paths().private), request)


@contextmanager
def _desktop() -> Iterator[Desktop]:
    desktop = choose_desktop(os.environ)
    try:
        yield desktop
    finally:
        desktop.close()
