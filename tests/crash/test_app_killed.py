"""The whole program killed at any moment, again and again, while photos keep coming."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers import files, picture, wait_until
from tests.program import Program, status_now

pytestmark = pytest.mark.crash

KILLS = 12  # in all
PER_START = 5
COLOURS = {"grizzly": "red", "black": "lime", "teddy": "blue"}


@pytest.mark.parametrize(("where", "seed"), [("same disk", 1), ("another disk", 2)])
def test_killed_and_started_again_until_all_is_filed(
    tmp_path: Path, other_disk: Path, kills: Counter[str], where: str, seed: int
) -> None:
    chance = random.Random(seed)
    inbox, home = tmp_path / "inbox", tmp_path / "home"
    inbox.mkdir()
    album = inbox if where == "same disk" else other_disk / "album"
    album.mkdir(exist_ok=True)
    program = Program(home)
    program.configure("" if album == inbox else f"[sort]\ndestination = '{album}'")
    with program.running(inbox):  # the folder is chosen; what comes from now on is new
        pass
    expected: dict[str, bytes] = {}
    for _ in range(KILLS // 2):
        process = _start(program, inbox)
        _drop(inbox, tmp_path, expected, chance)
        time.sleep(chance.uniform(0.2, 2.2))  # killed at any moment is what is tested
        kills["the whole program"] += 1
        _kill(process, chance.choice([os.kill, os.killpg]))
        everywhere = Counter([*files(inbox).values(), *files(other_disk).values()])
        assert not set(expected.values()) - set(everywhere)
    with program.running(inbox):
        wait_until(lambda: len(files(album)) >= len(expected), 30, "all filed")
        wait_until(lambda: status_now(home, program.environ).get("pending") == 0, 20, "peace")
    assert files(album) == expected
    assert album == inbox or files(inbox) == {}
    rows = program.rows("history", "-n", "1000")
    done = {row["destination"] for row in rows if row["state"] == "done"}
    assert done == {str(album / name) for name in expected}
    assert {row["state"] for row in rows} <= {"done", "failed"}
    program.command("undo", "--last", "1000")
    assert sorted(files(inbox).values()) == sorted(expected.values())


def _start(program: Program, inbox: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*program.beartray, "run", "--headless", "--folder", str(inbox)],
        env=program.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _drop(inbox: Path, tmp_path: Path, expected: dict[str, bytes], chance: random.Random) -> None:
    for _ in range(PER_START):
        label = chance.choice(list(COLOURS))
        number = len(expected)
        made = picture(tmp_path / "made" / f"{number}.png", (60 + number, 48), COLOURS[label])
        expected[f"{label}/{number}.png"] = made.read_bytes()
        made.rename(inbox / made.name)


def _kill(process: subprocess.Popen[bytes], how: object) -> None:
    """The program alone, whose engine then ends by itself, or both."""
    if how is os.killpg:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not _lives(process.pid), 10, "the engine to end")


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
