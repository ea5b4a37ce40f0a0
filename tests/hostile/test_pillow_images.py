"""All of Pillow's test images go through the real app, and each one is dealt with."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.helpers import files
from tests.hostile import pillow_images
from tests.hostile.siege import Siege
from tests.hostile.targets import one_line
from tests.program import Program, status_now
from trayapp.photo import SUFFIXES

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at the app through Linux's /proc"),
]


def test_each_one_is_filed_unsure_or_reported(siege: Siege, inbox: Path) -> None:
    originals = pillow_images.copy_to(inbox, sorted(SUFFIXES))
    assert len(originals) == pillow_images.IMAGES
    waiting = inbox.rename(inbox.with_name("waiting"))
    inbox.mkdir()
    with siege.running():
        for path in waiting.iterdir():
            path.rename(inbox / path.name)
        siege.settled(len(originals), 240)
        status = status_now(siege.program.home, siege.program.environ)
    found = files(inbox)
    assert {Path(name).name for name in found} == set(originals), "nothing lost, nothing new"
    for name, content in found.items():
        assert content == originals[Path(name).name].read_bytes(), f"{name} was changed"
    told = siege.problems()
    for name in originals:
        about = [line for line in told if line.startswith(name)]
        assert len(about) <= 1, about
    filed = sum("/" in name for name in found)
    assert filed + status["not_recognised"] + len(told) == len(originals)
    # Some 400 are formats that Beartray does not take; most others are sound.
    assert status["not_recognised"] > 400
    print(f"tray {siege.tray >> 20} MB, engine {siege.engine >> 20} MB")


def test_classify_answers_for_each_and_says_nothing_else(program: Program, inbox: Path) -> None:
    originals = pillow_images.copy_to(inbox, sorted(SUFFIXES))
    done = program.try_command("classify", inbox, "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {Path(row["path"]).name for row in rows} == set(originals)
    assert len(rows) == len(originals)
    assert done.returncode == 1
    assert done.stderr == "", "libraries keep their remarks to themselves"
    for row in rows:
        if row["reason"] == "unreadable":
            one_line(row["error"])
            assert row["error"].startswith(Path(row["path"]).name), row
