"""The real program, started and watched from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.program import Program
from trayapp.desktop import choose_desktop
from trayapp.desktop.control import NotRunningError, send

LIMIT_SECONDS = 120.0
# What the model is not sure of goes to unsure/, so that every photo is moved.
SETTINGS = '[sort]\nunsure = "folder"\n[folder]\npath = {folder!r}\n'


@dataclass
class Running:
    """A Beartray at work on `inbox`; `started` is when its process began (`time.monotonic`)."""

    program: Program
    inbox: Path
    process: subprocess.Popen[bytes]
    started: float

    def status(self) -> dict[str, Any]:
        """Empty while it does not answer. Asked without starting a process, which would count."""
        desktop = choose_desktop(self.program.environ)
        try:
            return send(desktop.control_paths(self.program.home / "private"), {"command": "status"})
        except NotRunningError:
            return {}
        finally:
            desktop.close()

    def is_ready(self) -> bool:
        return self.status().get("engine") == "ready"


def set_up(home: Path, inbox: Path, environ: Mapping[str, str] | None = None) -> Program:
    """A home with the shipped model."""
    inbox.mkdir(parents=True, exist_ok=True)
    program = Program(home, environ)
    program.configure(SETTINGS.format(folder=str(inbox)), model=None)
    return program


@contextmanager
def running(program: Program, inbox: Path, *words: str) -> Iterator[Running]:
    """`beartray WORD…` until the block ends; nothing of it stays behind."""
    started = time.monotonic()
    process = subprocess.Popen(
        [*program.beartray, *words],
        env=program.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield Running(program, inbox, process, started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT_SECONDS)


def wait(condition: Callable[[], object], what: str, pause: float = 0.001) -> float:
    """When `condition` came true (`time.monotonic`)."""
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"bench: waited {LIMIT_SECONDS:.0f} s in vain for {what}")
        time.sleep(pause)
    return time.monotonic()


def processes(pid: int) -> dict[str, int]:
    """The pids of a running Beartray by what they do; Linux only."""
    found = {"tray": pid}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            words = Path(f"/proc/{child}/cmdline").read_text()
            found["tracker" if "resource_tracker" in words else "engine"] = int(child)
    return found


def resident(pid: int) -> float:
    """MB that a process holds in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1000
    return 0.0


def memory(pid: int) -> dict[str, float]:
    """MB of a process: "Pss" shares what others map too, "Uss" is what ends with it (proc(5))."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in lines}
    return {**found, "Uss": found["Private_Clean"] + found["Private_Dirty"]}


def switches(pid: int) -> dict[int, int]:
    """How often each thread of a process was given a processor, by its id (proc(5))."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        counts = [int(line.split()[1]) for line in lines if "ctxt_switches" in line]
        found[int(task.name)] = sum(counts)
    return found


def wanted_seconds(pid: int) -> float:
    """How long a process's main thread has run or waited for a processor (proc(5), schedstat)."""
    run, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return (int(run) + int(waited)) / 1e9


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
