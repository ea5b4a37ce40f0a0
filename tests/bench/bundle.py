"""A bundle's own program: how soon it answers and is ready, and what it holds in memory."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.figures import Figure, median, spread
from tests.bench.running import processes, resident, running, set_up, wait
from tests.desktop.desk import Desk
from tests.program import Program

ICON_MS, READY_MS, FILED_MS = 600.0, 1200.0, 1500.0
MEMORY_MB = {"tray": 60.0, "engine": 170.0}
COLOURS = 20  # an empty place in the panel has fewer


def bundle(folder: Path, scratch: Path, photos: Sequence[Path], quick: bool) -> Iterator[Figure]:
    """The bundle in `folder`, beside a virtual desktop; Linux only."""
    if sys.platform != "linux":
        return
    with tempfile.TemporaryDirectory(prefix="desk") as place:
        desk = Desk(Path(place), scratch / "shots")
        try:
            inbox = desk.home / "Pictures" / "Inbox"
            program = set_up(scratch / "home", inbox, dict(desk.environ))
            program.environ["DBUS_SESSION_BUS_ADDRESS"] = desk.environ["DBUS_SESSION_BUS_ADDRESS"]
            program.beartray = (str(folder / "beartray"),)
            yield from _answer(program, photos[0], 5 if quick else 15)
            yield from _start(desk, program, inbox, photos, 3 if quick else 9)
        finally:
            desk.close()


def _answer(program: Program, photo: Path, times: int) -> Iterator[Figure]:
    took = []
    for _ in range(times + 1):  # the first is to warm up
        started = time.monotonic()
        program.command("classify", photo)
        took.append(time.monotonic() - started)
    yield from spread("Bundle", "`classify` from start to end", took[1:])


def _start(
    desk: Desk, program: Program, inbox: Path, photos: Sequence[Path], times: int
) -> Iterator[Figure]:
    icon, ready, filed = [], [], []
    held: dict[str, list[float]] = {role: [] for role in MEMORY_MB}
    for number in range(times + 1):
        waiting = inbox / f"{number}.jpg"
        with running(program, inbox) as app:
            icon.append(wait(lambda: _is_drawn(desk), "the icon") - app.started)
        wait(lambda: not _is_drawn(desk), "the icon to go")
        with running(program, inbox) as app:
            ready.append(wait(app.is_ready, "the engine") - app.started)
            wait(lambda app=app: app.status()["watching"], "the folder")  # type: ignore[misc]
        with running(program, inbox) as app:
            shutil.copyfile(photos[number], waiting)  # while it starts
            gone = wait(lambda path=waiting: not path.exists(), "the photo")  # type: ignore[misc]
            filed.append(gone - app.started)
            pids = processes(app.process.pid)
            for role, sizes in held.items():
                sizes.append(resident(pids[role]))
    for name, took, goal in (
        ("icon on the screen", icon, ICON_MS),
        ("engine ready", ready, READY_MS),
        ("first dropped photo filed", filed, FILED_MS),
    ):
        yield from spread(
            "Bundle", f"start to {name}", took[1:], _goal(median(took[1:]) * 1e3, goal)
        )
    for role, sizes in held.items():
        note = _goal(max(sizes), MEMORY_MB[role])
        yield Figure("Bundle", f"{role} process, resident after a photo", max(sizes), "MB", note)


def _is_drawn(desk: Desk) -> bool:
    return len(desk.icon().getcolors(4096) or ()) > COLOURS


def _goal(value: float, goal: float) -> str:
    return f"goal ≤ {goal:g}: {'holds' if value <= goal else 'DOES NOT HOLD'}"
