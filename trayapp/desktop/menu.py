"""Decides what the tray's menu says: a pure function from what is going on to rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trayapp.desktop.view import Batch, TrayState, View
from trayapp.desktop.words import harmless, readable_name, shorten_end
from trayapp.photo import Action, Entry
from trayapp.tell import Mode, percent

__all__ = ["Batch", "Command", "Row", "TrayState", "View", "rows", "tooltip"]

RECENT = 5
LINE = 80  # characters of a state line; menus grow as wide as their longest row

ACTIONS: Mapping[Action, str] = {
    "move": "Move into folders",
    "copy": "Copy into folders",
    "tag": "Tag where they are",
}
NOTIFICATIONS: Mapping[Mode, str] = {
    "each": "Each photo",
    "digest": "Digest",
    "problems": "Problems only",
    "off": "Off",
}


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
    """Take back this very photo."""

    entry: Entry


@dataclass(frozen=True)
class UndoBatch:
    """Take back what was filed together with this one, as far as it is filed still."""

    batch: int


@dataclass(frozen=True)
class SetAtLogin:
    """Start at login from now on, or no more."""

    wanted: bool


@dataclass(frozen=True)
class SetAction:
    """Move, copy or tag from now on."""

    action: Action


@dataclass(frozen=True)
class SetNotify:
    """Notify so much from now on."""

    mode: Mode


@dataclass(frozen=True)
class UseModel:
    """Classify with this package from now on."""

    package: str


Simple = Literal[
    "resume",
    "pause until tomorrow",
    "change folder",
    "open folder",
    "show unsure",
    "review",
    "what is this",
    "sort existing",
    "open settings",
    "open log",
    "about",
    "quit",
]
Command = (
    PauseFor
    | ShowEntry
    | UndoEntry
    | UndoBatch
    | SetAtLogin
    | SetAction
    | SetNotify
    | UseModel
    | Simple
)


@dataclass(frozen=True)
class Row:
    """One line of the menu. Rows with the same `key` are the same item, whatever they say.

    `checked` None is a plain item; with `radio` one of several is checked.
    """

    key: str
    text: str
    command: Command | None = None
    enabled: bool = True
    checked: bool | None = None
    default: bool = False
    rows: tuple[Row | None, ...] | None = None
    radio: bool = False


def rows(view: View) -> tuple[Row | None, ...]:
    """The menu from top to bottom; None is a separator.

    Submenus hold no submenus: GNOME's menus close the outer one when the inner one opens.
    """
    return (
        *_state_rows(view),
        _pause_row(view.paused),
        Row("pause for one hour", "Pause for one hour", PauseFor(3600.0)),
        Row("pause until tomorrow", "Pause until tomorrow", "pause until tomorrow"),
        None,
        Row("open folder", "Open folder", "open folder", default=True),
        Row("review", "Review…", "review"),
        _unsure_row(view.unsure),
        _recent_row(view.recent),
        Row("what is this", "What is this photo…", "what is this"),
        None,
        _undo_row(view.undoable),
        _undo_batch_row(view.batch),
        *_existing_rows(view.existing),
        None,
        _action_row(view.action),
        _model_row(view.model, view.models),
        _notify_row(view.notify),
        _settings_row(view.at_login),
        None,
        Row("about", "About Beartray", "about"),
        Row("quit", "Quit", "quit"),
    )


def tooltip(view: View, limit: int) -> str:
    """What hovering over the icon says, at most `limit` characters."""
    counts = ", ".join(f"{count} {readable_name(label, 30)}" for label, count in view.today)
    doing = f"{view.headline}: {counts}" if counts else view.headline
    return shorten_end(harmless(f"Beartray – {view.problem or doing}"), limit)


def _state_rows(view: View) -> tuple[Row, ...]:
    state = Row("state", shorten_end(harmless(view.headline), LINE), enabled=False)
    if not view.problem:
        return (state,)
    problem = Row("problem", shorten_end(harmless(f"⚠ {view.problem}"), LINE), enabled=False)
    return (problem,) if view.problem == view.headline else (state, problem)


def _pause_row(paused: bool) -> Row:
    """Of a box, too, the key says what a click does: on a menu that is a moment old it must not
    do the opposite of what was seen."""
    if paused:
        return Row("resume", "Pause", "resume", checked=True)
    return Row("pause", "Pause", PauseFor(None), checked=False)


def _unsure_row(unsure: int) -> Row:
    count = f" ({unsure:,})" if unsure else ""
    return Row("unsure", f"Photos not recognised{count}", "show unsure", enabled=unsure > 0)


def _recent_row(recent: tuple[Entry, ...]) -> Row:
    entries = tuple(
        Row(f"recent {entry.id}", _filed(entry), ShowEntry(entry)) for entry in recent[:RECENT]
    )
    nothing = (Row("nothing yet", "Nothing filed yet", enabled=False),)
    return Row("recent", "Recent", rows=entries or nothing)


def _filed(entry: Entry) -> str:
    name = readable_name(entry.path.name)
    if entry.label is None:
        return f"{name} → unsure"
    sure = "" if entry.confidence is None else f", {percent(entry.confidence)}"  # a person said so
    return f"{name} → {readable_name(entry.label, 30)}{sure}"


def _undo_row(undoable: Entry | None) -> Row:
    if undoable is None:
        return Row("undo", "Undo last", enabled=False)
    text = f"Undo last: {readable_name(undoable.path.name)}"
    # The key names the photo: a click on a menu that is a moment old must not undo another one.
    return Row(f"undo {undoable.id}", text, UndoEntry(undoable))


def _undo_batch_row(batch: Batch | None) -> Row:
    if batch is None or batch.count < 2:  # one photo is what the row above takes back
        return Row("undo batch", "Undo last batch", enabled=False)
    text = f"Undo last batch ({batch.count:,} photos)"
    return Row(f"undo batch {batch.id}", text, UndoBatch(batch.id))


def _existing_rows(existing: int) -> tuple[Row, ...]:
    if existing <= 0:
        return ()
    count = "photo" if existing == 1 else f"{existing:,} photos"
    return (Row("sort existing", f"Sort the {count} already here…", "sort existing"),)


def _action_row(current: Action) -> Row:
    choices = tuple(
        Row(f"action {action}", text, SetAction(action), checked=action == current, radio=True)
        for action, text in ACTIONS.items()
    )
    return Row("action", f"Action: {current}", rows=choices)


def _model_row(current: str, models: tuple[str, ...]) -> Row:
    """A package that is used from where it lies is none of the installed ones, but is shown."""
    names = models if current in models or not current else (current, *models)
    choices = tuple(
        Row(f"model {name}", _model(name), UseModel(name), checked=name == current, radio=True)
        for name in names
    )
    nothing = (Row("no model", "None installed", enabled=False),)
    return Row("model", f"Model: {_model(current) or 'none'}", rows=choices or nothing)


def _model(package: str) -> str:
    return readable_name(Path(package).name)


def _notify_row(current: Mode) -> Row:
    choices = tuple(
        Row(f"notify {mode}", text, SetNotify(mode), checked=mode == current, radio=True)
        for mode, text in NOTIFICATIONS.items()
    )
    return Row("notify", f"Notifications: {NOTIFICATIONS[current].lower()}", rows=choices)


def _settings_row(at_login: bool) -> Row:
    """What is seldom wanted."""
    return Row(
        "settings",
        "Settings",
        rows=(
            Row("change folder", "Change folder…", "change folder"),
            _at_login_row(at_login),
            None,
            Row("settings file", "Settings file", "open settings"),
            Row("log", "Log", "open log"),
        ),
    )


def _at_login_row(at_login: bool) -> Row:
    key = "no more at login" if at_login else "at login"
    return Row(key, "Start at login", SetAtLogin(not at_login), checked=at_login)
