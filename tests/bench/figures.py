"""A measured figure, and the table that people and programs read."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby


@dataclass(frozen=True, slots=True)
class Figure:
    """One row: `value` in `unit`; `note` says what it is compared with."""

    group: str
    name: str
    value: float
    unit: str
    note: str = ""


def spread(group: str, name: str, seconds: Sequence[float], note: str = "") -> Iterator[Figure]:
    """Median, 90th percentile and maximum of times, in milliseconds."""
    ordered = sorted(seconds)
    p90 = ordered[min(len(ordered) - 1, round(0.9 * (len(ordered) - 1)))]
    yield Figure(group, f"{name}, median of {len(ordered)}", 1e3 * median(ordered), "ms", note)
    yield Figure(group, f"{name}, 90 % within", 1e3 * p90, "ms")
    yield Figure(group, f"{name}, longest", 1e3 * ordered[-1], "ms")


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def machine() -> str:
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} CPUs, {platform.system()} {platform.machine()}, {python}"


def table(figures: Iterable[Figure]) -> Iterator[str]:
    """The lines of the table; one blank line before each group."""
    rows = list(figures)
    width = max((len(row.name) for row in rows), default=0)
    for group, members in groupby(rows, key=lambda row: row.group):
        yield f"\n{group}"
        for row in members:
            yield f"  {row.name:<{width}}  {number(row.value):>8} {row.unit:<9} {row.note}".rstrip()


def lines_of_json(figures: Iterable[Figure]) -> Iterator[str]:
    yield from (json.dumps(asdict(figure)) for figure in figures)


def number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
