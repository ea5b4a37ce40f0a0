"""python -m tests.sim: many seeds, or the story of one."""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.sim import plan
from tests.sim.run import Simulator
from tests.sim.shrink import shrink


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sim")
    parser.add_argument("--seeds", type=int, default=1000, help="how many to run")
    parser.add_argument("--start", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--most", type=int, default=20, help="end after so many failures")
    parser.add_argument("--seed", type=int, help="tell the story of this one")
    chosen = parser.parse_args()
    if chosen.seed is not None:
        return tell(chosen.seed)
    return run_many(chosen.start, chosen.seeds, chosen.jobs, chosen.most)


def tell(seed: int) -> int:
    with Simulator().open() as simulator:
        outcome = simulator.run(shrink(simulator, plan.make(seed)), tracing=True)
    print(f"{outcome.plan.settings}\n{outcome.plan.inbox_disk}\n{outcome.plan.out_disk}")
    for act in outcome.plan.acts:
        print(act)
    print("\n".join(outcome.story))
    print(f"seed {seed}: {outcome.problem or 'all well'}")
    return int(outcome.problem is not None)


def failures(start: int, count: int) -> list[tuple[int, str]]:
    """The seeds from `start` that fail, each with what is wrong."""
    found = []
    with Simulator().open() as simulator:
        for seed in range(start, start + count):
            outcome = simulator.run(plan.make(seed))
            if outcome.problem is not None:
                found.append((seed, outcome.problem))
    return found


def run_many(start: int, count: int, jobs: int, most: int) -> int:
    began, found, size = time.monotonic(), list[tuple[int, str]](), 250
    starts = range(start, start + count, size)
    sizes = [min(size, start + count - first) for first in starts]
    done = 0
    with ProcessPoolExecutor(jobs) as pool:
        for part, number in zip(pool.map(failures, starts, sizes), sizes, strict=True):
            done += number
            for seed, problem in part:
                print(f"seed {seed}: {problem[:300]}", flush=True)
            found += part
            if len(found) >= most:
                pool.shutdown(wait=False, cancel_futures=True)
                break
    took = time.monotonic() - began
    each = took / done * 1000 * jobs
    print(f"{done} seeds in {took:.1f} s ({each:.2f} ms each), {len(found)} failed")
    if found:
        first = found[0][0]
        print(f"the first of them (again: python -m tests.sim --seed {first}):")
        tell(first)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
