"""The real program on this very system: its tray, its registry or launch agents, its login.

Only where BEARTRAY_TEST_SYSTEM is set, as on a build machine: it changes what this user starts at
login.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers import SLOWNESS, picture, wait_until
from tests.program import BEARTRAY, Program

WITH_TRAY = sys.platform in ("win32", "darwin")
AGENT = Path.home() / "Library" / "LaunchAgents" / "io.github.beartray.plist"
DESKTOP_FILE = Path.home() / ".config" / "autostart" / "beartray.desktop"


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    inbox = tmp_path / "my inbox"
    inbox.mkdir()
    program = Program(tmp_path / "my home")
    program.configure(f"[folder]\npath = '{inbox}'")
    try:
        yield program
    finally:
        program.try_command("autostart", "off")
        program.try_command("quit")


def test_it_runs_files_pauses_and_quits(program: Program, tmp_path: Path) -> None:
    inbox = tmp_path / "my inbox"
    with subprocess.Popen(BEARTRAY, env=program.environ) as process:
        wait_for(program)
        assert program.status()["tray"] is WITH_TRAY
        picture(inbox / "a.jpg", colour=(255, 0, 0))
        wait_until((inbox / "grizzly" / "a.jpg").exists, 30, "the photo was filed")
        program.command("pause")
        wait_until(lambda: program.status()["state"] == "paused", 10, "it was paused")
        program.command("resume")
        wait_until(lambda: program.status()["state"] == "watching", 10, "it went on")
        program.command(status=3)  # a second one
        program.command("quit")
        assert process.wait(5 * SLOWNESS) == 0


def test_it_starts_at_login(program: Program) -> None:
    assert "Starts at login: no" in program.command("autostart", "status")
    program.command("autostart", "on")
    assert "Starts at login: yes" in program.command("autostart", "status")
    started = log_in()
    wait_for(program)
    program.command("autostart", "off")
    assert "Starts at login: no" in program.command("autostart", "status")
    program.command("quit")
    wait_until(lambda: program.try_command("status").returncode == 3, 20, "it had ended")
    assert started.wait(20) == 0


def wait_for(program: Program) -> None:
    def ready() -> bool:
        return program.try_command("status").returncode == 0 and bool(
            program.status()["engine"] == "ready"
        )

    wait_until(ready, 60, "Beartray to run")


def log_in() -> subprocess.Popen[bytes]:
    """Start what the system starts at login, as far as it is ours."""
    if sys.platform == "win32":
        import winreg

        run = r"Software\Microsoft\Windows\CurrentVersion\Run"
        with winreg.OpenKey(winreg.HKEY_CURRENT_USER, run) as key:
            return subprocess.Popen(winreg.QueryValueEx(key, "Beartray")[0])
    if sys.platform == "darwin":
        subprocess.run(["plutil", "-lint", AGENT], check=True)
        return subprocess.Popen(["launchctl", "bootstrap", f"gui/{os.getuid()}", AGENT])
    lines = DESKTOP_FILE.read_text().splitlines()
    command = next(line.removeprefix("Exec=") for line in lines if line.startswith("Exec="))
    return subprocess.Popen(shlex.split(command), start_new_session=True)
