"""Turns what happened into words; gathers what came in one burst into one notice."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trayapp.photo import Entry, Verdict

Mode = Literal["each", "digest", "problems", "off"]

# Seconds without anything new before a burst counts as over, and the longest that one may take.
QUIET = {"each": 0.7, "digest": 30.0, "problems": 0.7, "off": 0.7}
LONGEST = {"each": 60.0, "digest": 600.0, "problems": 60.0, "off": 60.0}


SHOWN = 3  # problems in one notification
NAME_LENGTH = 60  # characters of a photo's name; a name may have 255


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification.

    `undo` are the journal ids that its Undo button takes back, `show` is the photo or folder that
    its Show button reveals in the file manager.
    """

    title: str
    body: str
    undo: Sequence[int] = ()
    problem: bool = False
    show: Path | None = None


@dataclass(frozen=True, slots=True)
class Filed:
    entry: Entry


@dataclass(frozen=True, slots=True)
class Left:
    """A photo of no known class that stays where it is."""

    path: Path
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something a person has to know; `path` is the photo that it is about."""

    message: str
    path: Path | None = None


Event = Filed | Left | Trouble


class Gather:
    """Collects events until a burst is over; the clock is passed in, as `now` in seconds."""

    def __init__(self, mode: Mode) -> None:
        self.mode: Mode = mode
        self._tally = _Tally()
        self._first = self._last = 0.0

    def add(self, event: Event, now: float) -> None:
        if not self._tally:
            self._first = now
        self._last = now
        self._tally.add(event)

    def due(self, idle: bool) -> float | None:
        """When to ask `notices` again, None when there is nothing to tell.

        `idle` when no more photos are on their way: while some are, the burst is not over.
        """
        if not self._tally:
            return None
        latest = self._first + LONGEST[self.mode]
        return min(self._last + QUIET[self.mode], latest) if idle else latest

    def notices(self, now: float, idle: bool) -> list[Notice]:
        """What to show now."""
        due = self.due(idle)
        return [] if due is None or now < due else self.flush()

    def flush(self) -> list[Notice]:
        """What has gathered so far, over or not."""
        tally, self._tally = self._tally, _Tally()
        return tally.notices(self.mode)


def compose(events: Sequence[Event], mode: Mode) -> list[Notice]:
    """The notices for what happened together: at most one for photos, and one for problems."""
    tally = _Tally()
    for event in events:
        tally.add(event)
    return tally.notices(mode)


def percent(confidence: float | None) -> str:
    """0.98 is "98 %"; never "100 %" for what is less than certain."""
    if confidence is None:
        return "?"
    return f"{min(round(confidence * 100), 99 if confidence < 1 else 100)} %"


def arrow(entry: Entry) -> str:
    """ "IMG_0412.jpg → grizzly, 98 %" """
    return f"{entry.path.name} → {_outcome(entry)}"


def shorten_middle(text: str, limit: int) -> str:
    """At most `limit` characters; the middle goes, as a name's number and suffix say the most."""
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    head = limit - 1 - tail
    return f"{text[:head]}…{text[len(text) - tail :]}"


def _outcome(entry: Entry) -> str:
    if entry.label is None:
        return entry.destination.parent.name
    if entry.confidence is None:  # somebody said so
        return entry.label
    return f"{entry.label}, {percent(entry.confidence)}"


def _one(event: Filed | Left) -> Notice:
    if isinstance(event, Filed):
        entry = event.entry
        verb = {"move": "filed", "copy": "copied", "tag": "tagged"}[entry.action]
        body = f"{shorten_middle(entry.path.name, NAME_LENGTH)} → {_outcome(entry)}"
        return Notice(f"Photo {verb}", body, (entry.id,), show=entry.place)
    best = max(event.verdict.scores, key=event.verdict.scores.__getitem__, default=None)
    guess = f" (best guess: {best}, {percent(event.verdict.confidence)})" if best else ""
    body = f"{shorten_middle(event.path.name, NAME_LENGTH)} stays where it is{guess}"
    return Notice("Photo not recognised", body, show=event.path)


class _Common:
    """The folder that all of some files lie in; None on Windows when they are on several drives."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._none = False

    def add(self, place: Path) -> None:
        if self._none:
            return
        try:
            folder = self.folder or place.parent
            self.folder = Path(os.path.commonpath([folder, place.parent]))
        except ValueError:
            self.folder, self._none = None, True


class _Tally:
    """What is told of a burst, however long it is: numbers and names, not the photos."""

    def __init__(self) -> None:
        self._alone: Filed | Left | None = None  # the first, and at the end maybe the only one
        self._labels = Counter[str]()
        self._ids = array("q")  # of a backlog there are thousands, and this takes a fifth
        self._left = 0
        self._filed_to, self._left_in = _Common(), _Common()
        self._troubles: list[Trouble] = []
        self._more_troubles = 0

    def __bool__(self) -> bool:
        return bool(self._alone or self._troubles)

    def add(self, event: Event) -> None:
        if isinstance(event, Trouble):
            if len(self._troubles) < SHOWN:
                self._troubles.append(event)
            else:
                self._more_troubles += 1
            return
        self._alone = self._alone or event
        if isinstance(event, Filed):
            self._labels[event.entry.label or "unsure"] += 1
            self._ids.append(event.entry.id)
            self._filed_to.add(event.entry.place)
        else:
            self._left += 1
            self._left_in.add(event.path)

    def notices(self, mode: Mode) -> list[Notice]:
        if mode == "off":
            return []
        notices = [_trouble(self._troubles, self._more_troubles)] if self._troubles else []
        if self._alone and mode != "problems":
            only = len(self._ids) + self._left == 1
            notices.insert(0, _one(self._alone) if only else self._digest())
        return notices

    def _digest(self) -> Notice:
        if not self._ids:
            title = f"{self._left} photos not recognised"
            return Notice(title, "They stay where they are.", show=self._left_in.folder)
        parts = [f"{count} {label}" for label, count in self._labels.most_common()]
        parts += [f"{self._left} not recognised"] if self._left else []
        title = f"{len(self._ids)} photos filed" if len(self._ids) != 1 else "1 photo filed"
        return Notice(title, ", ".join(parts), tuple(self._ids), show=self._filed_to.folder)


def _trouble(events: Sequence[Trouble], more: int) -> Notice:
    if len(events) == 1:
        (only,) = events
        return Notice("Beartray needs you", only.message, problem=True, show=only.path)
    lines = [event.message for event in events]
    lines += [f"… and {more} more; see `beartray status`"] if more else []
    return Notice(f"{len(events) + more} problems", "\n".join(lines), problem=True)
