"""Asks the person for a folder or a photo, or yes or no, through the desktop's own dialogs."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Dialogs(Protocol):
    """Each blocks until the person has answered; never call them on the thread of the tray.

    All raise `BeartrayError` where no dialog can be shown. `start` is where a chooser opens.
    """

    def choose_folder(self, start: Path) -> Path | None:
        """The folder chosen, None when cancelled."""

    def choose_photo(self, start: Path) -> Path | None:
        """The photo chosen, None when cancelled."""

    def confirm(self, question: str, yes: str) -> bool:
        """Whether the person pressed the button `yes`."""

    def tell(self, title: str, text: str) -> None:
        """Show a few lines to read; returns once the window is closed."""
