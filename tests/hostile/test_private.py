"""Nothing leaves the machine, and an engine that a photo has taken over can do no harm."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import picture, require_programs, wait_until
from tests.program import ROOT, Program
from trayapp.engine.confine import landlock_version

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(sys.platform != "linux", reason="Linux's own means"),
]

TRIES = """
import os, socket, subprocess, sys, threading, pathlib
from trayapp.engine.confine import confine
place = pathlib.Path(sys.argv[1])
print(*sorted(confine()))

def tried(name, act):
    try:
        act()
        print(name, "could")
    except PermissionError:
        print(name, "refused")

def all_of_them():
    photo = place / "photo.jpg"
    tried("read", photo.read_bytes)
    tried("internet", socket.socket)
    tried("datagram", lambda: socket.socket(type=socket.SOCK_DGRAM))
    tried("bus", lambda: socket.socket(socket.AF_UNIX))
    tried("program", lambda: subprocess.run(["true"]))
    tried("signal", lambda: os.kill(os.getppid(), 0))
    tried("mode", lambda: photo.chmod(0o777))
    tried("time", lambda: os.utime(photo))
    tried("write", lambda: photo.open("r+b"))
    tried("create", lambda: (place / "new").open("xb"))
    tried("empty", lambda: os.truncate(photo, 0))
    tried("delete", photo.unlink)
    tried("rename", lambda: photo.rename(place / "other"))
    tried("link", lambda: os.link(photo, place / "other"))
    tried("symlink", lambda: os.symlink("x", place / "other"))
    tried("folder", lambda: os.mkdir(place / "other"))

all_of_them()
thread = threading.Thread(target=all_of_them)
thread.start()
thread.join()
"""
BY_LANDLOCK = {"write", "create", "empty", "delete", "rename", "link", "symlink", "folder"}


def test_a_confined_process_can_read_and_nothing_else(tmp_path: Path) -> None:
    photo = picture(tmp_path / "photo.jpg")
    before = photo.read_bytes()
    command = [sys.executable, "-c", TRIES, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    held, *lines = done.stdout.splitlines()
    expected = {"seccomp"} | ({"landlock"} if landlock_version() else set())
    assert set(held.split()) == expected
    assert len(lines) == 32, "also in a thread that was started later"
    for line in lines:
        name, outcome = line.split()
        free = name == "read" or (name in BY_LANDLOCK and "landlock" not in expected)
        assert outcome == ("could" if free else "refused"), line
    if "landlock" in expected:
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {photo.name: before}


def test_the_engine_at_work_is_confined(program: Program, inbox: Path) -> None:
    with program.running(inbox) as process:
        status = {pid: Path(f"/proc/{pid}/status").read_text() for pid in children(process.pid)}
        confined = [text for text in status.values() if "NoNewPrivs:\t1" in text]
        assert len(confined) == 1, "the engine, not the helper that Python starts"
        assert "Seccomp:\t2" in confined[0]


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]


def test_no_network_and_no_identifier(program: Program, inbox: Path, tmp_path: Path) -> None:
    """onnxruntime has telemetry on board, and a first start would make and send an identifier."""
    require_programs("strace")
    person, traced = tmp_path / "person", tmp_path / "traced"
    person.mkdir()
    for name in [name for name in program.environ if name.startswith(("XDG_", "ORT_"))]:
        del program.environ[name]
    program.environ["HOME"] = str(person)
    picture(inbox / "before.jpg")
    program.prefix = ("strace", "-f", "-qq", "-e", "trace=socket", "-o", str(traced))
    program.command("classify", inbox)
    program.command("sort", inbox, "--dry-run")
    said = traced.read_text()
    with program.running(inbox) as process:
        program.prefix = ()
        picture(inbox / "after.jpg")
        wait_until(lambda: program.status()["not_recognised"] == 1, 30, "the photo looked at")
        program.command("quit")
        assert process.wait(60) == 0
    said += traced.read_text()
    assert "AF_UNIX" in said, "something was traced"
    assert not re.findall(r".*AF_(?:INET|INET6|NETLINK|PACKET).*", said)
    assert os.listdir(person) == []  # noqa: PTH208 (names)
