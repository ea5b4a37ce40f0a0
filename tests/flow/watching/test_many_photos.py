"""A folder of 100,000 photos: noted and left alone, or found after they came while closed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import SLOWNESS, names, wait_until
from tests.program import Program, status_now

pytestmark = pytest.mark.flow

MANY = 100_000
MEMORY = 20  # MB that so many photos may cost the program at most


def test_a_hundred_thousand_photos(
    program: Program,
    other_disk: Path,
    photo: Callable[..., bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    inbox = other_disk / "inbox"
    inbox.mkdir()
    for folder in ("a home that knew the folder", "a home that chooses it now"):
        Program(program.home / folder)
    knew, chooses = (Program(path) for path in sorted(program.home.iterdir()) if path.is_dir())
    for home in (knew, chooses):
        home.configure(f"[folder]\npath = {json.dumps(str(inbox))}")
    with knew.running(None) as process:
        empty = _memory(process.pid)
    for number in range(MANY):  # a file system lists the newest first, or last
        path = inbox / f"{number:06}.jpg"
        if 9 < number < MANY - 10:
            path.touch()
        else:
            photo(path, "teddy")
    began = time.monotonic()
    with chooses.running(None) as process:
        wait_until(lambda: _status(chooses)["existing"] == MANY, 60, "all noted")
        noted = time.monotonic() - began
        assert _memory(process.pid) - empty < MEMORY
        photo(inbox / "new.jpg", "black")
        wait_until((inbox / "black" / "new.jpg").exists, 20, "the new one filed")
        assert _status(chooses)["pending"] == 0
    assert not (inbox / "teddy").exists()
    began = time.monotonic()
    with knew.running(None) as process:
        wait_until((inbox / "teddy").is_dir, 60, "the first found and filed")
        found = time.monotonic() - began
        wait_until(lambda: _status(knew)["state"] == "busy", 20, "the others are on their way")
        asked = time.monotonic()
        assert _status(knew)["pending"]
        assert time.monotonic() - asked < SLOWNESS
        grown = _memory(process.pid) - empty
        assert grown < MEMORY
    with capsys.disabled():
        print(f"\n{MANY} noted in {noted:.1f} s, found in {found:.1f} s, {grown:+.0f} MB")
    assert len(names(inbox)) == MANY + 1


def _status(program: Program) -> dict[str, object]:
    return status_now(program.home, program.environ)


def _memory(pid: int) -> float:
    """Megabytes that are the process's own."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("Linux tells it of every process")
