"""A week in which nothing happens: it costs no memory, few wake-ups, and nobody hears of it."""

from __future__ import annotations

import gc
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.helpers import make_tree
from trayapp import catalog
from trayapp.clock import Clock
from trayapp.live import IDLE_SECONDS, Live
from trayapp.paths import Paths
from trayapp.photo import Verdict
from trayapp.tell import Notice

HOUR, DAY = 3600.0, 86_400.0
MONDAY = 1_900_000_000.0


class NoEngine:
    """Nobody asks it anything, so that its processes have ended long ago."""

    state, problem = "asleep", None

    def submit(self, photo: Path) -> Future[Verdict]:
        raise AssertionError(f"asked about {photo}")

    def close(self) -> None:
        pass


class Week:
    """A `Live` whose waiting takes no time; the clocks say that it did."""

    def __init__(self, home: Path, inbox: Path) -> None:
        self.steady, self.wall = 1000.0, MONDAY
        self.notices: list[Notice] = []
        self.shown = self.rounds = self.looks = 0
        paths = Paths.from_environment({"BEARTRAY_HOME": str(home)})
        make_tree(home, {"settings.toml": ""})
        clock = Clock(lambda: self.steady, lambda: self.wall)
        self.live = Live(paths, inbox, self.notices.append, self._changed, clock=clock)
        self._step = self.live.pipeline.step
        self.live.pipeline.step = self._wait  # type: ignore[method-assign]
        self.live.inbox._since = float("inf")  # all that is there now is old
        files = self.live.inbox._files
        self.live.inbox._files = lambda *some: self._look(files(*some))  # type: ignore[method-assign]
        self.live._told_of_settings = self.live.settings_file.watch(self.live.pipeline.wake)

    def run(self, seconds: float) -> None:
        end = self.steady + seconds
        while self.steady < end:
            self.live._turn()

    def sleep(self, seconds: float) -> None:
        """The laptop is closed: the steady clock stands still, the other goes on."""
        self.wall += seconds

    def close(self) -> None:
        self.live._close()

    def _wait(self, longest: float) -> None:
        self._step(0)
        self.rounds += 1
        self.steady += max(longest, 0.001)
        self.wall += max(longest, 0.001)

    def _look(self, files: Iterator[Path]) -> Iterator[Path]:
        self.looks += 1
        return files

    def _changed(self) -> None:
        self.shown += 1


@pytest.fixture
def week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Week]:
    monkeypatch.setattr(catalog, "start_engine", lambda *_: NoEngine())
    inbox = make_tree(tmp_path / "inbox", {f"{n}.jpg": "old" for n in range(20)})
    found = Week(tmp_path / "home", inbox)
    try:
        yield found
    finally:
        found.close()


def held(home: Path) -> tuple[int, int, int, int]:
    """Blocks of memory, threads, open files and bytes on the disk."""
    gc.collect()
    written = sum(file.stat().st_size for file in home.rglob("*") if file.is_file())
    files = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0  # noqa: PTH208
    return sys.getallocatedblocks(), threading.active_count(), files, written


def test_a_week_of_nothing(week: Week, tmp_path: Path) -> None:
    week.run(DAY)  # all there is to learn has been learnt
    before, rounds, looks, shown = held(tmp_path), week.rounds, week.looks, week.shown
    week.run(DAY)
    week.sleep(8 * HOUR)  # over night
    week.run(DAY)
    week.wall += HOUR  # somebody set the clock
    week.run(DAY)
    week.wall -= 2 * HOUR
    week.run(3 * DAY)
    after = held(tmp_path)
    assert week.notices == []
    assert abs(after[0] - before[0]) < 300, "memory stays as it was"
    assert after[1:] == before[1:], "threads, open files and what is on the disk, too"
    assert week.looks - looks == pytest.approx(6 * DAY / 600, abs=6), "a rescan in ten minutes"
    extra = 12 * 7 + 2 * (week.looks - looks)  # after a new day's count, and for a rescan
    assert week.rounds - rounds <= 6 * DAY / IDLE_SECONDS + extra
    assert week.shown - shown <= 8, "the count of a new day, and no more"


def test_paused_until_tomorrow_over_a_night_with_the_laptop_closed(week: Week) -> None:
    week.run(HOUR)
    week.live.pause(week.wall + 10 * HOUR)
    week.run(HOUR)
    assert week.live.paused
    rounds = week.rounds
    week.run(HOUR)
    assert week.rounds - rounds <= HOUR / IDLE_SECONDS + 5
    week.sleep(9 * HOUR)
    week.run(60)
    assert not week.live.paused
    assert week.notices == []


def test_a_photo_that_was_there_is_still_left_alone_after_it(
    week: Week, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    week.run(DAY)
    assert week.live.notes.count_existing(tmp_path / "inbox") == 20
    asked: list[Path] = []

    def submit(photo: Path) -> Future[Verdict]:
        asked.append(photo)
        return Future()

    monkeypatch.setattr(week.live.pipeline, "submit", submit)
    (tmp_path / "inbox" / "new.jpg").write_text("new")
    week.run(700)
    assert asked == [tmp_path / "inbox" / "new.jpg"]
