"""The running app: how soon a photo is filed, how soon it is ready, what it costs while idle."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.bench.figures import Figure, median, spread
from tests.bench.photos import copies
from tests.bench.running import (
    Running,
    cpu_seconds,
    processes,
    resident,
    running,
    set_up,
    wait,
    wanted_seconds,
)
from tests.desktop.desk import PrivateBus, Processes

GOAL_MS = 150.0
APART_SECONDS = 1.0


def latency(
    scratch: Path, name: str, photos: Sequence[Path], drops: int, goal: bool
) -> Iterator[Figure]:
    """From the moment that a dropped file is closed until it lies in its folder."""
    inbox = scratch / "inbox"
    program = set_up(scratch / "home", inbox)
    with running(program, inbox, "run", "--headless") as app:
        wait(lambda: app.is_ready() and app.status()["watching"], "the engine", 0.05)
        times = [_drop(app, photos[n % len(photos)], f"{n}.jpg") for n in range(drops)]
    met = "holds" if median(times) * 1e3 < GOAL_MS else "DOES NOT HOLD"
    yield from spread("Latency", name, times, f"goal < {GOAL_MS:.0f} ms: {met}" if goal else "")


def _drop(app: Running, photo: Path, name: str) -> float:
    time.sleep(APART_SECONDS)
    target = app.inbox / name
    shutil.copyfile(photo, target)
    closed = time.monotonic()
    return wait(lambda: not os.path.lexists(target), f"{name} to be filed") - closed


def burst(
    scratch: Path, photos: Sequence[Path], count: int, workers: int, busy: list[float]
) -> float:
    """Photos a second that the app files when `count` arrive at once.

    With one worker, the share of that time in which it had a photo to work at goes to `busy`: a
    figure that does not depend on what else the machine does (Linux only).
    """
    inbox = scratch / "inbox"
    program = set_up(scratch / "home", inbox)
    program.command("config", "set", "model.workers", str(workers))
    made = copies(photos, scratch / "made", count)
    with running(program, inbox, "run", "--headless") as app:
        wait(lambda: app.is_ready() and app.status()["watching"], "the engine", 0.05)
        time.sleep(APART_SECONDS)
        engine = processes(app.process.pid).get("engine") if workers == 1 else None
        before = wanted_seconds(engine) if engine else 0.0
        started = time.monotonic()
        for path in made:
            path.rename(inbox / path.name)
        took = wait(lambda: _is_empty(inbox), "the burst to be filed", 0.02) - started
        if engine:
            busy.append((wanted_seconds(engine) - before) / took)
        return count / took


def _is_empty(inbox: Path) -> bool:
    with os.scandir(inbox) as entries:
        return not any(entry.is_file() for entry in entries)


def start(scratch: Path, photos: Sequence[Path], times: int) -> Iterator[Figure]:
    """From the start of the process until it can work, and until a waiting photo is filed."""
    inbox = scratch / "inbox"
    program = set_up(scratch / "home", inbox)
    ready, filed = [], []
    for number in range(times + 1):  # the first start only makes the folder known
        waiting = inbox / f"{number}.jpg"
        with running(program, inbox, "run", "--headless") as app:
            ready.append(wait(app.is_ready, "the engine", 0.005) - app.started)
        if number:
            shutil.copyfile(photos[0], waiting)
            with running(program, inbox, "run", "--headless") as app:
                gone = wait(lambda path=waiting: not path.exists(), "the photo")  # type: ignore[misc]
                filed.append(gone - app.started)
    yield Figure("Start", f"engine ready, median of {times}", 1e3 * median(ready[1:]), "ms")
    note = "new, so it settles for 1 s"
    yield Figure(
        "Start", f"waiting photo filed, median of {times}", 1e3 * median(filed), "ms", note
    )


def idle(scratch: Path, photos: Sequence[Path], seconds: float) -> Iterator[Figure]:
    """Memory after a few photos, and processor time while nothing happens; Linux only."""
    if sys.platform != "linux":
        return
    yield from _idle("headless", scratch / "headless", photos, seconds, {}, "run", "--headless")
    if shutil.which("dbus-daemon") is None:
        return
    with tempfile.TemporaryDirectory(prefix="desk") as folder, ExitStack() as stack:
        bus = Processes(dict(os.environ), Path(folder) / "logs")
        stack.callback(bus.close)
        environ = {"DBUS_SESSION_BUS_ADDRESS": PrivateBus(Path(folder), bus).address}
        yield from _idle("on a session bus", scratch / "bus", photos, seconds, environ)


def _idle(
    name: str,
    scratch: Path,
    photos: Sequence[Path],
    seconds: float,
    environ: dict[str, str],
    *words: str,
) -> Iterator[Figure]:
    inbox = scratch / "inbox"
    program = set_up(scratch / "home", inbox)
    program.environ.update(environ)
    with running(program, inbox, *words) as app:
        wait(lambda: app.is_ready() and app.status()["watching"], "the engine", 0.05)
        for number, photo in enumerate(photos[:5]):
            _drop(app, photo, f"{number}.jpg")
        time.sleep(2)  # for the last photo's notice
        pids = processes(app.process.pid)
        before = {role: cpu_seconds(pid) for role, pid in pids.items()}
        time.sleep(seconds)
        for role, pid in pids.items():
            note = "goal < 60 MB" if role == "tray" else ""
            yield Figure(f"Idle, {name}", f"{role} process, resident", resident(pid), "MB", note)
        used = sum(cpu_seconds(pid) - before[role] for role, pid in pids.items())
        share = 100 * used / seconds
        yield Figure(f"Idle, {name}", f"processor, over {seconds:.0f} s", share, "% of one")
