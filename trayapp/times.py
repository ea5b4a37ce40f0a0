"""Reads the spans and moments that people type, such as "1h30m" or "tomorrow", and says some."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta

from trayapp.photo import BeartrayError

LONGEST_SECONDS = 366 * 86400.0
YEAR_3000 = 32_503_680_000.0  # seconds since the epoch
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SPAN = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
# "Until tomorrow" is until the next 6 o'clock in the morning: for who is still up at one at
# night, tomorrow has not begun, and at six nobody waits any more for what the night was kept free.
MORNING = time(6)
_CLOCK = re.compile(r"(\d\d?):(\d\d)")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])")


def seconds(text: str) -> float:
    """A span such as "90s", "30m", "1h" or "1h30m". Raises `BeartrayError`."""
    found = text.strip().lower().replace(" ", "")
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(found))
    if not _SPAN.fullmatch(found) or not 0 < total <= LONGEST_SECONDS:
        raise BeartrayError(f"{text!r} is not a span of time; write for example 30m, 1h or 1h30m")
    return total


def on_the_calendar(since_epoch: float) -> float:
    """`since_epoch`, in seconds, where a calendar can show it. Raises `BeartrayError`."""
    if not 0 <= since_epoch <= YEAR_3000:  # nor is it when it is not a number
        raise BeartrayError("a pause has to end between the years 1970 and 3000")
    return float(since_epoch)


def local_now() -> datetime:
    """The time on the wall, without an offset that summer time could make wrong tomorrow."""
    return datetime.now()  # noqa: DTZ005


def midnight() -> float:
    """Seconds since the epoch of the beginning of today."""
    return datetime.combine(local_now().date(), time()).timestamp()


def tomorrow(now: datetime) -> float:
    """Seconds since the epoch of the next morning at 6:00; `now` is local, or has a time zone."""
    return _next(MORNING, now)


def until(text: str, now: datetime) -> float:
    """Seconds since the epoch of a moment to come: "tomorrow", "18:30", an ISO date and time.

    A time of day that has passed is tomorrow's. `now` is as for `tomorrow`. Raises
    `BeartrayError`.
    """
    word = text.strip().lower()
    if word == "tomorrow":
        return tomorrow(now)
    try:
        clock = _CLOCK.fullmatch(word)
        if clock:
            found = _next(time(int(clock[1]), int(clock[2])), now)
        else:
            date = datetime.fromisoformat(text.strip())
            found = (date if date.tzinfo else date.replace(tzinfo=now.tzinfo)).timestamp()
    except (ValueError, OverflowError, OSError):
        found = 0.0
    if 0 < found - now.timestamp() <= LONGEST_SECONDS:
        return found
    raise BeartrayError(
        f"{text!r} is no time to come; write for example tomorrow, 18:30 or 2026-11-21T14:00"
    )


def until_words(until: float, now: datetime) -> str:
    """A moment to come as people say it: "15:04", "tomorrow, 06:00"; `now` as for `tomorrow`."""
    moment = datetime.fromtimestamp(until, now.tzinfo)
    if moment.date() == now.date():
        return f"{moment:%H:%M}"
    if moment.date() == now.date() + timedelta(days=1):
        return f"tomorrow, {moment:%H:%M}"
    return f"{moment:%Y-%m-%d, %H:%M}"


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


def _next(clock: time, now: datetime) -> float:
    """The next time that a clock on the wall shows `clock`, whatever summer time does meanwhile."""
    today = datetime.combine(now.date(), clock, now.tzinfo)
    days = int(today.timestamp() <= now.timestamp())
    return (today + timedelta(days=days)).timestamp()
