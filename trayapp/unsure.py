"""Finds the photos that were not recognised, wherever the settings leave them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trayapp.decide import UNSURE
from trayapp.notes import Notes
from trayapp.photo import SUFFIXES
from trayapp.settings import Sort


@dataclass(frozen=True, slots=True)
class Unsure:
    """The photos of the folder `root` that no label fitted, under the rules `sort`."""

    notes: Notes
    sort: Sort
    root: Path

    @property
    def folder(self) -> Path:
        """Where they lie: among the others, or in a folder of their own."""
        return self.sort.base(self.root) / UNSURE if self._apart else self.root

    def count(self) -> int:
        """How many there are; quick."""
        if self._apart:
            return sum(1 for _ in _names_in(self.folder))
        return self.notes.count_unsure(self.root)

    def photos(self) -> list[Path]:
        """Those that are still there, by name; the others are forgotten."""
        if self._apart:
            return [self.folder / name for name in sorted(_names_in(self.folder))]
        self.forget_missing()
        return sorted(self.notes.unsure(self.root))

    def forget_missing(self) -> None:
        """Drop what went away while nobody watched; a folder that is away itself tells nothing."""
        if self.root.is_dir():
            self.notes.forget_vanished(self.root, "unsure")

    @property
    def _apart(self) -> bool:
        return self.sort.unsure == "folder" and self.sort.action != "tag"


def _names_in(folder: Path) -> Iterator[str]:
    """Of the photos in `folder`; those that are still on their way have hidden names."""
    with suppress(OSError), os.scandir(folder) as found:  # one by one: there may be 100,000
        for entry in found:
            name = entry.name
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES:  # noqa: PTH122
                yield name
