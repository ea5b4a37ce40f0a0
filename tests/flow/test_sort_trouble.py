"""`beartray sort` when a person, a terminal or a disk gets in its way."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import files, tiny_disk, wait_until
from tests.program import BEARTRAY, Program
from trayapp.database import Database
from trayapp.journal import Journal

pytestmark = pytest.mark.flow

Photo = Callable[..., bytes]


def unfinished(program: Program) -> int:
    database = Database(program.home / "journal.sqlite")
    try:
        return len(Journal(database, "test").unfinished())
    finally:
        database.close()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same disk", "other disk"])
def test_ctrl_c_leaves_nothing_half_done(
    program: Program, inbox: Path, photo: Photo, other_disk: Path, elsewhere: bool
) -> None:
    photos = {f"{n}.jpg": photo(inbox / f"{n}.jpg") for n in range(250)}
    to = other_disk if elsewhere else inbox
    process = subprocess.Popen(
        [*BEARTRAY, "sort", str(inbox), "--to", str(to)],
        env=program.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_until((to / "grizzly" / "103.jpg").exists, 20, "a few photos sorted")
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the engine too
    said, complained = process.communicate(timeout=10)
    assert process.returncode == 130
    assert complained == "interrupted; `beartray history` tells what was done until then\n"
    there = files(to / "grizzly")
    assert 0 < len(there) < 250
    assert f"{len(there)} filed" in said.splitlines()[-1]
    here = {path.name: path.read_bytes() for path in inbox.glob("*.jpg")}
    assert not set(here) & set(there)
    assert {**here, **there} == photos
    assert unfinished(program) == 0
    rows = program.rows("history", "-n", "999")
    assert {row["state"] for row in rows} == {"done"}
    assert len(rows) == len(there)
    program.command("sort", inbox, "--to", to)
    assert files(to / "grizzly") == photos
    for _ in range(2):
        program.command("undo", "--batch")
    assert files(inbox) == photos


def test_a_full_disk_is_said_and_loses_nothing(
    program: Program, inbox: Path, photo: Photo, tmp_path: Path
) -> None:
    photos = {f"{n}.jpg": photo(inbox / f"{n}.jpg", "black", (900, 900)) for n in range(8)}
    with tiny_disk(tmp_path / "stick", "48k") as stick:
        done = program.try_command("sort", inbox, "--to", stick)
        there = files(stick)
        complaints = done.stderr.splitlines()
        assert done.returncode == 1
        assert 0 < len(there) < len(photos)
        assert len(complaints) == len(photos) - len(there)
        for line in complaints:
            assert line.startswith(f"{inbox}/")
            assert "stays in place" in line
            assert line.endswith(f"{stick}/black: the disk is full; free some space")
        assert {path.name: data for path, data in map(_named, there.items())} | files(inbox) == (
            photos
        )
        assert unfinished(program) == 0
        program.command("undo", "--batch")
        assert (files(stick), files(inbox)) == ({}, photos)


def _named(item: tuple[str, bytes]) -> tuple[Path, bytes]:
    return Path(item[0]), item[1]


def on_a_terminal(program: Program, *words: str | Path, stdout: int | None = None) -> str:
    """What a command shows on a real pseudo-terminal of 100 columns."""
    mine, its = pty.openpty()
    shown = b""
    environ = {**program.environ, "COLUMNS": "100", "TERM": "xterm-256color"}
    with subprocess.Popen(
        [*BEARTRAY, *map(str, words)],
        env=environ,
        stdin=its,
        stdout=its if stdout is None else stdout,
        stderr=its,
    ):
        os.close(its)
        while True:
            try:
                shown += os.read(mine, 65536)
            except OSError:  # EIO: the other end was closed
                break
    os.close(mine)
    return shown.decode()


BAR = re.compile(r"Sorting .*\d+/80 .*\d+\.\d photos/s .*\d:\d\d:\d\d")


def test_a_terminal_shows_a_bar_with_rate_and_time_left(
    program: Program, inbox: Path, photo: Photo
) -> None:
    for number in range(80):
        photo(inbox / f"{number}.jpg", size=(640, 480))
    shown = on_a_terminal(program, "sort", inbox)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert BAR.search(plain), plain[-2000:]
    assert "79.jpg → grizzly/79.jpg  99 %" in plain
    assert "80 filed" in plain
    assert "\x1b[?25h" in shown, "the cursor is shown again"


def test_what_is_piped_has_no_bar(program: Program, inbox: Path, photo: Photo) -> None:
    for number in range(20):
        photo(inbox / f"{number}.jpg")
    done = program.try_command("sort", inbox)
    assert "\x1b" not in done.stdout + done.stderr
    assert (len(done.stdout.splitlines()), done.stderr) == (21, "")
    program.command("undo", "--batch")
    reader, writer = os.pipe()
    shown = on_a_terminal(program, "sort", inbox, "--json", stdout=writer)
    os.close(writer)
    with os.fdopen(reader) as piped:
        lines = piped.read().splitlines()
    assert "Sorting" in shown
    assert len(lines) == 20
    assert all(line.startswith('{"path"') for line in lines)


def test_a_reader_that_goes_away_stops_the_sorting(
    program: Program, inbox: Path, photo: Photo
) -> None:
    photos = {f"{n}.jpg": photo(inbox / f"{n}.jpg") for n in range(60)}
    with subprocess.Popen(
        [*BEARTRAY, "sort", str(inbox)],
        env=program.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()  # `| head -1`
        complained = process.stderr.read()
    assert (process.returncode, complained) == (1, b"")
    assert len(files(inbox / "grizzly")) < 60
    assert {Path(name).name: data for name, data in files(inbox).items()} == photos
    assert unfinished(program) == 0
