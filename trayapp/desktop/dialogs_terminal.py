"""Lets the person type a path in a terminal window: the last resort, which every desktop has."""

from __future__ import annotations

import os
import shlex
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from trayapp.desktop.children import Children
from trayapp.desktop.dialogs_programs import NoChooserError, lines
from trayapp.photo import BeartrayError

# Each with the words that make it run one program, and wait for it where it has such words.
TERMINALS = (
    ("konsole", "-e"),
    ("gnome-terminal", "--wait", "--"),
    ("ptyxis", "--standalone", "--"),
    ("xfce4-terminal", "--disable-server", "-e"),
    ("mate-terminal", "--disable-factory", "-e"),
    ("qterminal", "-e"),
    ("lxterminal", "-e"),
    ("foot",),
    ("alacritty", "-e"),
    ("kitty",),
    ("xterm", "-e"),
    ("x-terminal-emulator", "-e"),
)
SCRIPT = """#!/bin/sh
echo $$ > {place}/asking
printf '%s\\n\\n%s\\n> ' {title} 'Type the path and press Enter, or close this window.'
IFS= read -r typed && printf '%s' "$typed" > {place}/typing && mv {place}/typing {place}/typed
"""
BEGIN_SECONDS = 5.0
LOOK_SECONDS = 0.2


class Terminal:
    """A terminal on the screen that `environ` names."""

    def __init__(self, children: Children, environ: Mapping[str, str]) -> None:
        self._children = children
        self._screen = bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))

    def choose(self, title: str, start: Path, folder: bool) -> Path | None:
        """The folder or photo whose path was typed, from `start` on if it is no full one.

        Raises `NoChooserError` without a terminal, and `BeartrayError` for what is not there.
        """
        found = next((words for words in TERMINALS if self._children.find(words[0])), None)
        if found is None or not self._screen:
            raise NoChooserError("no terminal was found")
        with tempfile.TemporaryDirectory(prefix="beartray-") as name:
            place = Path(name)
            script = place / "ask"
            words = SCRIPT.format(place=shlex.quote(name), title=shlex.quote(lines(title)))
            script.write_text(words, "utf-8")
            script.chmod(0o700)
            self._children.ask([*found, str(script)])
            _wait(place)
            typed = place / "typed"
            answer = os.fsdecode(typed.read_bytes()).strip() if typed.exists() else ""
        return _checked(answer, start, folder) if answer else None


def _wait(place: Path) -> None:
    """Some terminals go on in another process; the script in them tells its own."""
    pause = threading.Event()
    waited = 0.0
    while not (place / "asking").exists():
        if waited >= BEGIN_SECONDS:
            raise NoChooserError("the terminal did not start")
        pause.wait(LOOK_SECONDS)
        waited += LOOK_SECONDS
    asking = (place / "asking").read_text("ascii").strip()
    while not (place / "typed").exists() and Path(f"/proc/{asking}").exists():
        pause.wait(LOOK_SECONDS)


def _checked(answer: str, start: Path, folder: bool) -> Path:
    """A path that was dropped onto the terminal comes in quotes."""
    if len(answer) > 1 and answer[0] == answer[-1] and answer[0] in "'\"":
        answer = answer[1:-1]
    try:
        path = start / Path(answer).expanduser()
    except RuntimeError:  # ~nobody
        path = start / answer
    if not (path.is_dir() if folder else path.is_file()):
        raise BeartrayError(f"{path} is no {'folder' if folder else 'photo'}; nothing was changed")
    return path
