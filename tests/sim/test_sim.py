"""Ten thousand simulated schedules lose nothing; and the simulator finds what would."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.program import ROOT
from tests.sim import plan
from tests.sim.planted import PLANTED
from tests.sim.run import Simulator
from tests.sim.shrink import shrink

pytestmark = [
    pytest.mark.crash,
    pytest.mark.skipif(sys.platform == "win32", reason="simulates the system calls of POSIX"),
]

# BEARTRAY_SEEDS="FIRST COUNT" tries others.
FIRST, COUNT = map(int, os.environ.get("BEARTRAY_SEEDS", "0 10000").split())
ENOUGH = 1000  # seeds within which every planted mistake is found


def test_nothing_is_lost_in_any_simulated_schedule() -> None:
    command = [*(sys.executable, "-m", "tests.sim"), "--start", str(FIRST), "--seeds", str(COUNT)]
    done = subprocess.run(
        [*command, "--jobs", "2"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-10_000:] + done.stderr[-3_000:]


def test_a_seed_tells_the_same_story_every_time() -> None:
    with Simulator().open() as simulator:
        one, other = (simulator.run(plan.make(7), tracing=True) for _ in range(2))
    assert one.story == other.story
    assert any("puts /sim/inbox/" in line for line in one.story)


@pytest.mark.parametrize("mistake", PLANTED)
def test_a_planted_mistake_is_found(mistake: str) -> None:
    with Simulator().open() as simulator, PLANTED[mistake]():
        found = (simulator.run(plan.make(seed)).problem for seed in range(ENOUGH))
        assert any(found), f"{ENOUGH} seeds did not find it"


def test_a_failing_plan_is_made_shorter() -> None:
    with Simulator().open() as simulator, PLANTED["names are not synced"]():
        seed = next(seed for seed in range(ENOUGH) if simulator.run(plan.make(seed)).problem)
        long = plan.make(seed)
        short = shrink(simulator, long)
        assert simulator.run(short).problem
    assert len(short.acts) < len(long.acts)
