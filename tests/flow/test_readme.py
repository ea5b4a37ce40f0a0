"""Every command in the README works, in the order in which it stands there."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import skip, wait_until
from tests.learning.photos import class_folders
from tests.program import BEARTRAY, ROOT, Program

pytestmark = pytest.mark.flow

README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ (.+)$", README, re.MULTILINE)
NOT_ALL_GOOD = {"beartray doctor": 1}  # there is no tray where this test runs
LEARNING = ("beartray train", "beartray model import")
EXPORT = ROOT / "tests" / "learning" / "fastai-2.7.pkl"


@pytest.fixture
def person(tmp_path: Path, photo: Callable[..., bytes]) -> Iterator[tuple[Program, Path]]:
    """Somebody with a home, some photos, and `beartray` on the search path."""
    home = tmp_path / "somebody"
    programs = home / "bin"
    programs.mkdir(parents=True)
    (programs / "beartray").write_text(f'#!/bin/sh\nexec {shlex.join(BEARTRAY)} "$@"\n')
    (programs / "beartray").chmod(0o755)
    (home / "Inbox").mkdir()
    photo(home / "photo.jpg")
    for number in range(8):
        photo(home / "card" / "DCIM" / f"{number}.jpg", ["grizzly", "teddy"][number % 2])
    class_folders(home / "photos", 12)
    shutil.copy(EXPORT, home / "export.pkl")
    search = f"{programs}{os.pathsep}{os.environ['PATH']}"
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "PATH": search}
    program = Program(home / "beartray", environ)
    program.configure(f"[folder]\npath = '{home / 'Inbox'}'\n")
    yield program, home


@pytest.mark.learning
def test_every_command_of_the_readme(person: tuple[Program, Path]) -> None:
    program, home = person
    background: list[subprocess.Popen[bytes]] = []
    ran = 0
    for command in COMMANDS:
        if command.startswith("python3 tasks.py"):
            continue  # test_newcomer.py runs these
        if command.startswith(LEARNING) and find_spec("fastai") is None:
            skip("needs `pip install '.[fastai]'`")
        ran += 1
        started = subprocess.Popen(
            ["sh", "-c", command], cwd=home, env=program.environ, stderr=subprocess.PIPE
        )
        if command.startswith("beartray run"):
            background.append(started)
            wait_until(lambda: program.try_command("status").returncode == 0, 20, "Beartray to run")
            continue
        _, said = started.communicate(timeout=300)
        assert started.returncode == NOT_ALL_GOOD.get(command, 0), (command, said)
    for process in background:
        assert process.wait(10) == 0
        assert process.stderr is not None
        process.stderr.close()
    assert ran > 28


def test_the_readme_shows_every_command_there_is() -> None:
    listed = subprocess.run([*BEARTRAY, "--help"], cwd=ROOT, capture_output=True, text=True)
    names = re.findall(r"^│ ([a-z]+)  ", listed.stdout, re.MULTILINE)
    assert len(names) > 10, listed.stdout
    assert [name for name in names if f"beartray {name}" not in README] == []


def test_what_the_readme_links_to_is_there() -> None:
    for target in re.findall(r"\]\((?!http)([^)]+)\)", README):
        assert (ROOT / target).is_file(), target


@pytest.mark.skipif(sys.platform == "win32", reason="the clone is made with a Unix shell's tools")
def test_the_two_commands_work_for_a_newcomer(tmp_path: Path, photo: Callable[..., bytes]) -> None:
    """From a clean copy in a folder with a space, with a new virtual environment."""
    clone = tmp_path / "a clean clone"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, clone / name)
    environ = {
        **{name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "CI")},
        "HOME": str(tmp_path / "home"),
        "BEARTRAY_HOME": str(tmp_path / "home" / "beartray"),
    }
    environ.pop("DBUS_SESSION_BUS_ADDRESS", None)
    python = getattr(sys, "_base_executable", sys.executable)
    quick = [python, "tasks.py", "test", "--quick", "tests/test_settle.py", "tests/test_decide.py"]
    tested = subprocess.run(quick, cwd=clone, env=environ, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert re.search(r"^\d+ passed, 0 failed, 0 skipped$", tested.stdout, re.MULTILINE)
    app = subprocess.Popen(
        [python, "tasks.py", "run"], cwd=clone, env=environ, stdout=subprocess.PIPE, text=True
    )
    try:
        assert app.stdout is not None
        said = ""
        while "No tray icon" not in said:
            line = app.stdout.readline()
            assert line, said
            said += line
        inbox = tmp_path / "home" / "Pictures" / "Beartray"
        assert f"Watching {inbox}" in said
        photo(inbox / "desk.jpg", "none")
        status = [str(clone / ".venv" / "bin" / "beartray"), "status"]
        wait_until(
            lambda: b"watching" in subprocess.run(status, env=environ, capture_output=True).stdout,
            *(20, "the app to answer"),
        )
    finally:
        app.terminate()
        app.communicate(timeout=15)
    assert app.returncode == 0
