"""Asks the person for a folder, or yes or no, through the desktop's own dialogs."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from trayapp.desktop.children import Answer, Children
from trayapp.desktop.words import harmless
from trayapp.photo import BeartrayError

TITLE = "Beartray"
CHOOSE = "Choose the folder that Beartray watches"
INSTEAD = "use “beartray config set folder.path DIR” instead"


class Dialogs(Protocol):
    """Both block until the person has answered; never call them on the thread of the tray."""

    def choose_folder(self, start: Path) -> Path | None:
        """The folder chosen, None when cancelled; raises `BeartrayError` without a chooser."""

    def confirm(self, question: str, yes: str) -> bool:
        """Whether the person pressed the button `yes`; raises `BeartrayError` without a dialog."""


class LinuxDialogs:
    """zenity or kdialog, whichever is there; kdialog first on Plasma."""

    def __init__(self, children: Children, environ: Mapping[str, str]) -> None:
        self._children = children
        desktops = environ.get("XDG_CURRENT_DESKTOP", "").split(":")
        self._order = ("kdialog", "zenity") if "KDE" in desktops else ("zenity", "kdialog")

    def choose_folder(self, start: Path) -> Path | None:
        tool = self._tool(f"install zenity or kdialog to choose a folder, or {INSTEAD}")
        if tool == "zenity":
            # The trailing slash makes it open the folder instead of selecting it in its parent.
            answer = self._ask(
                tool,
                "--file-selection",
                "--directory",
                f"--title={CHOOSE}",
                f"--filename={start}{os.sep}",
            )
        else:
            answer = self._ask(tool, "--title", CHOOSE, "--getexistingdirectory", str(start))
        return _chosen(answer, "no folder dialog could be shown")

    def confirm(self, question: str, yes: str) -> bool:
        tool = self._tool("install zenity or kdialog, or use “beartray sort DIR” instead")
        words = harmless(question)
        if tool == "zenity":
            answer = self._ask(
                tool,
                "--question",
                f"--title={TITLE}",
                "--no-markup",
                f"--text={words}",
                "--width=420",
                f"--ok-label={yes}",
                "--cancel-label=Cancel",
            )
        else:
            answer = self._ask(
                tool, "--title", TITLE, "--yes-label", yes, "--no-label", "Cancel", "--yesno", words
            )
        return _agreed(answer)

    def _tool(self, advice: str) -> str:
        for tool in self._order:
            if self._children.find(tool):
                return tool
        raise BeartrayError(f"no dialog program was found; {advice}")

    def _ask(self, *command: str) -> Answer:
        return _ask(self._children, list(command))


class MacDialogs:
    """AppleScript; words travel as arguments, so that nothing in them is code."""

    _CHOOSE = (
        "on run argv\n"
        "tell current application to activate\n"
        "POSIX path of (choose folder with prompt (item 1 of argv) "
        "default location (POSIX file (item 2 of argv)))\n"
        "end run"
    )
    _ASK = (
        "on run argv\n"
        "tell current application to activate\n"
        'display dialog (item 1 of argv) with title "Beartray" '
        'buttons {"Cancel", item 2 of argv} default button 2 cancel button 1\n'
        "end run"
    )

    def __init__(self, children: Children) -> None:
        self._children = children

    def choose_folder(self, start: Path) -> Path | None:
        script = ["osascript", "-e", self._CHOOSE, CHOOSE, str(_existing(start))]
        return _chosen(_ask(self._children, script), "no folder dialog could be shown")

    def confirm(self, question: str, yes: str) -> bool:
        script = ["osascript", "-e", self._ASK, harmless(question), yes]
        return _agreed(_ask(self._children, script))


class WindowsDialogs:
    """The folder dialog through PowerShell, the question through `MessageBoxW`.

    `message_box(owner, text, title, kind)` returns the id of the button pressed.
    """

    _CHOOSE = (
        "[Console]::OutputEncoding = [Text.Encoding]::UTF8; "
        "Add-Type -AssemblyName System.Windows.Forms; "
        "$d = New-Object System.Windows.Forms.FolderBrowserDialog; "
        "$d.Description = $env:BEARTRAY_TITLE; $d.SelectedPath = $env:BEARTRAY_START; "
        "$o = New-Object System.Windows.Forms.Form -Property @{TopMost = $true}; "
        "if ($d.ShowDialog($o) -eq 'OK') { [Console]::Out.Write($d.SelectedPath) } else { exit 1 }"
    )
    _QUESTION = 0x1 | 0x20 | 0x10000 | 0x40000  # OK and Cancel, question mark, front, topmost
    _OK = 1

    def __init__(
        self, children: Children, message_box: Callable[[int, str, str, int], int]
    ) -> None:
        self._children = children
        self._message_box = message_box

    def choose_folder(self, start: Path) -> Path | None:
        command = ["powershell", "-NoProfile", "-STA", "-Command", self._CHOOSE]
        extra = {"BEARTRAY_TITLE": CHOOSE, "BEARTRAY_START": str(start)}
        return _chosen(_ask(self._children, command, extra), "no folder dialog could be shown")

    def confirm(self, question: str, yes: str) -> bool:  # noqa: ARG002
        # The system names the buttons; the question itself says what OK will do.
        return self._message_box(0, harmless(question), TITLE, self._QUESTION) == self._OK


def _ask(children: Children, command: list[str], extra: Mapping[str, str] | None = None) -> Answer:
    try:
        return children.ask(command, extra)
    except OSError as error:
        raise BeartrayError(f"{command[0]} could not be started ({error}); {INSTEAD}") from None


def _chosen(answer: Answer, problem: str) -> Path | None:
    """1 is Cancel for every one of these programs, unless it complained of having no screen."""
    if answer.status == 0 and (name := answer.output.rstrip("\r\n")):
        return Path(name)
    _check(answer, f"{problem}; {INSTEAD}")
    return None


def _agreed(answer: Answer) -> bool:
    if answer.status == 0:
        return True
    _check(answer, "the question could not be shown; use “beartray sort DIR” instead")
    return False


def _check(answer: Answer, problem: str) -> None:
    taken_away = answer.status == -signal.SIGTERM
    if (answer.status not in (0, 1) and not taken_away) or "cannot open display" in answer.error:
        raise BeartrayError(problem)


def _existing(folder: Path) -> Path:
    """`folder`, or the nearest one above it that is there."""
    return next((path for path in (folder, *folder.parents) if path.is_dir()), Path.home())
