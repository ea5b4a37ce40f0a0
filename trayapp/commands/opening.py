"""open and about: what the tray's menu opens, and what it says of Beartray."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

import typer

from trayapp import settings
from trayapp.about import about as lines_about
from trayapp.commands import terminal
from trayapp.desktop import Desktop
from trayapp.desktop.control import send
from trayapp.desktop.opener import show_photos
from trayapp.errors import explain
from trayapp.photo import BeartrayError
from trayapp.unsure import Unsure

What = Literal["folder", "unsure", "settings", "log"]


def open_(
    what: Annotated[What, typer.Argument(help="unsure: the photos not recognised.")] = "folder",
) -> int:
    """Open the watched folder, what was not recognised, the settings file or the log."""
    with terminal.desktop() as desktop:
        match what:
            case "folder":
                desktop.opener.open_folder(_root(desktop))
            case "unsure":
                _open_unsure(desktop)
            case "settings":
                desktop.opener.open_text(_settings_file())
            case "log":
                desktop.opener.open_text(terminal.paths().log_file)
    return 0


def review(
    only_print: Annotated[
        bool, typer.Option("--print", help="Only say the address; it opens once, and soon.")
    ] = False,
) -> int:
    """Look at the photos of the running Beartray in your browser."""
    with terminal.desktop() as desktop:
        answer = send(desktop.control_paths(terminal.paths().private), {"command": "review"})
        address = str(answer["address"])
        if only_print:
            terminal.say(address)
        else:
            desktop.opener.open_page(address)
    return 0


def about() -> int:
    """What Beartray is, its licence, and where it keeps things."""
    for line in lines_about(terminal.paths()):
        terminal.say(line)
    return 0


def _open_unsure(desktop: Desktop) -> None:
    with terminal.open_books() as books:
        unsure = Unsure(books.notes, terminal.load_settings().sort, _root(desktop))
        photos = unsure.photos()
    if not photos:
        terminal.say("There is no photo that was not recognised.")
        return
    show_photos(desktop.opener, unsure.folder, photos)
    for photo in photos:
        terminal.say(str(photo))


def _root(desktop: Desktop) -> Path:
    """The folder of the running Beartray, which may be another than the settings'."""
    with suppress(BeartrayError):
        status = send(desktop.control_paths(terminal.paths().private), {"command": "status"})
        return Path(str(status["folder"]))
    return terminal.load_settings().folder.root


def _settings_file() -> Path:
    file = terminal.paths().settings_file
    try:
        settings.create(file)
    except OSError as error:
        raise BeartrayError(explain(error)) from None
    return file
