"""A backlog of many thousands of photos through the real app, watched from outside meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.engines import pool_rate
from tests.bench.figures import Figure, spread
from tests.bench.photos import copies
from tests.bench.running import Running, processes, running, set_up, wait, wanted_seconds
from tests.bench.samples import Sample, take
from tests.desktop.desk import Desk, Panel
from tests.desktop.desk.desk import PROGRAMS
from tests.program import Program

SHARE, GROWTH_MB, MENU_MS, HISTORY_MS, HANDLES = 85.0, 20.0, 500.0, 200.0, 8
EVERY_SECONDS = 2.0
QUIET_SECONDS = 5.0
STUCK_SECONDS = 120.0
ALONE = 600  # photos that the bare engine is timed with, before and after


@dataclass(frozen=True, slots=True)
class _Seen:
    """The tray's process before, while and after it filed; `busy` is the engine's share of time
    with a photo to work at, in percent (None with several workers)."""

    before: Sample
    during: list[Sample]
    after: Sample
    busy: float | None
    took: float


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
        seen = _file(program, inbox, made, desk, workers)
        rates.append(pool_rate(alone, workers).rate)
    yield from _speed(count, seen, rates)
    yield from _held(seen)
    yield from _answers(seen)
    yield from _afterwards(program, count)


def _program(scratch: Path, desk: Desk | None, workers: int) -> tuple[Program, Path]:
    inbox = scratch / "inbox"
    program = set_up(scratch / "home", inbox, dict(desk.environ) if desk else None)
    if desk:
        program.environ["DBUS_SESSION_BUS_ADDRESS"] = desk.environ["DBUS_SESSION_BUS_ADDRESS"]
    program.command("config", "set", "model.workers", str(workers))
    return program, inbox


def _file(
    program: Program, inbox: Path, made: Sequence[Path], desk: Desk | None, workers: int
) -> _Seen:
    with running(program, inbox, *(() if desk else ("run", "--headless"))) as app:
        wait(lambda: app.is_ready() and app.status()["watching"], "the engine", 0.05)
        if desk:
            desk.wait_for_icon()
        panel = desk.panel() if desk else None
        time.sleep(QUIET_SECONDS)
        before = take(app, panel)
        engine = processes(app.process.pid)["engine"] if workers == 1 else None
        wanted, started = wanted_seconds(engine) if engine else 0.0, time.monotonic()
        for path in made:
            path.rename(inbox / path.name)
        during = list(_until_filed(app, panel, len(made)))
        took = during[-1].time - started
        busy = 100 * (wanted_seconds(engine) - wanted) / took if engine else None
        time.sleep(QUIET_SECONDS)
        return _Seen(before, during, take(app, panel), busy, took)


def _until_filed(app: Running, panel: Panel | None, count: int) -> Iterator[Sample]:
    last, moved = -1, time.monotonic()
    while last < count:
        sample = take(app, panel)
        yield sample
        if sample.filed > last:
            last, moved = sample.filed, time.monotonic()
        elif time.monotonic() - moved > STUCK_SECONDS:
            raise SystemExit(f"bench: {sample.filed} of {count} photos filed, then no more")
        time.sleep(EVERY_SECONDS if last < count else 0)


def _speed(count: int, seen: _Seen, alone: list[float]) -> Iterator[Figure]:
    rate, limit = count / seen.took, sum(alone) / len(alone)
    share = 100 * rate / limit
    yield Figure("Soak", "the engine alone, before and after", limit, "photos/s", _both(alone))
    yield Figure("Soak", f"the app, {count:,} photos at once", rate, "photos/s")
    yield Figure(
        "Soak", "share of the engine's own rate", share, "%", _goal(share, SHARE, least=True)
    )
    if seen.busy is not None:
        yield Figure("Soak", "the engine had a photo to work at", seen.busy, "%", "of that time")
    tenth = max(1, len(seen.during) // 10)
    for name, some in (("first", seen.during[: tenth + 1]), ("last", seen.during[-tenth - 1 :])):
        filed = some[-1].filed - some[0].filed
        seconds = (some[-1].time - some[0].time) or 1.0
        yield Figure("Soak", f"rate in the {name} tenth", filed / seconds, "photos/s")


def _both(rates: list[float]) -> str:
    return " and ".join(f"{rate:.0f}" for rate in rates)


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
    engine = max(sample.engine for sample in samples)
    note = f"{seen.before.engine:.0f} MB before"
    yield Figure("Soak", "engine process at most, resident", engine, "MB", note)
    journal = max(sample.journal for sample in samples)
    note = f"{1e6 * journal / max(1, seen.after.filed):.0f} bytes a photo"
    yield Figure("Soak", "journal at most", journal, "MB", note)
    yield Figure(
        "Soak",
        "log",
        max(sample.log for sample in samples),
        "MB",
        _goal(max(sample.log for sample in samples), 1.0),
    )


def _answers(seen: _Seen) -> Iterator[Figure]:
    status = [sample.status for sample in seen.during]
    yield from spread(
        "Soak", "status answered under load", status, _goal(1e3 * max(status), MENU_MS)
    )
    menu = [sample.menu for sample in seen.during if sample.menu is not None]
    if menu:
        yield from spread("Soak", "menu answered under load", menu, _goal(1e3 * max(menu), MENU_MS))


def _afterwards(program: Program, count: int) -> Iterator[Figure]:
    start = min(_timed(program, "about")[0] for _ in range(3))
    extra = min(_timed(program, "history")[0] for _ in range(3)) - start
    goal = _goal(1e3 * extra, HISTORY_MS)
    yield Figure("Soak, afterwards", "`history`, beyond the start", 1e3 * extra, "ms", goal)
    for words in (("history", "-n", str(count)), ("history", "--verify")):
        seconds, held = _timed(program, *words)
        note = f"{held:.0f} MB at most"
        yield Figure("Soak, afterwards", f"`{' '.join(words)}`", seconds, "s", note)
    rows = program.rows("history", "-n", str(max(1, count // 5)))
    seconds, held = _timed(program, "undo", "--since", rows[-1]["time"])
    note = f"{held:.0f} MB at most"
    yield Figure(
        "Soak, afterwards", "`undo --since`, a fifth of it", len(rows) / seconds, "photos/s", note
    )
    seconds, held = _timed(program, "history", "--verify")
    yield Figure(
        "Soak, afterwards", "`history --verify` once more", seconds, "s", f"{held:.0f} MB at most"
    )


def _timed(program: Program, *words: str) -> tuple[float, float]:
    """Seconds, and MB resident at most, of one command, which has to end well."""
    began = time.monotonic()
    process = subprocess.Popen(
        [*program.beartray, *words], env=program.environ, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: `beartray {' '.join(words)}` ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1000


def _goal(value: float, goal: float, least: bool = False) -> str:
    holds = value >= goal if least else value <= goal
    return f"goal {'≥' if least else '≤'} {goal:g}: {'holds' if holds else 'DOES NOT HOLD'}"
