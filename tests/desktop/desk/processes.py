"""Starts programs for a test and leaves none of them behind, nor any that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from tests import helpers
from tests.helpers import require_programs

MARK = "BEARTRAY_TEST_RUN"  # in the environment of every child, so that strays can be found
T = TypeVar("T")

__all__ = ["MARK", "Processes", "require_programs", "wait_until"]


def wait_until(condition: Callable[[], T], what: str, seconds: float = 10.0) -> T:
    """The first true value of `condition`; fails the test after `seconds`, saying `what`."""
    return helpers.wait_until(condition, seconds, what)


class Processes:
    """Children with a private environment; `close` ends them and all their descendants."""

    def __init__(self, environ: Mapping[str, str], logs: Path) -> None:
        self._mark = uuid.uuid4().hex
        self.environ = {**environ, MARK: self._mark}
        self._logs = logs
        self._logs.mkdir(parents=True, exist_ok=True)
        self._children: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, log: str | None = None) -> subprocess.Popen[bytes]:
        """Start a program that runs on; what it says goes to the file that `log_of` gives."""
        name = log or Path(command[0]).name
        with self.log_of(name).open("ab") as output:
            child = subprocess.Popen(
                command,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._children.append(child)
        return child

    def run(self, *command: str, seconds: float = 20.0) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        return subprocess.run(
            command,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=seconds,
            check=False,
        )

    def log_of(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def stop(self, child: subprocess.Popen[bytes], seconds: float = 5.0) -> int:
        """Ask one child to end, insist after `seconds`; its status."""
        child.terminate()
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait(seconds)

    def close(self) -> None:
        for child in reversed(self._children):
            self.stop(child, 2.0)
        wait_until(lambda: not self._kill_strays(), "all children of the test were gone", 5.0)

    def _kill_strays(self) -> list[int]:
        """Services that the bus started, and the like: known by the mark in their environment."""
        needle = f"{MARK}={self._mark}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):  # gone, or not ours
                if needle in (entry / "environ").read_bytes().split(b"\0"):
                    os.kill(int(entry.name), signal.SIGKILL)
                    found.append(int(entry.name))
        return found
