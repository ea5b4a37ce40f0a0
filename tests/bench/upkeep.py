"""What can be done with a long history once it is there: look, verify, take back."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figures import Figure
from tests.program import Program

HISTORY_MS = 200.0
TAKEN_BACK = 10_000  # photos; 100,000 would take too long to wait for


def afterwards(program: Program, inbox: Path, count: int) -> Iterator[Figure]:
    """With `count` photos filed, and the app no longer running."""
    start = min(_timed(program, "about")[0] for _ in range(3))
    extra = 1e3 * (min(_timed(program, "history")[0] for _ in range(3)) - start)
    holds = "holds" if extra <= HISTORY_MS else "DOES NOT HOLD"
    goal = f"goal ≤ {HISTORY_MS:g}: {holds}"
    yield Figure("Soak, afterwards", "`history`, beyond the start", extra, "ms", goal)
    yield from _command(program, "history", "-n", str(count))
    yield from _command(program, "history", "--verify")
    some = min(count, TAKEN_BACK)
    oldest = program.rows("history", "-n", str(some))[-1]["time"]
    seconds, held = _timed(program, "undo", "--since", oldest)
    back = sum(1 for _ in os.scandir(inbox) if _.is_file())
    note = f"{back:,} photos back in {seconds:.0f} s, {held:.0f} MB at most"
    yield Figure("Soak, afterwards", "`undo --since`", back / seconds, "photos/s", note)
    yield from _command(program, "history", "--verify")


def _command(program: Program, *words: str) -> Iterator[Figure]:
    seconds, held = _timed(program, *words)
    note = f"{held:.0f} MB at most"
    yield Figure("Soak, afterwards", f"`{' '.join(words)}`", seconds, "s", note)


def _timed(program: Program, *words: str) -> tuple[float, float]:
    """Seconds, and MB resident at most, of one command, which has to end well."""
    began = time.monotonic()
    process = subprocess.Popen(
        [*program.beartray, *words], env=program.environ, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: `beartray {' '.join(words)}` ended with {process.returncode}")
    return seconds, usage.ru_maxrss / 1000
