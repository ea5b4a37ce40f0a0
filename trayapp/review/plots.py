"""Counts → where the bars of a plot stand; the templates draw them as SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 720.0, 220.0
LEFT, RIGHT, TOP, BOTTOM = 40.0, 700.0, 12.0, 26.0  # a name may stand out at the right


@dataclass(frozen=True, slots=True)
class Bar:
    """A rectangle, in the plot's units; `label` decides its colour, `title` says what it counts."""

    x: float
    y: float
    width: float
    height: float
    label: str | None
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A number or a name on an axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars with the marks of both axes; empty where there is nothing to count."""

    bars: Sequence[Bar]
    across: Sequence[Mark]
    up: Sequence[Mark]
    width: float = WIDTH
    height: float = HEIGHT

    @property
    def right(self) -> float:
        return RIGHT


def stacks(
    times: Sequence[tuple[str, Mapping[str | None, int]]], labels: Sequence[str | None]
) -> Plot:
    """One stack for each time, of one bar for each label."""
    most = max((sum(counts.values()) for _, counts in times), default=0)
    top = _nice(most)
    step = (RIGHT - LEFT) / max(1, len(times))
    bars, every = [], math.ceil(len(times) / 10)
    for number, (name, counts) in enumerate(times):
        level = HEIGHT - BOTTOM
        for label in labels:
            height = _tall(counts.get(label, 0), top)
            if height:
                level -= height
                title = f"{name}: {counts[label]:,} {label or 'not recognised'}"
                x = LEFT + number * step + step * 0.15
                bars.append(Bar(x, level, step * 0.7, height, label, title))
    across = [
        Mark(LEFT + (number + 0.5) * step, name)
        for number, (name, _) in enumerate(times)
        if (len(times) - 1 - number) % every == 0
    ]
    return Plot(bars, across, _levels(top))


def histogram(bins: Sequence[int]) -> Plot:
    """How many photos for each twentieth of the confidence from 0 to 1."""
    top, step = _nice(max(bins, default=0)), (RIGHT - LEFT) / len(bins)
    bars = []
    for number, count in enumerate(bins):
        height = _tall(count, top)
        if height:
            share = 100 / len(bins)
            title = f"{number * share:.0f} to {(number + 1) * share:.0f} %: {count:,} photos"
            x, y = LEFT + number * step + 1, HEIGHT - BOTTOM - height
            bars.append(Bar(x, y, step - 2, height, "confidence", title))
    across = [
        Mark(LEFT + share / 100 * (RIGHT - LEFT), f"{share} %") for share in range(0, 101, 20)
    ]
    return Plot(bars, across, _levels(top))


def _nice(most: int) -> int:
    """The next of 2, 4, 6, 8, 10, 20, 40, 60 …: even, as half of it is a mark, too."""
    power = int("1" + "0" * (len(str(most)) - 1))
    tops = (2, *(power * step for step in (1, 2, 4, 6, 8, 10)))
    return next(top for top in tops if top >= most and top % 2 == 0)


def _tall(count: int, top: int) -> float:
    """Never so low that it cannot be seen."""
    return max(1.5, count / top * (HEIGHT - TOP - BOTTOM)) if count else 0.0


def _levels(top: int) -> list[Mark]:
    ground = HEIGHT - BOTTOM
    return [
        Mark(ground - share * (ground - TOP), f"{round(top * share):,}") for share in (0, 0.5, 1)
    ]
