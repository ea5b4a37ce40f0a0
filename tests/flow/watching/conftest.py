"""Beartray at work on a folder, with an engine that knows every photo at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.helpers import files, make_tree, wait_until
from trayapp.live import Live
from trayapp.paths import Paths
from trayapp.photo import Photo, Verdict
from trayapp.tell import Notice


class QuickEngine:
    """Every photo shows a grizzly; none is opened."""

    state, problem, pids = "ready", None, ()

    def submit(self, path: Path) -> Future[Verdict]:
        answer: Future[Verdict] = Future()
        answer.set_result(Verdict("grizzly", 0.98, seen=Photo.seen(path)))
        return answer

    def close(self) -> None:
        pass


class AtWork:
    """A `Live` on a thread of its own that watches `inbox`, and what it shows."""

    def __init__(self, home: Path, inbox: Path, folder: str = "", more: str = "") -> None:
        self.inbox = inbox
        self.notices: list[Notice] = []
        paths = Paths.from_environment({"BEARTRAY_HOME": str(home)})
        # No look at the whole folder from time to time: what is found, is found in good time.
        text = f"[folder]\npath = {json.dumps(str(inbox))}\nrescan_minutes = 0\n{folder}\n{more}\n"
        make_tree(paths.settings_file.parent, {paths.settings_file.name: text})
        self.live = Live(paths, show=self.notices.append)
        self.thread = threading.Thread(target=self.live.run)
        self.thread.start()
        self.wait_until_watching()

    def wait_until_watching(self) -> None:
        wait_until(lambda: self.live.inbox.watching, 20, f"{self.inbox} to be watched")

    def wait_for_problem(self, words: str) -> None:
        wait_until(lambda: words in (self.live.problem or ""), 20, words)

    def wait_until_filed(self, expected: dict[str, bytes], limit_seconds: float = 20) -> None:
        """By name, and nothing else there."""
        filed = self.inbox / "grizzly"
        self.wait_for_count(filed, len(expected), limit_seconds)
        assert files(filed) == expected

    def wait_for_count(self, filed: Path, count: int, limit_seconds: float = 20) -> None:
        """So many photos in `filed`, and none on its way there."""
        wait_until(lambda: _count(filed) >= count, limit_seconds, "all to be filed")
        wait_until(lambda: not self.live.journal.unfinished(), 10, "the last one to be done")

    def end(self) -> None:
        self.live.stop()
        self.thread.join(20)
        assert not self.thread.is_alive()
        assert not any("internal error" in notice.body for notice in self.notices)


StartWork = Callable[..., AtWork]


@pytest.fixture
def start_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[StartWork]:
    monkeypatch.setattr("trayapp.catalog.start_engine", lambda *_: QuickEngine())
    monkeypatch.setattr("trayapp.live.IDLE_SECONDS", 2.0)  # no need to wait for it to fall asleep
    started: list[AtWork] = []

    def start(inbox: Path, folder: str = "", more: str = "") -> AtWork:
        started.append(AtWork(tmp_path / "home", inbox, folder, more))
        return started[-1]

    yield start
    for work in started:
        work.end()


def drop(folder: Path, *names: str) -> dict[str, bytes]:
    """Write photos, each at once; returns them by their names."""
    made = {name: f"photo {name!a}".encode() for name in names}
    make_tree(folder, made)
    return made


def _count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0
