"""What the review page is made with: the running Beartray, as far as the page may touch it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trayapp.database import Database
from trayapp.engine.wire import Shown
from trayapp.journal import Journal
from trayapp.photo import Entry, Verdict


class Correcting(Protocol):
    """Files the photo of an entry under a label, or as none of these."""

    def __call__(self, id_: int, label: str | None, batch: int | None = None) -> Entry: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that can be set: `kind` is "radio", "select", "switch" or "folder".

    `now` is the value in force, `options` are values with their words, `help` is a sentence.
    """

    name: str
    title: str
    kind: str
    now: str
    options: tuple[tuple[str, str], ...] = ()
    help: str = ""


class Controls(Protocol):
    """What the tray's menu sets. `set` raises `BeartrayError`, as a click in the menu would."""

    def choices(self) -> Sequence[Choice]: ...
    def set(self, name: str, value: str) -> None: ...
    def headline(self) -> str: ...
    def problem(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """`view` and `classify` ask the engine; `labels` are those of the model in use.

    `cache` holds small pictures, `scratch` uploads for as long as they are looked at.
    """

    database: Database
    journal: Journal
    correct: Correcting
    undo: Callable[[Iterable[int]], object]
    classify: Callable[[Path], Verdict]
    view: Callable[[Path, int], Future[Shown]]
    labels: Callable[[], tuple[str, ...]]
    controls: Controls
    cache: Path
    scratch: Path
