"""Reads the spans and moments that a person types: "1h30m", "yesterday", "2026-11-21 14:00"."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from trayapp.photo import BeartrayError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def seconds(text: str) -> float:
    """A span such as "90s", "30m", "1h" or "1h30m". Raises `BeartrayError`."""
    found = text.strip().lower().replace(" ", "")
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(found))
    if not _SPAN.fullmatch(found) or not 0 < total <= 366 * 86400:
        raise BeartrayError(f"{text!r} is not a span of time; write for example 30m, 1h or 1h30m")
    return total


def moment(text: str, now: datetime) -> float:
    """Seconds since the epoch for a moment: "2h" ago, "today", "14:00", an ISO date or time.

    `now` has a time zone, which also holds for what is typed without one. Raises `BeartrayError`.
    """
    word = text.strip().lower()
    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    if word in ("today", "yesterday"):
        return (midnight - timedelta(days=word == "yesterday")).timestamp()
    if _SPAN.fullmatch(word.replace(" ", "")):
        return now.timestamp() - seconds(word)
    for attempt in (text.strip(), f"{now.date()}T{text.strip()}"):
        try:
            found = datetime.fromisoformat(attempt)
        except ValueError:
            continue
        return (found if found.tzinfo else found.replace(tzinfo=now.tzinfo)).timestamp()
    raise BeartrayError(
        f"{text!r} is not a time; write for example 2h, today, 14:00 or 2026-11-21T14:00"
    )
