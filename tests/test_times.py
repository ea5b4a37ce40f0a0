"""The spans and moments that people type."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

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
