"""Runs the real program as a person does: its commands, and the one that keeps running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helpers import SLOWNESS, wait_until
from trayapp.desktop.control import ControlPaths, send
from trayapp.photo import BeartrayError

ROOT = Path(__file__).resolve().parents[1]
COLOURS = Path(__file__).parent / "models" / "colours"
BEARTRAY = (sys.executable, "-m", "trayapp")


class Program:
    """Beartray with a home of its own; its model knows red (grizzly), green and blue pictures."""

    def __init__(self, home: Path, environ: Mapping[str, str] | None = None) -> None:
        self.home = home
        self.prefix: tuple[str, ...] = ()  # a program that starts the app
        self.beartray: tuple[str, ...] = BEARTRAY
        self.environ = {**os.environ, **(environ or {}), "BEARTRAY_HOME": str(home)}
        for name in ("DBUS_SESSION_BUS_ADDRESS", "PYTHONUNBUFFERED"):
            self.environ.pop(name, None)
        self.environ["PYTHONPATH"] = str(ROOT)
        self.settings = home / "settings.toml"
        home.mkdir(parents=True, exist_ok=True)
        self.configure()

    def configure(self, text: str = "", model: str | None = str(COLOURS)) -> None:
        """Settings with the tests' model; `text` is further TOML, its [model] keys excepted."""
        package = "" if model is None else f"[model]\npackage = {json.dumps(model)}\n"
        self.settings.write_text(f"{text}\n{package}")

    def command(self, *arguments: str | Path, status: int | None = 0) -> str:
        """Run one command to its end; its output. `status` None takes any exit status."""
        done = self.try_command(*arguments)
        if status is not None:
            assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stdout

    def try_command(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, *self.beartray, *map(str, arguments)],
            env=self.environ,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=120,
            check=False,
        )

    def rows(self, *arguments: str | Path, status: int | None = 0) -> list[dict[str, Any]]:
        """What a command with --json printed."""
        return [
            json.loads(line)
            for line in self.command(*arguments, "--json", status=status).splitlines()
        ]

    def status(self) -> dict[str, Any]:
        (row,) = self.rows("status")
        return row

    @contextmanager
    def running(self, folder: Path | None, *options: str) -> Iterator[subprocess.Popen[str]]:
        """The app, headless, watching `folder`; ended with SIGTERM if it still runs."""
        process = self.start(folder, *options)
        try:
            yield process
        finally:
            self.end(process)

    def start(self, folder: Path | None, *options: str) -> subprocess.Popen[str]:
        place = [] if folder is None else ["--folder", str(folder)]
        process = subprocess.Popen(
            [*self.prefix, *self.beartray, "run", "--headless", *place, *options],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        wait_until(lambda: self._is_up(process), 20, "Beartray to run")
        return process

    def end(self, process: subprocess.Popen[str]) -> str:
        """What it said until it ended."""
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=15 * SLOWNESS)
        return said

    def _is_up(self, process: subprocess.Popen[str]) -> bool:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        return bool(status_now(self.home, self.environ).get("engine") == "ready")


def status_now(home: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What `beartray status --json` tells, without starting a program; {} without an answer."""
    control = ControlPaths.for_unix(home / "private", environ, home)
    try:
        return send(control, {"command": "status"})
    except BeartrayError:
        return {}
