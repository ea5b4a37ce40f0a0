"""The spans and moments that people type."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo, available_timezones

import pytest

from trayapp import times
from trayapp.photo import BeartrayError

NOW = datetime(2026, 11, 21, 14, 30, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("30m", 1800),
        ("1h", 3600),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        (" 2H ", 7200),
        ("0.5h", 1800),
        ("2d", 172_800),
    ],
)
def test_a_span(text: str, seconds: float) -> None:
    assert times.seconds(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "1", "h", "1x", "1h30", "-1h", "0s", "1e3s", "one hour", "9999d", "1h\n2"]
)
def test_what_is_no_span(text: str) -> None:
    with pytest.raises(BeartrayError, match="is not a span of time; write for example 30m"):
        times.seconds(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2h", "2026-11-21T12:30+02:00"),
        ("1h 30m", "2026-11-21T13:00+02:00"),
        ("today", "2026-11-21T00:00+02:00"),
        ("Yesterday", "2026-11-20T00:00+02:00"),
        ("14:00", "2026-11-21T14:00+02:00"),
        (" 09:05:30 ", "2026-11-21T09:05:30+02:00"),
        ("2026-11-01", "2026-11-01T00:00+02:00"),
        ("2026-11-01 08:00", "2026-11-01T08:00+02:00"),
        ("2026-11-01T08:00", "2026-11-01T08:00+02:00"),
        ("2026-11-01T08:00Z", "2026-11-01T08:00+00:00"),
        ("2026-11-01T08:00:00.5-05:00", "2026-11-01T08:00:00.500000-05:00"),
    ],
)
def test_a_moment(text: str, moment: str) -> None:
    assert times.moment(text, NOW) == datetime.fromisoformat(moment).timestamp()


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2026-13-01", "now", "5"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(BeartrayError, match="is not a time; write for example 2h, today, 14:00"):
        times.moment(text, NOW)


ZONE = "Europe/Berlin"


@pytest.mark.skipif(ZONE not in available_timezones(), reason="Windows has no list of time zones")
@pytest.mark.parametrize(
    ("now", "text", "until"),
    [
        ("2026-11-21T14:30", "tomorrow", "2026-11-22T06:00+01:00"),
        ("2026-11-22T01:00", "Tomorrow", "2026-11-22T06:00+01:00"),  # still up
        ("2026-03-28T22:00", "tomorrow", "2026-03-29T06:00+02:00"),  # summer time begins
        ("2026-10-24T22:00", "tomorrow", "2026-10-25T06:00+01:00"),  # and ends
        ("2026-11-21T14:30", "18:30", "2026-11-21T18:30+01:00"),
        ("2026-11-21T14:30", "8:05", "2026-11-22T08:05+01:00"),
        ("2026-11-21T14:30", "14:30", "2026-11-22T14:30+01:00"),
        ("2026-11-21T14:30", "2026-12-24T18:00", "2026-12-24T18:00+01:00"),
        ("2026-11-21T14:30", "2026-12-24T18:00Z", "2026-12-24T18:00+00:00"),
    ],
)
def test_a_moment_to_come(now: str, text: str, until: str) -> None:
    here = datetime.fromisoformat(now).replace(tzinfo=ZoneInfo(ZONE))
    assert times.until(text, here) == datetime.fromisoformat(until).timestamp()


@pytest.mark.parametrize(
    "text", ["", "soon", "yesterday", "25:00", "1h", "20", "2026-11-21T14:29", "2036-01-01", "9:5"]
)
def test_what_is_no_moment_to_come(text: str) -> None:
    with pytest.raises(BeartrayError, match="is no time to come; write for example tomorrow"):
        times.until(text, NOW)


@pytest.mark.parametrize(
    ("hours", "words"),
    [(1, "15:30"), (15.5, "tomorrow, 06:00"), (48, "2026-11-23, 14:30")],
)
def test_a_moment_to_come_in_words(hours: float, words: str) -> None:
    assert times.until_words(NOW.timestamp() + hours * 3600, NOW) == words


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), 1e300, 10**400, -1.0])
def test_what_is_no_moment_is_refused_before_a_clock_sees_it(moment: float) -> None:
    with pytest.raises(BeartrayError, match="between the years"):
        times.on_the_calendar(moment)
    assert times.on_the_calendar(1_800_000_000) == 1_800_000_000.0
