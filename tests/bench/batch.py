"""Many photos: `beartray sort` and the app beside the bare engine, and what the journal costs."""

from __future__ import annotations

import itertools
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.engines import bare_rate
from tests.bench.figures import Figure, median
from tests.bench.live import burst
from tests.bench.photos import copies
from tests.bench.running import set_up
from tests.program import BEARTRAY
from trayapp.database import Database
from trayapp.decide import decide
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.photo import Photo, Verdict
from trayapp.settings import Sort
from trayapp.steps import prepare as prepare_step
from trayapp.steps import steps_of


def rates(scratch: Path, photos: Sequence[Path], count: int, rounds: int) -> Iterator[Figure]:
    """Photos a second, each kind in turn so that all see the same machine; medians."""
    found: dict[str, list[tuple[float, float]]] = {}
    busy: list[float] = []
    for number, workers in itertools.product(range(rounds), (1, 2)):
        place = scratch / f"{number} {workers}"
        for name in ("beartray sort", f"the app, {count} at once"):
            limit = bare_rate(photos)  # just before: the machine may do other things, too
            if name == "beartray sort":
                rate = sort_rate(place / name, photos, count, workers)
            else:
                rate = burst(place / name, photos, count, workers, busy)
            found.setdefault(f"{name}, workers = {workers}", []).append((rate, limit))
    limits = [limit for pairs in found.values() for _, limit in pairs]
    note = "decode, prepare, run; low priority too"
    yield Figure("Rate", "bare engine in one process", median(limits), "photos/s", note)
    for name, pairs in sorted(found.items()):
        note = f"{median([rate / limit for rate, limit in pairs]):.0%} of the bare engine"
        yield Figure("Rate", name, median([rate for rate, _ in pairs]), "photos/s", note)
    if busy:
        name = "the app, workers = 1: the engine has work"
        yield Figure("Rate", name, 100 * median(busy), "%", "of the burst's time")


def sort_rate(scratch: Path, photos: Sequence[Path], count: int, workers: int) -> float:
    """Photos a second from the first reported to the last, the program's start left out."""
    folder = scratch / "photos"
    copies(photos, folder, count)
    program = set_up(scratch / "home", scratch / "inbox")
    program.command("config", "set", "model.workers", str(workers))
    times = []
    with subprocess.Popen(
        [*BEARTRAY, "sort", str(folder), "--json"], env=program.environ, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        times = [time.monotonic() for _ in process.stdout]
    return (len(times) - 1) / (times[-1] - times[0])


def journal(scratch: Path, photos: Sequence[Path], count: int) -> Iterator[Figure]:
    """What it costs to write down that a photo is moved, and to do it."""
    inbox = scratch / "inbox"
    made = copies(photos, inbox, count)
    database = Database(scratch / "journal.sqlite")
    book = Journal(database, "bench")
    filing = Filing(book, lambda _: False)
    written, moved = [], []
    for path in made:
        plan = decide(Photo.at(path), Verdict("grizzly", 0.98), Sort(), inbox)
        assert plan is not None
        steps = tuple(prepare_step(step) for step in next(iter(steps_of(plan))))
        began = time.perf_counter()
        entry = book.begin(plan, steps, None)
        book.finish(entry, plan.photo)
        written.append(time.perf_counter() - began)
        began = time.perf_counter()
        filing.file(plan, None)
        moved.append(time.perf_counter() - began)
    database.close()
    yield Figure("Filing", "journal: begin and finish, median", 1e3 * median(written), "ms")
    yield Figure("Filing", "the same and the move, median", 1e3 * median(moved), "ms")
