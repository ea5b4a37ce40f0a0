"""Dialogs on Windows: the choosers through PowerShell, questions through `MessageBoxW`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trayapp.desktop import dialogs_programs as programs
from trayapp.desktop.children import Children
from trayapp.desktop.words import harmless

# Words travel in the environment, so that nothing in them is code.
_BEGIN = (
    "[Console]::OutputEncoding = [Text.Encoding]::UTF8; "
    "Add-Type -AssemblyName System.Windows.Forms; "
    "$o = New-Object System.Windows.Forms.Form -Property @{TopMost = $true}; "
)
_CHOOSE_FOLDER = _BEGIN + (
    "$d = New-Object System.Windows.Forms.FolderBrowserDialog; "
    "$d.Description = $env:BEARTRAY_TITLE; $d.SelectedPath = $env:BEARTRAY_START; "
    "if ($d.ShowDialog($o) -eq 'OK') { [Console]::Out.Write($d.SelectedPath) } else { exit 1 }"
)
_CHOOSE_PHOTO = _BEGIN + (
    "$d = New-Object System.Windows.Forms.OpenFileDialog; "
    "$d.Title = $env:BEARTRAY_TITLE; $d.InitialDirectory = $env:BEARTRAY_START; "
    "$d.Filter = $env:BEARTRAY_FILTER; "
    "if ($d.ShowDialog($o) -eq 'OK') { [Console]::Out.Write($d.FileName) } else { exit 1 }"
)
_FRONT = 0x10000 | 0x40000  # MB_SETFOREGROUND, MB_TOPMOST
_QUESTION = 0x1 | 0x20 | _FRONT  # OK and Cancel, question mark
_NOTE = 0x40 | _FRONT  # OK alone, information mark
_OK = 1


class WindowsDialogs:
    """`message_box(owner, text, title, kind)` returns the id of the button pressed."""

    def __init__(
        self, children: Children, message_box: Callable[[int, str, str, int], int]
    ) -> None:
        self._children = children
        self._message_box = message_box

    def choose_folder(self, start: Path) -> Path | None:
        return self._choose(_CHOOSE_FOLDER, programs.CHOOSE_FOLDER, start, programs.NO_FOLDER)

    def choose_photo(self, start: Path) -> Path | None:
        return self._choose(_CHOOSE_PHOTO, programs.CHOOSE_PHOTO, start, programs.NO_PHOTO)

    def confirm(self, question: str, yes: str) -> bool:  # noqa: ARG002
        # The system names the buttons; the question itself says what OK will do.
        return self._message_box(0, harmless(question), programs.TITLE, _QUESTION) == _OK

    def tell(self, title: str, text: str) -> None:
        self._message_box(0, programs.lines(text), title, _NOTE)

    def _choose(self, script: str, title: str, start: Path, instead: str) -> Path | None:
        command = ["powershell", "-NoProfile", "-STA", "-Command", script]
        wanted = ";".join(pattern for pattern in programs.patterns() if pattern.islower())
        extra = {
            "BEARTRAY_TITLE": title,
            "BEARTRAY_START": str(start),
            "BEARTRAY_FILTER": f"Photos|{wanted}|All files|*.*",
        }
        return programs.chosen(programs.run(self._children, command, instead, extra), instead)
