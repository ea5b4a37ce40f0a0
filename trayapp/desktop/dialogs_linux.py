"""Dialogs on Linux: the desktop's own program, else the portal, else a path typed in a terminal."""

from __future__ import annotations

import html
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from trayapp.desktop import dialogs_programs as programs
from trayapp.desktop.children import Answer, Children
from trayapp.desktop.dialogs_programs import NoChooserError
from trayapp.desktop.words import harmless
from trayapp.photo import BeartrayError

Chooser = Callable[[str, Path, bool], Path | None]
"""Asks, under a title, from a folder on, for a folder (True) or a photo (False)."""

# qarma and matedialog are zenity for Qt and for MATE; they take the same words.
_LIKE_ZENITY = ("zenity", "qarma", "matedialog")


class LinuxDialogs:
    """zenity or kdialog, whichever is there, kdialog first on Plasma.

    Where neither is, choosing is left to the `others`, the first that does not raise
    `NoChooserError`.
    """

    def __init__(
        self, children: Children, environ: Mapping[str, str], others: tuple[Chooser, ...] = ()
    ) -> None:
        self._children, self._others = children, others
        desktops = environ.get("XDG_CURRENT_DESKTOP", "").split(":")
        kde_first = "KDE" in desktops
        self._order = ("kdialog", *_LIKE_ZENITY) if kde_first else (*_LIKE_ZENITY, "kdialog")

    def choose_folder(self, start: Path) -> Path | None:
        title, instead = programs.CHOOSE_FOLDER, programs.NO_FOLDER
        if (tool := self._find()) is None:
            return self._other_way(title, start, True, instead)
        if tool == "kdialog":
            words = ["--title", title, "--getexistingdirectory", str(start)]
        else:
            # The trailing slash makes it open the folder instead of selecting it in its parent.
            here = f"--filename={start}{os.sep}"
            words = ["--file-selection", "--directory", f"--title={title}", here]
        return programs.chosen(self._run(instead, tool, *words), instead)

    def choose_photo(self, start: Path) -> Path | None:
        title, instead = programs.CHOOSE_PHOTO, programs.NO_PHOTO
        if (tool := self._find()) is None:
            return self._other_way(title, start, False, instead)
        wanted = " ".join(programs.patterns())
        if tool == "kdialog":
            filters = f"Photos ({wanted});;All files (*)"
            words = ["--title", title, "--getopenfilename", str(start), filters]
        else:
            words = ["--file-selection", f"--title={title}", f"--filename={start}{os.sep}"]
            words += [f"--file-filter=Photos | {wanted}", "--file-filter=All files | *"]
        return programs.chosen(self._run(instead, tool, *words), instead)

    def confirm(self, question: str, yes: str) -> bool:
        tool = self._tool(programs.NO_QUESTION)
        if tool == "kdialog":
            words = ["--yes-label", yes, "--no-label", "Cancel", "--yesno", _rich(question)]
            answer = self._run(programs.NO_QUESTION, tool, "--title", programs.TITLE, *words)
        else:
            words = ["--no-markup", f"--text={harmless(question)}", "--width=420"]
            words += [f"--ok-label={yes}", "--cancel-label=Cancel"]
            title = f"--title={programs.TITLE}"
            answer = self._run(programs.NO_QUESTION, tool, "--question", title, *words)
        return programs.agreed(answer)

    def tell(self, title: str, text: str) -> None:
        tool = self._tool("see the notification instead")
        if tool == "kdialog":
            words = ["--title", title, "--msgbox", _rich(text)]
        else:
            shown = programs.lines(text)
            words = ["--info", f"--title={title}", "--no-markup", f"--text={shown}", "--width=420"]
        answer = self._run("see the notification instead", tool, *words)
        programs.check(answer, f"no window could be shown for “{title}”")

    def _other_way(self, title: str, start: Path, folder: bool, instead: str) -> Path | None:
        for choose in self._others:
            try:
                return choose(title, programs.existing(start), folder)
            except NoChooserError:
                continue
        raise BeartrayError(f"no dialog program was found; install zenity or kdialog, or {instead}")

    def _tool(self, instead: str) -> str:
        if (tool := self._find()) is None:
            raise BeartrayError(
                f"no dialog program was found; install zenity or kdialog, or {instead}"
            )
        return tool

    def _find(self) -> str | None:
        return next((tool for tool in self._order if self._children.find(tool)), None)

    def _run(self, instead: str, *command: str) -> Answer:
        return programs.run(self._children, list(command), instead)


def _rich(text: str) -> str:
    """Qt guesses whether a text is HTML, and a file name could look like it; so all of it is."""
    shown = "<br>".join(html.escape(line) for line in programs.lines(text).split("\n"))
    return f"<qt>{shown}</qt>"
