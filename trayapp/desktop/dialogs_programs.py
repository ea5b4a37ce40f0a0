"""What the dialogs of all desktops share: their words, and reading a dialog program's answer."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from pathlib import Path

from trayapp.desktop.children import Answer, Children
from trayapp.desktop.words import harmless
from trayapp.photo import SUFFIXES, BeartrayError

TITLE = "Beartray"
CHOOSE_FOLDER = "Choose the folder that Beartray watches"
CHOOSE_PHOTO = "What is this photo?"
NO_FOLDER = "use “beartray config set folder.path DIR” instead"
NO_PHOTO = "use “beartray classify PHOTO” instead"
NO_QUESTION = "use “beartray sort DIR” instead"


class NoChooserError(BeartrayError):
    """This way of asking does not exist here; another one may."""


def patterns() -> list[str]:
    """ "*.jpg", "*.JPG" …: what a photo is called; most choosers tell small from big letters."""
    return [f"*{form}" for suffix in sorted(SUFFIXES) for form in (suffix, suffix.upper())]


def lines(text: str) -> str:
    """`text` without what could disturb a window, its line ends kept."""
    return "\n".join(harmless(line) for line in text.splitlines())


def run(
    children: Children, command: list[str], instead: str, extra: Mapping[str, str] | None = None
) -> Answer:
    """What a dialog program answers. Raises `BeartrayError`, with what to do `instead`."""
    try:
        return children.ask(command, extra)
    except OSError as error:
        raise BeartrayError(f"{command[0]} could not be started ({error}); {instead}") from None


def chosen(answer: Answer, instead: str) -> Path | None:
    """1 is Cancel for every one of these programs, unless it complained of having no screen."""
    if answer.status == 0 and (name := answer.output.rstrip("\r\n")):
        return Path(name)
    check(answer, f"no dialog could be shown; {instead}")
    return None


def agreed(answer: Answer) -> bool:
    """Whether the button was pressed that means yes."""
    if answer.status == 0:
        return True
    check(answer, f"the question could not be shown; {NO_QUESTION}")
    return False


def check(answer: Answer, problem: str) -> None:
    """Raises `BeartrayError` with `problem` where the program could not do its work."""
    taken_away = answer.status == -signal.SIGTERM
    if (answer.status not in (0, 1) and not taken_away) or "cannot open display" in answer.error:
        raise BeartrayError(problem)


def existing(folder: Path) -> Path:
    """`folder`, or the nearest one above it that is there."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path.home())
