"""What the tray's menu does, from the command line: open things, pause for the night, about."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.helpers import picture, wait_until
from tests.program import Program
from trayapp import __version__

pytestmark = [
    pytest.mark.flow,
    pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="it would open real windows"),
]


class Opened:
    """Stands where `xdg-open` is looked for, and notes what was opened."""

    def __init__(self, program: Program, folder: Path) -> None:
        self._noted = folder / "opened"
        stub = folder / "bin" / "xdg-open"
        stub.parent.mkdir()
        stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$1" >> "{self._noted}"\n')
        stub.chmod(0o755)
        program.environ["PATH"] = f"{stub.parent}{os.pathsep}{os.environ['PATH']}"

    def all(self) -> list[str]:
        return self._noted.read_text().splitlines() if self._noted.exists() else []


@pytest.fixture
def opened(program: Program, tmp_path: Path) -> Opened:
    return Opened(program, tmp_path)


def settings(inbox: Path, more: str = "") -> str:
    return f"{more}\n[folder]\npath = {json.dumps(str(inbox))}"


def test_folder_settings_and_log_are_opened(program: Program, inbox: Path, opened: Opened) -> None:
    program.configure(settings(inbox))
    program.command("open")
    program.command("open", "settings")
    assert opened.all() == [str(inbox), str(program.settings)]
    done = program.try_command("open", "log")
    log = program.home / "log" / "beartray.log"
    assert (done.returncode, done.stderr) == (2, f"beartray: {log} is not there\n")
    program.settings.unlink()
    program.command("open", "settings")
    assert "# Also watch the folders inside it." in program.settings.read_text()


def test_the_running_one_says_which_folder_and_what_was_not_recognised(
    program: Program, inbox: Path, tmp_path: Path, opened: Opened
) -> None:
    (tmp_path / "other").mkdir()
    program.configure(settings(tmp_path / "other"))
    assert program.command("open", "unsure") == "There is no photo that was not recognised.\n"
    with program.running(inbox):
        picture(inbox / "strange.jpg", colour="grey")
        picture(inbox / "red.jpg", colour="red")
        wait_until(lambda: program.status()["not_recognised"] == 1, 20, "one was not recognised")
        wait_until(lambda: program.status()["filed_today"] == 1, 20, "one was filed")
        program.command("open", "folder")
        assert program.command("open", "unsure") == f"{inbox / 'strange.jpg'}\n"
        program.command("open", "log")
        assert opened.all() == [str(inbox)] * 2 + [str(program.home / "log" / "beartray.log")]
        status = program.status()
        assert (status["labels_today"], status["action"]) == ({"grizzly": 1}, "move")
        text = program.command("status")
        assert "1 filed today (1 grizzly), 0 on their way" in text
        assert "1 not recognised; `beartray open unsure` shows them" in text
        assert "action: move, notifications: each" in text


def test_a_pause_until_tomorrow_outlives_the_program(
    program: Program, inbox: Path, tmp_path: Path
) -> None:
    program.environ["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    program.configure(settings(inbox, "# mine"))
    process = program.start(None)
    said = program.command("pause", "--until", "tomorrow")
    assert said in ("Paused until tomorrow, 06:00.\n", "Paused until 06:00.\n")
    wait_until(lambda: program.status()["paused_until"], 10, "paused")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with program.running(None):
        status = program.status()
        assert (status["state"], status["paused_until"][10:19]) == ("paused", "T06:00:00")
        assert program.command("status").startswith(said[:-2].lower())
        assert program.settings.read_text().startswith("# mine")
        program.command("resume")
        wait_until(lambda: program.status()["paused_until"] is None, 10, "it goes on")
        assert program.command("pause", "--until", "06:00").startswith("Paused until ")


def test_about_tells_version_licence_and_places(program: Program) -> None:
    lines = program.command("about").splitlines()
    assert lines[0] == f"Beartray {__version__}"
    assert "MIT licence" in "\n".join(lines)
    assert f"Settings: {program.settings}" in lines
    assert f"Log: {program.home / 'log' / 'beartray.log'}" in lines
