"""Opens folders and texts, and shows photos in their folder, with the desktop's own programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from trayapp.desktop.children import Children
from trayapp.photo import BeartrayError

MOST_SELECTED = 50  # photos; more are not looked at one by one, and some managers take their time


class Opener(Protocol):
    """All raise `BeartrayError` when the program, or what it should show, is not there.

    `show_file` selects a photo in its folder, `show_files` several of one folder; where the file
    manager cannot, it opens the folder. `open_text` opens a file to read and edit, `open_page` an
    address in the person's browser.
    """

    def open_folder(self, folder: Path) -> None: ...
    def show_file(self, path: Path) -> None: ...
    def show_files(self, paths: Sequence[Path]) -> None: ...
    def open_text(self, file: Path) -> None: ...
    def open_page(self, address: str) -> None: ...


def show_photos(opener: Opener, folder: Path, photos: Sequence[Path]) -> None:
    """Select `photos` where that helps, else open `folder`, which they lie in or below.

    A file manager opens a window for every folder that something is to be selected in.
    """
    together = len({photo.parent for photo in photos}) == 1
    if together and len(photos) <= MOST_SELECTED:
        opener.show_files(photos)
    else:
        opener.open_folder(photos[0].parent if together else folder)


class LinuxOpener:
    """`show_items(*uris)` asks the file manager to select files: whether it answered."""

    def __init__(
        self, children: Children, show_items: Callable[..., bool], screen: bool = True
    ) -> None:
        self._children = children
        self._show_items = show_items
        self._programs = [["xdg-open"]]
        if screen:  # without one gio says all is well, and what it starts ends at once
            self._programs.append(["gio", "open"])

    def open_folder(self, folder: Path) -> None:
        self._open(_folder(folder), "file manager")

    def show_file(self, path: Path) -> None:
        self.show_files([path])

    def show_files(self, paths: Sequence[Path]) -> None:
        there = [path.absolute().as_uri() for path in paths if os.path.lexists(path)]
        if there and self._show_items(*there):
            return
        self.open_folder(paths[0].parent)

    def open_text(self, file: Path) -> None:
        self._open(_file(file), "text editor")

    def open_page(self, address: str) -> None:
        if not self._launch(address):
            raise BeartrayError("no browser could be started; `beartray review --print` helps")

    def _open(self, path: Path, kind: str) -> None:
        # Absolute, so that no name is taken for an option.
        if not self._launch(str(path)):
            raise BeartrayError(f"no {kind} could be started to show {path}")

    def _launch(self, target: str) -> bool:
        return any(
            self._children.find(program[0]) and self._children.launch([*program, target])
            for program in self._programs
        )


class MacOpener:
    """Finder, and the person's text editor."""

    def __init__(self, children: Children) -> None:
        self._children = children

    def open_folder(self, folder: Path) -> None:
        self._open(["open", str(_folder(folder))])

    def show_file(self, path: Path) -> None:
        self.show_files([path])

    def show_files(self, paths: Sequence[Path]) -> None:
        if there := [str(path.absolute()) for path in paths if os.path.lexists(path)]:
            self._open(["open", "-R", *there])
        else:
            self.open_folder(paths[0].parent)

    def open_text(self, file: Path) -> None:
        self._open(["open", "-t", str(_file(file))])

    def open_page(self, address: str) -> None:
        self._open(["open", address])

    def _open(self, command: list[str]) -> None:
        if not self._children.launch(command):
            raise BeartrayError(f"macOS could not show {command[-1]}")


class WindowsOpener:
    """Explorer, whose exit status says nothing: it is 1 even when all went well; and Notepad."""

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

    def show_files(self, paths: Sequence[Path]) -> None:
        """Explorer's command line selects no more than one."""
        if len(paths) == 1:
            self.show_file(paths[0])
        else:
            self.open_folder(paths[0].parent)

    def open_text(self, file: Path) -> None:
        """Nothing need be registered for .toml and .log; Notepad is always there."""
        target = str(_file(file))
        try:
            self._startfile(target)
        except OSError:
            self._children.launch(["notepad.exe", target])

    def open_page(self, address: str) -> None:
        try:
            self._startfile(address)
        except OSError as error:
            raise BeartrayError(f"no browser could be started: {error}") from None


def _folder(folder: Path) -> Path:
    absolute = folder.absolute()
    if not absolute.is_dir():
        raise BeartrayError(f"{absolute} is not there any more")
    return absolute


def _file(file: Path) -> Path:
    absolute = file.absolute()
    if not absolute.is_file():
        raise BeartrayError(f"{absolute} is not there")
    return absolute
