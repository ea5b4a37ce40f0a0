"""Words for the message windows: what a photo shows, and the question before many are sorted."""

from __future__ import annotations

from pathlib import Path

from trayapp.desktop.words import harmless, readable_name
from trayapp.photo import Verdict
from trayapp.tell import percent

NAME = 60  # characters; a window is wider than a menu


def sort_question(existing: int, folder: Path) -> str:
    """What is asked before photos are touched that were there before Beartray."""
    count = "the photo" if existing == 1 else f"the {existing:,} photos"
    name = readable_name(folder.name or str(folder))
    return f"Sort {count} already in “{name}”? Each one can be undone."


def in_words(verdict: Verdict) -> str:
    """ "grizzly, 98 %", or that it was not recognised, or why it cannot be read."""
    if verdict.reason == "unreadable":
        return verdict.error or "cannot be read"
    if verdict.label is not None:
        return f"{verdict.label}, {percent(verdict.confidence)}"
    best = max(verdict.scores, key=lambda label: verdict.scores[label], default="?")
    return f"not recognised (best guess: {best}, {percent(verdict.confidence)})"


def answer(photo: Path, verdict: Verdict) -> str:
    """What "What is this photo…" says: the photo, what it is, and that it was only looked at."""
    said = harmless(in_words(verdict))
    if verdict.reason == "unreadable" and said.startswith(harmless(photo.name)):
        return f"{said}\nNothing was moved."
    return f"{readable_name(photo.name, NAME)}: {said}\nNothing was moved."
