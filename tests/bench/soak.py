"""A backlog of many thousands of photos through the real app, watched from outside meanwhile."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.engines import pool_rate
from tests.bench.figures import Figure, spread
from tests.bench.photos import copies
from tests.bench.running import Running, running, set_up, wait
from tests.bench.samples import Sample, take
from tests.bench.upkeep import afterwards
from tests.desktop.desk import Desk, Panel
from tests.desktop.desk.desk import PROGRAMS
from tests.program import Program

SHARE, GROWTH_MB, MENU_MS, HANDLES = 85.0, 20.0, 500.0, 8
EVERY_SECONDS = 2.0
QUIET_SECONDS = 5.0
STUCK_SECONDS = 120.0
ALONE = 1000  # photos that the bare engine is timed with, before and after
PARTS = 10  # of the backlog: each has a line of the table, and a menu that is clicked open


@dataclass(frozen=True, slots=True)
class _Seen:
    """The tray's process before, while and after it filed; `clicked` is how long a menu took
    from the click until it was drawn, in seconds."""

    before: Sample
    during: list[Sample]
    after: Sample
    clicked: list[float]
    took: float

    @property
    def filed(self) -> int:
        return self.during[-1].filed


def soak(
    scratch: Path, photos: Sequence[Path], count: int, workers: int, headless: bool
) -> Iterator[Figure]:
    """`count` photos arrive at once; then history, verification and undo of that; Linux only."""
    if sys.platform != "linux":
        return
    alone = copies(photos, scratch / "alone", min(count, ALONE))
    made = copies(photos, scratch / "made", count)
    os.sync()  # or the journal's first transactions wait for all of these
    with tempfile.TemporaryDirectory(prefix="desk") as folder, ExitStack() as stack:
        desk = None
        if not headless and all(shutil.which(name) for name in PROGRAMS):
            desk = stack.enter_context(closing(Desk(Path(folder), scratch / "shots")))
        program, inbox = _program(scratch, desk, workers)
        rates = [pool_rate(alone, workers).rate]
        seen = _file(program, inbox, made, desk)
        rates.append(pool_rate(alone, workers).rate)
    yield from _speed(count, workers, seen, rates)
    yield from _parts(count, seen)
    yield from _held(seen)
    yield from _answers(seen)
    yield from afterwards(program, inbox, seen.filed)


def _program(scratch: Path, desk: Desk | None, workers: int) -> tuple[Program, Path]:
    inbox = scratch / "inbox"
    program = set_up(scratch / "home", inbox, dict(desk.environ) if desk else None)
    if desk:
        program.environ["DBUS_SESSION_BUS_ADDRESS"] = desk.environ["DBUS_SESSION_BUS_ADDRESS"]
    program.command("config", "set", "model.workers", str(workers))
    return program, inbox


def _file(program: Program, inbox: Path, made: Sequence[Path], desk: Desk | None) -> _Seen:
    with running(program, inbox, *(() if desk else ("run", "--headless"))) as app:
        wait(lambda: app.is_ready() and app.status()["watching"], "the engine", 0.05)
        if desk:
            desk.wait_for_icon()
        panel = desk.panel() if desk else None
        time.sleep(QUIET_SECONDS)
        before, clicked = take(app, panel), list[float]()
        started = time.monotonic()
        for path in made:
            path.rename(inbox / path.name)
        during = list(_until_filed(app, panel, len(made), desk, clicked))
        took = during[-1].time - started
        time.sleep(QUIET_SECONDS)
        return _Seen(before, during, take(app, panel), clicked, took)


def _until_filed(
    app: Running, panel: Panel | None, count: int, desk: Desk | None, clicked: list[float]
) -> Iterator[Sample]:
    last, part, moved = -1, 0, time.monotonic()
    while last < count and time.monotonic() - moved < STUCK_SECONDS:
        sample = take(app, panel)
        yield sample
        if sample.filed > last:
            last, moved = sample.filed, time.monotonic()
        if PARTS * last // count > part:
            part = PARTS * last // count
            print(f"bench: {last:,} filed, {sample.resident:.1f} MB resident", file=sys.stderr)
            clicked += [_click(desk)] if desk else []
        time.sleep(EVERY_SECONDS if last < count else 0)


def _click(desk: Desk) -> float:
    """From a real click until the menu is drawn; one that does not come counts with the time
    that it was given."""
    began = time.monotonic()
    try:
        desk.open_menu()
    except pytest.fail.Exception as failure:
        print(f"bench: {failure}", file=sys.stderr)
    took = time.monotonic() - began
    desk.keys("Escape")
    return took


def _speed(count: int, workers: int, seen: _Seen, alone: list[float]) -> Iterator[Figure]:
    rate, limit = seen.filed / seen.took, sum(alone) / len(alone)
    share = 100 * rate / limit
    everything = "all of them" if seen.filed == count else f"of {count:,}: DOES NOT HOLD"
    yield Figure("Soak", "filed", seen.filed, "photos", everything)
    both = " and ".join(f"{rate:.1f}" for rate in alone)
    yield Figure("Soak", "the engine alone, before and after", limit, "photos/s", both)
    yield Figure("Soak", "the app, all photos at once", rate, "photos/s", f"{seen.took:.0f} s")
    goal = _goal(share, SHARE, least=True)
    yield Figure("Soak", "share of the engine's own rate", share, "%", goal)
    if workers == 1:
        busy = 100 * _wanted(seen.during) / (seen.during[-1].time - seen.during[0].time)
        yield Figure("Soak", "the engine had a photo to work at", busy, "%", "of that time")


def _wanted(samples: Sequence[Sample]) -> float:
    """Seconds in which the engine had work, in whichever process."""
    found: dict[int, list[float]] = {}
    for engine in (sample.engine for sample in samples):
        if engine is not None:
            found.setdefault(engine.pid, []).append(engine.wanted)
    last = sum(times[-1] for times in found.values())  # a later one begins with the others' end
    return last - next(iter(found.values()), [0.0])[0]


def _parts(count: int, seen: _Seen) -> Iterator[Figure]:
    """How speed and memory went along."""
    last = seen.during[0]
    for part in range(1, PARTS + 1):
        goal = count * part // PARTS
        now = next((sample for sample in seen.during if sample.filed >= goal), None)
        if now is None or now.time == last.time:
            continue
        rate = (now.filed - last.filed) / (now.time - last.time)
        status = 1e3 * max(sample.status for sample in seen.during if sample.filed <= now.filed)
        note = (
            f"tray {now.resident:.1f} MB resident, {now.proportional:.1f} MB PSS,"
            f" {now.handles} handles; engine {now.engine.resident if now.engine else 0:.0f} MB;"
            f" journal {now.journal:.1f} MB; status within {status:.0f} ms"
        )
        yield Figure("Soak, along the way", f"at {now.filed:,}", rate, "photos/s", note)
        last = now


def _held(seen: _Seen) -> Iterator[Figure]:
    samples = [*seen.during, seen.after]
    for name, what in (("resident", "resident"), ("proportional share (PSS)", "proportional")):
        start = getattr(seen.before, what)
        most = max(getattr(sample, what) for sample in samples)
        grown = most - start
        yield Figure("Soak", f"tray process before, {name}", start, "MB")
        note = f"{getattr(seen.after, what):.1f} MB afterwards; {_goal(grown, GROWTH_MB)}"
        yield Figure("Soak", f"its growth at most, {name}", grown, "MB", note)
    for name in ("handles", "threads"):
        start = getattr(seen.before, name)
        most = max(getattr(sample, name) for sample in samples) - start
        note = f"of {start}; {getattr(seen.after, name)} afterwards; {_goal(most, HANDLES)}"
        yield Figure("Soak", f"more {name} at most", most, name, note)
    engine = max(sample.engine.resident for sample in samples if sample.engine)
    yield Figure("Soak", "engine process at most, resident", engine, "MB")
    journal = max(sample.journal for sample in samples)
    note = f"{1e6 * journal / max(1, seen.after.filed):.0f} bytes a photo"
    yield Figure("Soak", "journal at most", journal, "MB", note)
    log = max(sample.log for sample in samples)
    yield Figure("Soak", "log at most", log, "MB", _goal(log, 1.0))


def _answers(seen: _Seen) -> Iterator[Figure]:
    status = [sample.status for sample in seen.during]
    yield from spread(
        "Soak", "status answered under load", status, _goal(1e3 * max(status), MENU_MS)
    )
    menu = [sample.menu for sample in seen.during if sample.menu is not None]
    if menu:
        yield from spread("Soak", "menu answered under load", menu, _goal(1e3 * max(menu), MENU_MS))
    if seen.clicked:
        goal = "with the panel's own time, and that of looking at the screen"
        yield from spread("Soak", "from a click to a drawn menu", seen.clicked, goal)


def _goal(value: float, goal: float, least: bool = False) -> str:
    holds = value >= goal if least else value <= goal
    return f"goal {'≥' if least else '≤'} {goal:g}: {'holds' if holds else 'DOES NOT HOLD'}"
