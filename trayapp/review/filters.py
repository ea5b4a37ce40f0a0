"""Which photos an address of the gallery asks for, and the addresses that its filters lead to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import get_args
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from trayapp.review.gallery import Filter, Show

SHOWS: dict[Show, str] = {
    "all": "All",
    "none": "Not recognised",
    "unsure": "Unsure",
    "corrected": "Put right",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter to click: `on` where it is in force; `label` only where it is for one."""

    words: str
    address: str
    on: bool
    label: str | None = None


def read_filter(query: QueryParams) -> Filter:
    """What an address asks for; what makes no sense is left out."""
    show = query.get("show", "all")
    day: date | None = None
    with suppress(ValueError):
        found = date.fromisoformat(query.get("day", ""))
        day = found if 1971 <= found.year <= 9000 else None
    known: Show = show if show in get_args(Show) else "all"  # type: ignore[assignment]
    label = "" if known == "none" else query.get("label", "")
    return Filter(known, label, day, query.get("model", ""))


def address(wanted: Filter) -> str:
    """Of the gallery with this filter."""
    day = wanted.day.isoformat() if wanted.day else ""
    show = "" if wanted.show == "all" else wanted.show
    said = {"show": show, "label": wanted.label, "day": day, "model": wanted.model}
    query = urlencode({name: value for name, value in said.items() if value})
    return f"/?{query}" if query else "/"


def show_chips(wanted: Filter) -> Sequence[Chip]:
    """All, not recognised and so on; the day, the model and where it makes sense the label stay."""
    chips = []
    for show, words in SHOWS.items():
        label = wanted.label if show in ("unsure", "corrected") else ""
        on = wanted.show == show and wanted.label == label
        chips.append(Chip(words, address(replace(wanted, show=show, label=label)), on))
    return chips


def label_chips(wanted: Filter, labels: Iterable[str]) -> Sequence[Chip]:
    """One for each label; the one in force leads back to all labels."""
    show: Show = "all" if wanted.show == "none" else wanted.show
    chips = []
    for label in labels:
        on = wanted.label == label
        to = replace(wanted, show=show, label="" if on else label)
        chips.append(Chip(label, address(to), on, label))
    return chips
