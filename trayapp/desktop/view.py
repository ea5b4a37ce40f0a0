"""What the tray shows at one moment, as values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trayapp.photo import Action, Entry
from trayapp.tell import Mode

TrayState = Literal["watching", "busy", "paused", "problem"]


@dataclass(frozen=True)
class Batch:
    """The photos that were filed together last; `count` of them are filed still."""

    id: int
    count: int


@dataclass(frozen=True)
class View:
    """What there is to show.

    `headline` is one line such as "Watching ~/Pictures/Beartray · 12 filed today", `today` says
    how many of each label, most first. `recent` is newest first, `existing` counts the photos
    that lay in the folder before and can be sorted on request, `unsure` those that were not
    recognised, `undoable` and `batch` are what Undo would take back. `model` is the package in
    use, `models` are the names of all that are installed. `problem` is a sentence or None.
    """

    state: TrayState
    headline: str
    folder: Path
    paused: bool
    recent: tuple[Entry, ...] = ()
    existing: int = 0
    undoable: Entry | None = None
    at_login: bool = False
    problem: str | None = None
    today: tuple[tuple[str, int], ...] = ()
    unsure: int = 0
    batch: Batch | None = None
    action: Action = "move"
    notify: Mode = "each"
    model: str = ""
    models: tuple[str, ...] = ()
