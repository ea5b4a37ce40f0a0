"""Watches over the real app while it is fed hostile files: is it alive, how large, what it says."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.helpers import wait_until
from tests.hostile.targets import SLACK_BYTES, one_line, peak_memory
from tests.program import Program, status_now
from trayapp.engine.worker import MEMORY_LIMIT_BYTES

TRAY_BYTES = 100 << 20
"""What the tray process may take; it has some 50 MB when idle."""

_PROBLEM = re.compile(r"WARNING trayapp\.pipeline: (.*)")
_OURS = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) [\w.]+: ")


@dataclass
class Siege:
    """One run of the app in one folder; `tray` and `engine` are the most memory seen, in bytes."""

    program: Program
    inbox: Path
    model: str | None = None  # the shipped one
    tray: int = 0
    engine: int = 0
    process: subprocess.Popen[str] | None = field(default=None, repr=False)

    @contextmanager
    def running(self, settings: str = "") -> Iterator[None]:
        """The app at work. What no event tells of is found by looking every few seconds: a full
        queue of the kernel is another test's matter."""
        self.program.configure(f"[folder]\nrescan_minutes = 0.1\n{settings}", model=self.model)
        with self.program.running(self.inbox) as self.process:
            yield
            self.measure()
            assert self.process.poll() is None, "the app has ended"
            status = status_now(self.program.home, self.program.environ)
            assert status["engine"] in ("ready", "asleep"), status
        self.check_log()

    def settled(self, total: int, seconds: float) -> None:
        """Wait until so many photos are filed, not recognised or reported; none is on its way."""

        def all_dealt_with() -> bool:
            self.measure()
            status = status_now(self.program.home, self.program.environ)
            if not status or status["pending"]:
                return False
            found = status["filed_today"] + status["not_recognised"] + len(self.problems())
            return bool(found >= total)

        wait_until(all_dealt_with, seconds, f"{total} files dealt with")

    def measure(self) -> None:
        """Note how large the processes ever were, and hold them to their limits."""
        assert self.process is not None
        self.tray = max(self.tray, peak_memory(self.process.pid))
        for task in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for pid in task.read_text().split():
                self.engine = max(self.engine, peak_memory(int(pid)))
        assert self.tray < TRAY_BYTES, f"the tray process took {self.tray >> 20} MB"
        assert self.engine < MEMORY_LIMIT_BYTES + SLACK_BYTES, f"took {self.engine >> 20} MB"

    def log(self) -> list[str]:
        file = self.program.home / "log" / "beartray.log"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    def problems(self) -> list[str]:
        """What the app said of photos that it could not deal with."""
        return [found[1] for line in self.log() if (found := _PROBLEM.search(line))]

    def said_of(self, name: str) -> str:
        """The one line about a file."""
        shown = "".join(
            char if char.isprintable() else "�"
            for char in os.fsencode(name).decode(errors="surrogateescape")
        )
        found = [line for line in self.problems() if shown in line or name in line]
        assert len(found) == 1, (name, found)
        return found[0]

    def check_log(self) -> None:
        """Every line of the log is one of ours, plain, and tells of no mistake of our own."""
        for line in self.log():
            assert _OURS.match(line), f"not a line of the log: {line!r}"
            one_line(line)
            assert "this should not happen" not in line, line
            assert "failed" not in line or "Traceback" not in line, line
