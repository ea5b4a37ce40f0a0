"""What the bundle's program asks of the system, and what the programs that it starts get to see."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.frozen.conftest import Bundled
from tests.helpers import make_tree, names, picture, require_programs, wait_until
from tests.program import status_now

pytestmark = pytest.mark.frozen

TRACE = ("strace", "-ff", "-qq", "-e", "trace=network")
SENDING = re.compile(r"^(?:socket|connect|bind|send\w*)\(.*")
LOCAL = re.compile(
    r"socket\(AF_UNIX,|connect\(\d+, {sa_family=AF_UNIX|bind\(\d+, {sa_family=AF_UNIX"
)


def asked_of_the_network(folder: Path) -> list[str]:
    """Each system call, traced into `folder`, with which something might leave the machine."""
    lines = [line for trace in folder.iterdir() for line in trace.read_text().splitlines()]
    return [line for line in lines if SENDING.match(line) and not LOCAL.match(line)]


def is_from_a_network(line: str) -> bool:
    """Whether a call made, or names, a socket that is not a file of this machine's."""
    return line.startswith("socket(") or ("sa_family=" in line and "AF_UNIX" not in line)


def is_ready(program: Bundled) -> bool:
    return bool(status_now(program.home, program.environ).get("engine") == "ready")


@contextmanager
def tray_without_a_bus(program: Bundled, inbox: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Started from a desktop that has a screen, but neither a panel nor a session bus."""
    command = [*program.prefix, *program.beartray, "run", "--folder", str(inbox)]
    with subprocess.Popen(command, env=program.environ, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: is_ready(program), 30, "it to run")
            yield process
        finally:
            process.terminate()
        assert process.wait(20) == 0


def test_no_socket_leaves_this_machine(program: Bundled, tmp_path: Path) -> None:
    """It never makes a socket of the internet's, nor asks the kernel for networks (AF_NETLINK)."""
    require_programs("strace")
    traces, photos = tmp_path / "traces", tmp_path / "photos"
    traces.mkdir()
    photo = picture(photos / "photo.jpg", colour="red")
    program.prefix = (*TRACE, "-o", str(traces / "call"))
    program.command("classify", photo)
    program.command("sort", photos)
    program.command("doctor", status=None)
    program.command("config", "show")
    with program.running(photos) as process:
        second = picture(photos / "second.jpg", colour="red")
        wait_until(lambda: not second.exists(), 30, "a photo to be filed")
        program.command("status")
        program.command("quit")  # strace hands no signal on
        process.wait(20)
    made = "".join(trace.read_text() for trace in traces.iterdir())
    assert "AF_UNIX" in made  # something was traced: the control socket
    assert [line for line in asked_of_the_network(traces) if is_from_a_network(line)] == []


def test_a_trace_with_the_internet_in_it_would_be_noticed(tmp_path: Path) -> None:
    require_programs("strace")
    send = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('::1', 9))"
    trace = [*TRACE, "-o", str(tmp_path / "call"), sys.executable, "-c", send]
    subprocess.run(trace, capture_output=True, check=False)
    assert any(is_from_a_network(line) for line in asked_of_the_network(tmp_path))


def test_it_works_without_a_network(program: Bundled, tmp_path: Path) -> None:
    require_programs("unshare")
    program.prefix = ("unshare", "--net", "--map-root-user")
    if subprocess.run([*program.prefix, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make a network of its own")
    photo = picture(tmp_path / "photos" / "photo.jpg", colour="red")
    (row,) = program.rows("classify", photo)
    assert row["label"] == "grizzly"
    program.command("sort", photo.parent)
    with program.running(photo.parent):
        second = picture(photo.parent / "second.jpg", colour="red")
        wait_until(lambda: not second.exists(), 20, "a photo to be filed")
    assert names(photo.parent) == {"grizzly/photo.jpg", "grizzly/second.jpg"}


@pytest.mark.parametrize("libraries", [None, "/somewhere/lib"])
def test_other_programs_see_the_surroundings_that_it_was_started_in(
    program: Bundled, tmp_path: Path, libraries: str | None
) -> None:
    """Above all not the bundle's libraries: with those many would not even start.

    Without a session bus it speaks through plyer, which starts `notify-send`.
    """
    noted = tmp_path / "noted.json"
    script = "import json, os, sys; print(json.dumps([sys.argv[1:], dict(os.environ)]))"
    stub = f'#!/bin/sh\nexec {sys.executable} -I -c {script!r} "$@" > {str(noted)!r}\n'
    make_tree(tmp_path / "bin", {"notify-send": stub})
    (tmp_path / "bin" / "notify-send").chmod(0o755)
    program.environ |= {"PATH": f"{tmp_path / 'bin'}:{os.defpath}", "DISPLAY": ":none"}
    if libraries:
        program.environ["LD_LIBRARY_PATH"] = libraries
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with tray_without_a_bus(program, inbox):
        picture(inbox / "photo.jpg", colour="red")
        wait_until(lambda: noted.exists() and noted.stat().st_size, 20, "a notification")
        said, seen = json.loads(noted.read_text())
    assert "Photo filed" in said
    assert {name: seen.get(name) for name in program.environ} == program.environ
    assert seen.get("LD_LIBRARY_PATH") == libraries
    assert not [name for name in seen if name.startswith("_PYI")], seen
