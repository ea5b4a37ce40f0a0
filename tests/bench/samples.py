"""What a running Beartray holds and how soon it answers, at one moment; Linux only."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.running import Running, memory, processes, resident
from tests.desktop.desk import Panel


@dataclass(frozen=True, slots=True)
class Sample:
    """`time` as `time.monotonic`, `filed` rows of the journal, memory and journal (its
    write-ahead log included) in MB, answers in seconds (`menu` is None without a desktop).
    `engine` is what one engine process holds, 0 while there is none.
    """

    time: float
    filed: int
    resident: float
    proportional: float
    engine: float
    handles: int
    threads: int
    journal: float
    log: float
    status: float
    menu: float | None


def take(app: Running, panel: Panel | None) -> Sample:
    """Look at the tray's process and ask it something."""
    pid, home = app.process.pid, app.program.home
    began = time.monotonic()
    app.status()
    status = time.monotonic() - began
    menu = None
    if panel is not None:
        began = time.monotonic()
        panel.open()
        menu = time.monotonic() - began
    return Sample(
        time=time.monotonic(),
        filed=_filed(home / "journal.sqlite"),
        resident=resident(pid),
        proportional=memory(pid)["Pss"],
        engine=_engine(pid),
        handles=_count(f"/proc/{pid}/fd"),
        threads=_count(f"/proc/{pid}/task"),
        journal=_size(home / "journal.sqlite") + _size(home / "journal.sqlite-wal"),
        log=_size(home / "log" / "beartray.log"),
        status=status,
        menu=menu,
    )


def _engine(pid: int) -> float:
    try:
        return resident(processes(pid)["engine"])
    except (OSError, KeyError):  # a fresh one is about to take its place
        return 0.0


def _filed(file: Path) -> int:
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as db:
        query = "SELECT count(*) FROM entries WHERE state = 'done'"
        return int(db.execute(query).fetchone()[0])


def _count(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _size(file: Path) -> float:
    return file.stat().st_size / 1e6 if file.exists() else 0.0
