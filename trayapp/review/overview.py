"""How many photos of what, how sure the model was, and how often a person put it right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from trayapp.corrections import CURRENT, Corrections
from trayapp.database import Database
from trayapp.review.gallery import LISTED
from trayapp.review.plots import Plot, histogram, stacks

PERIODS = {"month": "30 days", "year": "12 months"}
BINS = 20


@dataclass(frozen=True, slots=True)
class Seen:
    """What the model said of photos, and what a person made of it: `filed` as `label` by the
    model, of which `wrong` were put right. `instead` says what they were, most first.
    """

    label: str | None
    filed: int
    wrong: int
    instead: Sequence[tuple[str | None, int]]

    @property
    def right(self) -> float:
        return 1 - self.wrong / self.filed if self.filed else 1.0


@dataclass(frozen=True, slots=True)
class Found:
    """An overview of one period; `days` says how often which label came when."""

    period: str
    total: int
    refused: int
    labels: Sequence[str | None]
    times: Sequence[tuple[str, Mapping[str | None, int]]]
    bins: Sequence[int]
    seen: Sequence[Seen]
    by_time: Plot
    by_confidence: Plot

    @property
    def wrong(self) -> int:
        return sum(one.wrong for one in self.seen)

    @property
    def share_refused(self) -> float:
        return self.refused / self.total if self.total else 0.0


class Overview:
    """Counts in the journal's file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, period: str, today: date) -> Found:
        """The overview of the last 30 days or 12 months."""
        slots = _days(today) if period == "month" else _months(today)
        since = datetime.combine(slots[0], datetime.min.time()).timestamp()
        form = "%Y-%m-%d" if period == "month" else "%Y-%m-01"
        counts = self._counts(since, form)
        times = [(_slot_name(slot, period), counts.get(slot.isoformat(), {})) for slot in slots]
        totals: Counter[str | None] = Counter()
        for _, count in times:
            totals.update(count)
        labels = sorted(totals, key=lambda label: (label is None, label))
        bins = self._bins(since)
        return Found(
            period,
            total=totals.total(),
            refused=totals[None],
            labels=labels,
            times=times,
            bins=bins,
            seen=self._seen(since),
            by_time=stacks(times, labels),
            by_confidence=histogram(bins),
        )

    def _counts(self, since: float, form: str) -> dict[str, dict[str | None, int]]:
        query = (
            "SELECT strftime(?, time, 'unixepoch', 'localtime'), label, count(*)"
            f" FROM entries INDEXED BY gallery WHERE {LISTED} AND {CURRENT} AND time >= ?"
            " GROUP BY 1, 2"
        )
        found: dict[str, dict[str | None, int]] = {}
        with self._database.reading() as db:
            for slot, label, count in db.execute(query, (form, since)).fetchall():
                found.setdefault(slot, {})[label] = count
        return found

    def _bins(self, since: float) -> list[int]:
        query = (
            f"SELECT min(CAST(confidence * {BINS} AS INTEGER), {BINS - 1}), count(*)"
            f" FROM entries INDEXED BY gallery WHERE {LISTED} AND time >= ?"
            " AND confidence IS NOT NULL GROUP BY 1"
        )
        with self._database.reading() as db:
            counts = dict(db.execute(query, (since,)).fetchall())
        return [counts.get(number, 0) for number in range(BINS)]

    def _seen(self, since: float) -> list[Seen]:
        said = (
            f"SELECT label, count(*) FROM entries INDEXED BY gallery WHERE {LISTED}"
            " AND time >= ? AND id NOT IN (SELECT entry FROM corrections) GROUP BY label"
        )
        with self._database.reading() as db:
            filed = dict(db.execute(said, (since,)).fetchall())
        instead: dict[str | None, Counter[str | None]] = {}
        for one in Corrections(self._database).all():
            if one.time >= since and one.was != one.label:
                instead.setdefault(one.was, Counter())[one.label] += 1
        labels = sorted({*filed, *instead}, key=lambda label: (label is None, label))
        return [
            _seen(label, filed.get(label, 0), instead.get(label, Counter())) for label in labels
        ]


def _seen(label: str | None, filed: int, instead: Counter[str | None]) -> Seen:
    wrong = instead.total()
    return Seen(label, max(filed, wrong), wrong, instead.most_common())


def _days(today: date) -> list[date]:
    return [today - timedelta(days=back) for back in range(29, -1, -1)]


def _months(today: date) -> list[date]:
    last = today.year * 12 + today.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(last - 11, last + 1)]


def _slot_name(slot: date, period: str) -> str:
    return f"{slot.day} {slot:%b}" if period == "month" else f"{slot:%b %Y}"
