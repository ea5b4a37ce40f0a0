"""Turns what happened into words; gathers what came in one burst into one notice."""

from __future__ import annotations

import os
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


NAME_LENGTH = 60  # characters of a photo's name; a name may have 255


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification.

    `undo` are the journal ids that its Undo button takes back, `show` is the photo or folder that
    its Show button reveals in the file manager.
    """

    title: str
    body: str
    undo: tuple[int, ...] = ()
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
        self._events: list[Event] = []
        self._first = self._last = 0.0

    def add(self, event: Event, now: float) -> None:
        if not self._events:
            self._first = now
        self._last = now
        self._events.append(event)

    def due(self) -> float | None:
        """When to ask `notices` again, None when there is nothing to tell."""
        if not self._events:
            return None
        return min(self._last + QUIET[self.mode], self._first + LONGEST[self.mode])

    def notices(self, now: float, idle: bool) -> list[Notice]:
        """What to show now; `idle` when no more photos are on their way."""
        due = self.due()
        late = bool(self._events) and now >= self._first + LONGEST[self.mode]
        if due is None or now < due or not (idle or late):
            return []
        return self.flush()

    def flush(self) -> list[Notice]:
        """What has gathered so far, over or not."""
        events, self._events = self._events, []
        return compose(events, self.mode)


def compose(events: Sequence[Event], mode: Mode) -> list[Notice]:
    """The notices for what happened together: at most one for photos, and one for problems."""
    if mode == "off":
        return []
    troubles = [event for event in events if isinstance(event, Trouble)]
    photos = [event for event in events if not isinstance(event, Trouble)]
    notices = [_trouble(troubles)] if troubles else []
    if photos and mode != "problems":
        notices.insert(0, _one(photos[0]) if len(photos) == 1 else _digest(photos))
    return notices


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
    return f"{entry.label}, {percent(entry.confidence)}"


def _one(event: Filed | Left) -> Notice:
    if isinstance(event, Filed):
        entry = event.entry
        verb = {"move": "filed", "copy": "copied", "tag": "tagged"}[entry.action]
        body = f"{shorten_middle(entry.path.name, NAME_LENGTH)} → {_outcome(entry)}"
        return Notice(f"Photo {verb}", body, (entry.id,), show=entry.destination)
    best = max(event.verdict.scores, key=event.verdict.scores.__getitem__, default=None)
    guess = f" (best guess: {best}, {percent(event.verdict.confidence)})" if best else ""
    body = f"{shorten_middle(event.path.name, NAME_LENGTH)} stays where it is{guess}"
    return Notice("Photo not recognised", body, show=event.path)


def _digest(events: Sequence[Filed | Left]) -> Notice:
    filed = [event.entry for event in events if isinstance(event, Filed)]
    left = len(events) - len(filed)
    counts = Counter(entry.label or "unsure" for entry in filed)
    parts = [f"{count} {label}" for label, count in counts.most_common()]
    parts += [f"{left} not recognised"] if left else []
    title = f"{len(filed)} photos filed" if len(filed) != 1 else "1 photo filed"
    title = title if filed else f"{left} photos not recognised"
    body = ", ".join(parts) if filed else "They stay where they are."
    places = [entry.destination for entry in filed]
    places = places or [event.path for event in events if isinstance(event, Left)]
    return Notice(title, body, tuple(entry.id for entry in filed), show=_folder_of(places))


def _folder_of(places: Sequence[Path]) -> Path | None:
    """The folder that all of them lie in; None on Windows when they are on several drives."""
    try:
        return Path(os.path.commonpath([place.parent for place in places]))
    except ValueError:
        return None


def _trouble(events: Sequence[Trouble]) -> Notice:
    if len(events) == 1:
        (only,) = events
        return Notice("Beartray needs you", only.message, problem=True, show=only.path)
    shown = [event.message for event in events[:3]]
    more = [f"… and {len(events) - 3} more; see `beartray status`"] if len(events) > 3 else []
    return Notice(f"{len(events)} problems", "\n".join(shown + more), problem=True)
