"""Decides what the tray's menu says: a pure function from what is going on to rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trayapp.desktop.words import harmless, readable_name, shorten_end
from trayapp.photo import Entry

TrayState = Literal["watching", "busy", "paused", "problem"]
RECENT = 5
LINE = 80  # characters of a state line; menus grow as wide as their longest row


@dataclass(frozen=True)
class View:
    """What the tray shows at one moment.

    `headline` is one line such as "Watching ~/Pictures/Beartray · 12 filed today", `recent` is
    newest first, `existing` counts the photos that lay in the folder before and can be sorted on
    request, `undoable` is what Undo would take back, `problem` a sentence or None.
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


@dataclass(frozen=True)
class PauseFor:
    """Pause for `seconds`, or until resumed (None)."""

    seconds: float | None


@dataclass(frozen=True)
class ShowEntry:
    """Show where this photo lies now."""

    entry: Entry


@dataclass(frozen=True)
class UndoEntry:
    """Take back this photo, as long as it is still the last one."""

    entry: Entry


@dataclass(frozen=True)
class SetAtLogin:
    """Start at login from now on, or no more."""

    wanted: bool


Simple = Literal["resume", "change folder", "open folder", "sort existing", "quit"]
Command = PauseFor | ShowEntry | UndoEntry | SetAtLogin | Simple


@dataclass(frozen=True)
class Row:
    """One line of the menu. Rows with the same `key` are the same item, whatever they say."""

    key: str
    text: str
    command: Command | None = None
    enabled: bool = True
    checked: bool | None = None
    default: bool = False
    rows: tuple[Row | None, ...] | None = None


def rows(view: View) -> tuple[Row | None, ...]:
    """The menu from top to bottom; None is a separator."""
    resume_or_pause: Command = "resume" if view.paused else PauseFor(None)
    return (
        *_state_rows(view),
        Row("pause", "Pause", resume_or_pause, checked=view.paused),
        Row("pause for one hour", "Pause for one hour", PauseFor(3600.0)),
        None,
        Row("change folder", "Change folder…", "change folder"),
        Row("open folder", "Open folder", "open folder", default=True),
        _recent_row(view.recent),
        _undo_row(view.undoable),
        *_existing_rows(view.existing),
        None,
        Row("at login", "Start at login", SetAtLogin(not view.at_login), checked=view.at_login),
        Row("quit", "Quit", "quit"),
    )


def tooltip(view: View, limit: int) -> str:
    """What hovering over the icon says, at most `limit` characters."""
    return shorten_end(harmless(f"Beartray – {view.problem or view.headline}"), limit)


def sort_question(existing: int, folder: Path) -> str:
    """What is asked before photos are touched that were there before Beartray."""
    count = "the photo" if existing == 1 else f"the {existing:,} photos"
    name = readable_name(folder.name or str(folder))
    return f"Sort {count} already in “{name}”? Each one can be undone."


def _state_rows(view: View) -> tuple[Row, ...]:
    state = Row("state", shorten_end(harmless(view.headline), LINE), enabled=False)
    if not view.problem:
        return (state,)
    problem = Row("problem", shorten_end(harmless(f"⚠ {view.problem}"), LINE), enabled=False)
    return (problem,) if view.problem == view.headline else (state, problem)


def _recent_row(recent: tuple[Entry, ...]) -> Row:
    entries = tuple(
        Row(f"recent {entry.id}", _filed(entry), ShowEntry(entry)) for entry in recent[:RECENT]
    )
    nothing = (Row("nothing yet", "Nothing filed yet", enabled=False),)
    return Row("recent", "Recent", rows=entries or nothing)


def _filed(entry: Entry) -> str:
    sure = "" if entry.confidence is None else f", {_percent(entry.confidence)} %"
    return f"{readable_name(entry.path.name)} → {readable_name(entry.label or 'unsure', 30)}{sure}"


def _percent(confidence: float) -> int:
    """Whole percent, rounded down, so that 100 % means just that."""
    return int(confidence * 100 + 1e-9)


def _undo_row(undoable: Entry | None) -> Row:
    if undoable is None:
        return Row("undo", "Undo last", enabled=False)
    text = f"Undo last: {readable_name(undoable.path.name)}"
    # The key names the photo: a click on a menu that is a moment old must not undo another one.
    return Row(f"undo {undoable.id}", text, UndoEntry(undoable))


def _existing_rows(existing: int) -> tuple[Row, ...]:
    if existing <= 0:
        return ()
    count = "photo" if existing == 1 else f"{existing:,} photos"
    return (Row("sort existing", f"Sort the {count} already here…", "sort existing"),)
