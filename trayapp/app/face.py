"""What the running Beartray shows of itself: the state line, the tray's view, and `status`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

from trayapp import __version__, catalog, times
from trayapp.desktop.login import Login, LoginItem
from trayapp.desktop.view import Batch, View
from trayapp.desktop.words import harmless
from trayapp.errors import explain
from trayapp.live import Live
from trayapp.paths import Paths
from trayapp.tell import shorten_middle
from trayapp.unsure import Unsure
from trayapp.watch import POLL_SECONDS

FOLDER = 40  # characters of the folder's path, so that the day's count stays in sight
UNCHANGED_SECONDS = 2.0  # login items and model packages are not looked for with every photo
COST_SHARE = 20  # a folder of 30,000 photos takes some ten milliseconds to look through

T = TypeVar("T")


class Kept(Generic[T]):
    """An answer that is asked for again once it is a little old, or after `forget`.

    With no `seconds` it is kept for as long as makes up for the processor time that it cost.
    """

    def __init__(self, ask: Callable[[], T], seconds: float | None = UNCHANGED_SECONDS) -> None:
        self._ask, self._seconds = ask, seconds
        self._known: tuple[float, T] | None = None

    def get(self) -> T:
        known = self._known
        if known is None or time.monotonic() >= known[0]:
            began = time.thread_time()
            answer = self._ask()
            cost = time.thread_time() - began
            fresh = COST_SHARE * cost if self._seconds is None else self._seconds
            known = self._known = (time.monotonic() + fresh, answer)
        return known[1]

    def forget(self) -> None:
        self._known = None


class Face:
    """May be asked by any thread, and is quick."""

    def __init__(self, live: Live, login: Login, place: str, paths: Paths) -> None:
        """`place` is where the login item lies, should it be unreadable."""
        self._live = live
        self.login = Kept(lambda: _item(login, place))
        self._models = Kept(lambda: tuple(catalog.installed(paths)))
        self._journal, self._notes = live.to_look_at
        self._unsure = Kept(self._count_unsure, None)

    def headline(self) -> str:
        return self._headline(sum(self._today().values()))

    def _headline(self, count: int) -> str:
        live = self._live
        if not live.settings_file.known:
            return "Not watching: the settings file has a mistake"
        how = f"Watching (every {POLL_SECONDS:g} s)" if live.inbox.degraded else "Watching"
        doing = "Paused" if live.paused else how
        if (until := live.pausing.until) is not None:
            doing = f"Paused until {times.until_words(until, times.local_now())}"
        return f"{doing} {_from_home(live.root)} · {count} filed today"

    def view(self) -> View:
        live, journal = self._live, self._journal
        newest, today = journal.filed(5, once=True), self._today()
        batch = Batch(newest[0].batch, journal.count_batch(newest[0].batch)) if newest else None
        return View(
            state=live.state,
            headline=self._headline(sum(today.values())),
            folder=live.root,
            paused=live.paused,
            recent=tuple(newest),
            existing=self._notes.count_existing(live.root),
            undoable=newest[0] if newest else None,
            at_login=self.login.get().starts,
            problem=live.problem,
            today=tuple(today.items()),
            unsure=self._unsure.get(),
            batch=batch,
            action=live.settings.sort.action,
            notify=live.settings.notify.mode,
            model=live.settings.model.package,
            models=self._models.get(),
        )

    def status(self) -> dict[str, object]:
        """What `beartray status --json` prints, but for what only the program knows."""
        live, item = self._live, self.login.get()
        until, remaining = live.pausing.until, live.pausing.remaining
        labels = self._today()
        return {
            "state": live.state,
            "folder": str(live.root),
            "filed_today": sum(labels.values()),
            "labels_today": labels,
            "pending": live.pipeline.pending,
            "existing": self._notes.count_existing(live.root),
            "not_recognised": self._unsure.get(),
            "problem": live.problem,
            "degraded": live.inbox.degraded,
            "watching": live.inbox.watching,
            "action": live.settings.sort.action,
            "notify": live.settings.notify.mode,
            "model": live.settings.model.package,
            "engine": live.engine.state,
            "paused": live.paused,
            "paused_until": None if until is None else _iso(until),
            "pause_seconds_left": None if remaining is None else round(remaining),
            "at_login": item.starts,
            "login_item": item.words,
            "pid": os.getpid(),
            "version": __version__,
        }

    def _today(self) -> dict[str, int]:
        labels = self._journal.labels_filed(times.midnight())
        return {label or "unsure": count for label, count in labels.items()}

    def _count_unsure(self) -> int:
        return Unsure(self._notes, self._live.settings.sort, self._live.root).count()


def _item(login: Login, place: str) -> LoginItem:
    try:
        return login.item()
    except OSError as error:
        return LoginItem(place, command=(), switched_off=explain(error))


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")


def _from_home(folder: Path) -> str:
    home = Path.home()
    shown = f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
    return shorten_middle(harmless(shown), FOLDER)
