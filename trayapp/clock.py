"""The clocks that Beartray works by, and the moment at which this process was started."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clock:
    """`steady` only ever goes forward, `wall` is the time of day since the epoch; in seconds."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time


SYSTEM_CLOCK = Clock()


def process_start() -> float:
    """What comes after that, comes after the person asked.

    Seconds since the epoch; a little late where only the CPU time used so far is known.
    """
    if sys.platform == "linux":
        try:
            fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return time.time() - time.process_time()
        ticks = int(fields[19]) + 1  # proc(5): (22) starttime, rounded down
        since_boot = ticks / os.sysconf("SC_CLK_TCK")
        return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)
    return time.time() - time.process_time()
