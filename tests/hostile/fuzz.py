"""Feeds spoiled files to everything that reads them: `python -m tests.hostile.fuzz --minutes 20`.

File number N of a target is the same on every machine with the same libraries, so that what was
found can be had again: `--first N --count 1 TARGET`.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.hostile.targets import Check, Notes, Target, targets

SLOW_SECONDS = 5.0
"""What anything but a photo may take; a photo has the engine's own limit."""
TURN = 50  # files of one target before it is the next one's turn


@dataclass(frozen=True)
class Finding:
    """File `number` of a target, what is in it, and what went wrong."""

    target: str
    number: int
    data: bytes
    problem: str


def spoiled(name: str, target: Target, number: int) -> bytes:
    """File `number` of a target."""
    return target.spoil(random.Random(f"{name} {number}"))


def try_files(name: str, target: Target, check: Check, numbers: Iterable[int]) -> Iterator[Finding]:
    """Feed these files one after the other; yields what went wrong."""
    for number in numbers:
        data = spoiled(name, target, number)
        began = time.monotonic()
        try:
            check(data)
            took = time.monotonic() - began
            assert took < SLOW_SECONDS or name == "photo", f"took {took:.1f} s"
        except Exception:
            yield Finding(name, number, data, traceback.format_exc())


def run(
    wanted: Sequence[str], keep: Path, first: int, count: int | None = None, seconds: float = 0
) -> tuple[list[Finding], Counter[str], dict[str, Notes]]:
    """Turn by turn until `count` files, or else `seconds`, are up; findings lie in `keep`."""
    known, findings, counts = targets(), list[Finding](), Counter[str]()
    notes = {name: Notes() for name in wanted}
    end = time.monotonic() + seconds
    with ExitStack() as stack:
        checks = {name: stack.enter_context(known[name].open(notes[name])) for name in wanted}
        for begin in itertools.count(first, TURN):
            for name in wanted:
                last = begin + TURN if count is None else min(begin + TURN, first + count)
                for finding in try_files(name, known[name], checks[name], range(begin, last)):
                    findings.append(finding)
                    keep.mkdir(parents=True, exist_ok=True)
                    (keep / f"{name}-{finding.number}").write_bytes(finding.data)
                    print(f"{name} {finding.number}: {finding.problem}", flush=True)
                counts[name] += max(0, last - begin)
            done = time.monotonic() >= end if count is None else begin + TURN >= first + count
            if done:
                return findings, counts, notes
    raise AssertionError("unreachable")


def main(arguments: Sequence[str]) -> int:
    names = list(targets())
    parser = argparse.ArgumentParser(prog="python -m tests.hostile.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[*names, []], help=", ".join(names))
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (1)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first file (0)")
    parser.add_argument("--count", type=int, help="files of each target, in place of all in time")
    parser.add_argument(
        "--keep", type=Path, default=Path("fuzz-findings"), help="where to put what"
    )
    options = parser.parse_args(arguments)
    found, counts, notes = run(
        options.target or names, options.keep, options.first, options.count, options.minutes * 60
    )
    for name, count in counts.items():
        wrong = sum(finding.target == name for finding in found)
        print(f"{name}: {count} files, {wrong} findings")
        for what, times in notes[name].most_common():
            print(f"    {times:>8}  {what}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
