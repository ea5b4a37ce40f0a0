"""What a running Beartray holds and how soon it answers, at one moment; Linux only."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.running import Running, memory, processes, resident, wanted_seconds
from tests.desktop.desk import Panel
from trayapp.desktop.bus import BusCallError
from trayapp.photo import BeartrayError


@dataclass(frozen=True, slots=True)
class Engine:
    """One engine process: MB resident, and seconds that it has run or waited for a processor."""

    pid: int
    resident: float
    wanted: float


@dataclass(frozen=True, slots=True)
class Sample:
    """`time` as `time.monotonic`, `filed` rows of the journal, memory and journal (its
    write-ahead log included) in MB, answers in seconds (`menu` is None without a desktop).
    `engine` is None while one takes the place of another.
    """

    time: float
    filed: int
    resident: float
    proportional: float
    engine: Engine | None
    handles: int
    threads: int
    journal: float
    log: float
    status: float
    menu: float | None


def take(app: Running, panel: Panel | None) -> Sample:
    """Look at the tray's process and ask it something."""
    pid, home = app.process.pid, app.program.home
    return Sample(
        status=_seconds(app.status),
        menu=_seconds(panel.open) if panel else None,
        time=_close(panel),
        filed=_filed(home / "journal.sqlite"),
        resident=resident(pid),
        proportional=memory(pid)["Pss"],
        engine=_engine(pid),
        handles=_count(f"/proc/{pid}/fd"),
        threads=_count(f"/proc/{pid}/task"),
        journal=_size(home / "journal.sqlite") + _size(home / "journal.sqlite-wal"),
        log=_size(home / "log" / "beartray.log"),
    )


def _seconds(ask: Callable[[], object]) -> float:
    """How long an answer takes; one that does not come counts with the time that it was given."""
    began = time.monotonic()
    with suppress(BusCallError, BeartrayError):
        ask()
    return time.monotonic() - began


def _close(panel: Panel | None) -> float:
    """An open menu would stand still, and cost nothing. When that was (`time.monotonic`)."""
    if panel is not None:
        with suppress(BusCallError):
            panel.close()
    return time.monotonic()


def _engine(pid: int) -> Engine | None:
    with suppress(OSError, KeyError):  # a fresh one is about to take its place
        engine = processes(pid)["engine"]
        return Engine(engine, resident(engine), wanted_seconds(engine))
    return None


def _filed(file: Path) -> int:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT ifnull(sum(photos), 0) FROM filed_by_batch").fetchone()[0])


def _count(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _size(file: Path) -> float:
    return file.stat().st_size / 1e6 if file.exists() else 0.0
