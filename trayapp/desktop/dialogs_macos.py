"""Dialogs on macOS, through AppleScript; words travel as arguments, so nothing in them is code."""

from __future__ import annotations

from pathlib import Path

from trayapp.desktop import dialogs_programs as programs
from trayapp.desktop.children import Answer, Children
from trayapp.desktop.words import harmless

_CHOOSE_FOLDER = (
    "POSIX path of (choose folder with prompt (item 1 of argv) "
    "default location (POSIX file (item 2 of argv)))"
)
_CHOOSE_PHOTO = (
    'POSIX path of (choose file with prompt (item 1 of argv) of type {"public.image"} '
    "default location (POSIX file (item 2 of argv)))"
)
_ASK = (
    'display dialog (item 1 of argv) with title "Beartray" '
    'buttons {"Cancel", item 2 of argv} default button 2 cancel button 1'
)
_TELL = (
    'display dialog (item 1 of argv) with title (item 2 of argv) buttons {"OK"} default button 1'
)


class MacDialogs:
    """`Dialogs` through `osascript`."""

    def __init__(self, children: Children) -> None:
        self._children = children

    def choose_folder(self, start: Path) -> Path | None:
        here = str(programs.existing(start))
        answer = self._run(programs.NO_FOLDER, _CHOOSE_FOLDER, programs.CHOOSE_FOLDER, here)
        return programs.chosen(answer, programs.NO_FOLDER)

    def choose_photo(self, start: Path) -> Path | None:
        here = str(programs.existing(start))
        answer = self._run(programs.NO_PHOTO, _CHOOSE_PHOTO, programs.CHOOSE_PHOTO, here)
        return programs.chosen(answer, programs.NO_PHOTO)

    def confirm(self, question: str, yes: str) -> bool:
        return programs.agreed(self._run(programs.NO_QUESTION, _ASK, harmless(question), yes))

    def tell(self, title: str, text: str) -> None:
        answer = self._run("see the log", _TELL, programs.lines(text), title)
        programs.check(answer, f"no window could be shown for “{title}”")

    def _run(self, instead: str, statement: str, *words: str) -> Answer:
        script = f"on run argv\ntell current application to activate\n{statement}\nend run"
        return programs.run(self._children, ["osascript", "-e", script, *words], instead)
