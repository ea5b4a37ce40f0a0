"""Measures on this machine and prints one table; nothing here fails for being slow."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench import batch, live
from tests.bench.bundle import bundle
from tests.bench.desktop import desktop
from tests.bench.engines import engines
from tests.bench.figures import Figure, lines_of_json, machine, table
from tests.bench.photos import large_photos, web_photos
from tests.bench.review import review
from tests.bench.soak import soak


def main() -> None:
    options = argparse.ArgumentParser(prog="tasks.py bench", description=__doc__)
    options.add_argument("--engines", action="store_true", help="only the engines")
    options.add_argument("--desktop", action="store_true", help="only the tray")
    options.add_argument("--review", action="store_true", help="only the review page")
    options.add_argument("--bundle", type=Path, metavar="DIR", help="only the bundle in DIR")
    options.add_argument(
        "--soak", type=int, nargs="?", const=100_000, metavar="N", help="only a backlog of N"
    )
    options.add_argument("--workers", type=int, default=1, help="engine processes of the soak")
    options.add_argument("--headless", action="store_true", help="the soak without a desktop")
    options.add_argument("--quick", action="store_true", help="fewer photos: a minute")
    options.add_argument("--json", action="store_true", help="one JSON object a line")
    chosen = options.parse_args()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="beartray-bench-") as scratch:
        try:
            figures.extend(measure(Path(scratch), chosen))
        finally:  # what took long to measure is told, whatever came after
            show(figures, chosen.json)


def show(figures: list[Figure], as_json: bool) -> None:
    if as_json:
        print(json.dumps({"machine": machine()}))
    else:
        print(machine())
    print("\n".join(lines_of_json(figures) if as_json else table(figures)), flush=True)


def measure(scratch: Path, chosen: argparse.Namespace) -> Iterator[Figure]:
    quick, web = chosen.quick, web_photos(scratch / "made", 300)
    if chosen.bundle:
        tell("the bundle")
        yield from bundle(chosen.bundle.absolute(), scratch / "bundle", web, quick)
        return
    if chosen.soak:
        tell(f"a backlog of {chosen.soak:,} photos")
        yield from soak(scratch / "soak", web, chosen.soak, chosen.workers, chosen.headless)
        return
    if chosen.review:
        tell("the review page")
        yield from review(scratch / "review", web, quick)
        return
    if not chosen.desktop:
        yield from _without_a_screen(scratch, web, chosen.quick, chosen.engines)
    if not chosen.engines:
        tell("tray")
        yield from desktop(scratch / "desktop", web, quick)


def _without_a_screen(
    scratch: Path, web: list[Path], quick: bool, only_engines: bool
) -> Iterator[Figure]:
    large = large_photos()
    tell("engines")
    (scratch / "engines").mkdir()
    yield from engines(scratch / "engines", web, large, quick)
    if only_engines:
        return
    what = f"photo of {sum(path.stat().st_size for path in web) / len(web) / 1000:.0f} kB"
    tell("latency")
    yield from live.latency(scratch / "latency", what, web, 8 if quick else 30, goal=True)
    if large:
        share = 1 if quick else 2
        what = "photo of 8 to 24 MP"
        yield from live.latency(scratch / "large", what, large, share * len(large), goal=False)
    tell("rates")
    yield from batch.rates(scratch / "rates", web, 100 if quick else 300, 1 if quick else 2)
    tell("start")
    yield from live.start(scratch / "start", web, 3 if quick else 7)
    tell("idle")
    yield from live.idle(scratch / "idle", web, 5 if quick else 20)
    tell("filing")
    yield from batch.journal(scratch / "journal", web, 50 if quick else 200)


def tell(what: str) -> None:
    if sys.stderr.isatty():
        print(f"measuring {what} …", file=sys.stderr)


if __name__ == "__main__":
    main()
