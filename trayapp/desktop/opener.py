"""Opens a folder, or shows a photo in its folder, in the desktop's file manager."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from trayapp.desktop.children import Children
from trayapp.photo import BeartrayError


class Opener(Protocol):
    """Both raise `BeartrayError` when the file manager, or what it should show, is not there."""

    def open_folder(self, folder: Path) -> None: ...
    def show_file(self, path: Path) -> None: ...


class LinuxOpener:
    """`show_items(uri)` asks the file manager to select a file: whether it answered."""

    def __init__(self, children: Children, show_items: Callable[[str], bool]) -> None:
        self._children = children
        self._show_items = show_items

    def open_folder(self, folder: Path) -> None:
        # Absolute, so that no name is taken for an option.
        target = str(_folder(folder))
        for program in (["xdg-open"], ["gio", "open"]):
            if self._children.find(program[0]) and self._children.launch([*program, target]):
                return
        raise BeartrayError(f"no file manager could be started to show {target}")

    def show_file(self, path: Path) -> None:
        if os.path.lexists(path) and self._show_items(path.absolute().as_uri()):
            return
        self.open_folder(path.parent)


class MacOpener:
    """Finder."""

    def __init__(self, children: Children) -> None:
        self._children = children

    def open_folder(self, folder: Path) -> None:
        self._open(["open", str(_folder(folder))])

    def show_file(self, path: Path) -> None:
        if os.path.lexists(path):
            self._open(["open", "-R", str(path.absolute())])
        else:
            self.open_folder(path.parent)

    def _open(self, command: list[str]) -> None:
        if not self._children.launch(command):
            raise BeartrayError(f"Finder could not show {command[-1]}")


class WindowsOpener:
    """Explorer; its exit status says nothing, it is 1 even when all went well."""

    def __init__(self, children: Children, startfile: Callable[[str], None]) -> None:
        self._children = children
        self._startfile = startfile

    def open_folder(self, folder: Path) -> None:
        target = str(_folder(folder))
        try:
            self._startfile(target)
        except OSError as error:
            raise BeartrayError(f"Explorer could not show {target}: {error}") from None

    def show_file(self, path: Path) -> None:
        if not os.path.lexists(path):
            self.open_folder(path.parent)
            return
        # Explorer wants the quotes around the path only, which a list of arguments cannot say;
        # a Windows name holds no quote of its own.
        self._children.launch(f'explorer.exe /select,"{path.absolute()}"')


def _folder(folder: Path) -> Path:
    absolute = folder.absolute()
    if not absolute.is_dir():
        raise BeartrayError(f"{absolute} is not there any more")
    return absolute
