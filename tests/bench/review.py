"""The review page: a long journal, many thumbnails, and a page that stays open all day."""

from __future__ import annotations

import http.client
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from tests.bench.figures import Figure, median, spread
from tests.bench.photos import copies
from tests.bench.running import Running, cpu_seconds, processes, resident, running, set_up, wait
from tests.review.test_browser import PROGRAMS
from tests.review.test_gallery import fill
from trayapp.database import Database
from trayapp.review.gallery import PAGE

GOAL_MS = 150.0
LONG = 100_000  # entries of the journal
CACHE_MB = 200.0
FILTERS = (
    *("show=none", "show=unsure", "show=corrected", "label=teddy", "model=old"),
    *("label=teddy&model=old", "day=2026-11-01"),
)


class Client:
    """Asks the page for things, on one connection, as a browser does."""

    def __init__(self, app: Running) -> None:
        address = app.program.command("review", "--print").strip()
        self.host, _, path = address.removeprefix("http://").partition("/")
        self._connection = http.client.HTTPConnection(self.host, timeout=120)
        self._cookie = ""
        self._connection.request("GET", f"/{path}")
        answer = self._connection.getresponse()
        answer.read()
        self._cookie = (answer.headers["set-cookie"] or "").partition(";")[0]

    def get(self, path: str) -> bytes:
        self._connection.request("GET", path, headers={"Cookie": self._cookie})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"bench: {path}: {answer.status}")
        return content

    def timed(self, path: str, times: int) -> list[float]:
        """Seconds, from asking until all of it is here."""
        took = []
        for _ in range(times):
            start = time.monotonic()
            self.get(path)
            took.append(time.monotonic() - start)
        return took

    def close(self) -> None:
        self._connection.close()


def review(scratch: Path, web: Sequence[Path], quick: bool) -> Iterator[Figure]:
    """All of it; what needs Linux or a browser only there."""
    yield from _long_journal(scratch / "long", 10 if quick else 50)
    yield from _thumbnails(scratch / "thumbs", 100 if quick else 1000)
    yield from _backlog(scratch / "backlog", web, 500 if quick else 2000)
    if any(map(shutil.which, PROGRAMS)):
        yield from _all_day(scratch / "day", web, 500 if quick else 10_000)


@contextmanager
def _looking(scratch: Path) -> Iterator[tuple[Running, Client]]:
    program = set_up(scratch / "home", scratch / "inbox")
    with running(program, scratch / "inbox", "run", "--headless") as app:
        wait(lambda: app.is_ready() and app.status()["watching"], "the engine", 0.05)
        client = Client(app)
        try:
            yield app, client
        finally:
            client.close()


def _long_journal(scratch: Path, times: int) -> Iterator[Figure]:
    (scratch / "home").mkdir(parents=True)
    database = Database(scratch / "home" / "journal.sqlite")
    fill(database, LONG, corrected=500)
    database.close()
    group = f"Review, {LONG:,} entries"
    with _looking(scratch) as (app, client):
        unused = resident(app.process.pid)  # but for the server itself, which has a key to take
        (very_first,) = client.timed("/", 1)
        first = client.timed("/", times)
        met = "holds" if median(first) * 1e3 < GOAL_MS else "DOES NOT HOLD"
        yield from spread(group, "first page", first, f"goal < {GOAL_MS:.0f} ms: {met}")
        yield Figure(group, "the very first one", 1e3 * very_first, "ms")
        grown = resident(app.process.pid) - unused
        yield Figure(group, "memory that looking took", grown, "MB", "tray process")
        for query in FILTERS:
            seconds = median(client.timed(f"/tiles?{query}", times))
            yield Figure(group, f"first tiles, {query}", 1e3 * seconds, "ms")
        for period in ("month", "year"):
            took = client.timed(f"/overview?period={period}", 3)
            yield Figure(group, f"overview, {period}", 1e3 * median(took), "ms")
        before = resident(app.process.pid)
        took = _scroll(client, 5 * times)
        tenth = len(took) // 10
        note = f"the first tenth of {len(took)} pages: {1e3 * median(took[:tenth]):.1f} ms"
        yield Figure(group, "next page, the last tenth", 1e3 * median(took[-tenth:]), "ms", note)
        grown = resident(app.process.pid) - before
        yield Figure(group, "memory that scrolling took", grown, "MB", "tray process")


def _scroll(client: Client, pages: int) -> list[float]:
    took, cursor = [], ""
    for _ in range(pages):
        start = time.monotonic()
        html = client.get(f"/tiles?after={cursor}").decode()
        took.append(time.monotonic() - start)
        cursor = re.findall(r'data-more="([^"]+)"', html)[-1]
    return took


def _thumbnails(scratch: Path, count: int) -> Iterator[Figure]:
    """Of photos of 12 megapixels, each another file."""
    folder = scratch / "photos"
    folder.mkdir(parents=True)
    large = folder / "large.jpg"
    noise = Image.effect_noise((400, 300), 60).resize((4000, 3000)).convert("RGB")
    noise.save(large, quality=80)
    made = [shutil.copyfile(large, folder / f"{number}.jpg") for number in range(count)]
    (scratch / "home").mkdir()
    database = Database(scratch / "home" / "journal.sqlite")
    with database.writing() as db:
        db.executemany(
            "INSERT INTO entries (time, batch, action, path, destination, label, confidence, state,"
            " owner, scores) VALUES (1, 1, 'move', ?, ?, 'teddy', 0.9, 'done', '', '{}')",
            [(str(path).encode(), str(path).encode()) for path in made],
        )
    database.close()
    group = f"Review, {count:,} thumbnails of 12 MP"
    with _looking(scratch) as (app, client):
        client.get("/")
        tray = app.process.pid
        pids = processes(tray)
        used = {role: cpu_seconds(pid) for role, pid in pids.items()}
        before, start = resident(tray), time.monotonic()
        for id_ in range(1, count + 1):
            client.get(f"/thumb/{id_}")
        spent = {role: cpu_seconds(pid) - used[role] for role, pid in pids.items()}
        yield Figure(group, "made", count / (time.monotonic() - start), "photos/s", "one worker")
        start = time.monotonic()
        for id_ in range(1, count + 1):
            client.get(f"/thumb/{id_}")
        yield Figure(group, "from the cache", count / (time.monotonic() - start), "photos/s")
        yield Figure(group, "memory that it took", resident(tray) - before, "MB", "tray process")
        kept = sum(file.stat().st_size for file in (scratch / "home" / "cache").rglob("*.jpg"))
        note = f"never more than {CACHE_MB:.0f} MB"
        yield Figure(group, "cache on the disk", kept / 1e6, "MB", note)
        for role, seconds in spent.items():
            yield Figure(
                group, f"processor time, {role} process", 1e3 * seconds / count, "ms/photo"
            )


def _backlog(scratch: Path, web: Sequence[Path], count: int) -> Iterator[Figure]:
    """The pictures of the page that somebody opens while photos are filed."""
    group = f"Review, page opened while {count:,} photos are filed"
    with _looking(scratch) as (app, client):
        for path in copies(web, scratch / "photos", count):
            path.rename(app.inbox / path.name)
        wait(lambda: len(_page(client)) == PAGE, "the first page to be full", 0.05)
        took = [client.timed(f"/thumb/{id_}", 1)[0] for id_ in _page(client)]
        note = "too late: all were filed" if _is_filed(app) else "meanwhile they are filed"
        yield from spread(group, "thumbnail", took, note)
        wait(lambda: _is_filed(app), "the photos to be filed", 0.2)
        client.close()  # the server has, meanwhile; the next request connects anew
        alone = [client.timed(f"/thumb/{id_}", 1)[0] for id_ in _page(client)]
        yield Figure(group, "all of a page", sum(took), "s", f"later: {sum(alone):.2f} s")


def _page(client: Client) -> list[str]:
    return re.findall(r'data-id="(\d+)"', client.get("/tiles").decode())


def _all_day(scratch: Path, web: Sequence[Path], count: int) -> Iterator[Figure]:
    """Photos are filed, a tenth at a time: with no page, and with one in a real browser."""
    from playwright.sync_api import sync_playwright

    group = f"Review, page open while {count:,} photos are filed"
    with _looking(scratch / "closed") as (app, client):
        client.close()
        alone = _file(app, copies(web, scratch / "first", count), lambda: None)
    with _looking(scratch / "open") as (app, client), sync_playwright() as playwright:
        client.close()
        program = next(filter(None, map(shutil.which, PROGRAMS)))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(app.program.command("review", "--print").strip())
        session = page.context.new_cdp_session(page)
        heaps: list[float] = []

        def look() -> None:
            page.wait_for_timeout(2000)
            heaps.append(_heap(session))

        watched = _file(app, copies(web, scratch / "second", count), look)
        tiles, nodes = page.locator(".tile").count(), page.locator("*").count()
        browser.close()
    rows = {
        "browser, JavaScript heap": heaps,
        "tray process": [size for _, size in watched],
        "tray process, no page": [size for _, size in alone],
    }
    for name, sizes in rows.items():
        yield Figure(group, name, sizes[-1], "MB", f"after three tenths {sizes[2]:.1f} MB")
    yield Figure(group, "tiles in the page at the end", tiles, "tiles", f"{nodes} elements")
    for name, parts in (("filed", watched), ("filed, no page", alone)):
        yield Figure(group, name, count / sum(seconds for seconds, _ in parts), "photos/s")


def _file(
    app: Running, made: Sequence[Path], after: Callable[[], object]
) -> list[tuple[float, float]]:
    """Seconds and the tray process's megabytes for each tenth of the photos."""
    rows = []
    for part in range(10):
        start = time.monotonic()
        for path in made[part * len(made) // 10 : (part + 1) * len(made) // 10]:
            path.rename(app.inbox / path.name)
        end = wait(lambda: _is_filed(app), "the photos to be filed", 0.2)
        after()
        rows.append((end - start, resident(app.process.pid)))
    return rows


def _is_filed(app: Running) -> bool:
    return not any(path.is_file() for path in app.inbox.iterdir())


def _heap(session: Any) -> float:
    """Megabytes that are in use after what can go has gone."""
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return float(next(m["value"] for m in metrics if m["name"] == "JSHeapUsedSize")) / 1e6
