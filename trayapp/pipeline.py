"""The way of a photo: settle, classify, decide, file, tell; and what happens when a step fails."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trayapp.database import JournalError
from trayapp.decide import decide
from trayapp.filing import Filing, GoneError
from trayapp.intake import Intake
from trayapp.notes import Notes, Outcome
from trayapp.photo import BeartrayError, Photo, Verdict
from trayapp.rows import TakenError
from trayapp.settings import Sort
from trayapp.settle import Settle
from trayapp.steps import ChangedError, look
from trayapp.tell import Filed, Gather, Left, Notice, Trouble
from trayapp.watch import Gone, Seen, is_sidecar

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0  # an unreadable file that was written just now may still be arriving
RETRY_SECONDS = 30.0  # a disk that was full, a folder that was read-only
ENGINE_RETRY_SECONDS = 3.0
BATCH_SECONDS = 2.0  # photos that follow each other sooner belong together
MOST_TOLD = 5000  # problems that are remembered, so as not to be told twice
IN_FLIGHT = 32  # photos per worker that wait at the engine, so that it never waits for a slow disk


@dataclass(frozen=True, slots=True)
class _Judged:
    photo: Photo
    verdict: Future[Verdict]


class Pipeline:
    """Takes `Seen` and `Gone` from any thread; all else happens in `step`, on one thread.

    `submit` asks the engine about a photo, `show` gives a notice to the person, `now` is a
    steady clock and `wall` the time of day, both in seconds.
    """

    def __init__(
        self,
        root: Path,
        sort: Sort,
        settle: Settle,
        submit: Callable[[Path], Future[Verdict]],
        filing: Filing,
        notes: Notes,
        gather: Gather,
        show: Callable[[Notice], None],
        workers: int = 1,
        now: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.root, self.sort, self.workers, self.submit = root, sort, workers, submit
        self.settle, self._filing, self._notes = settle, filing, notes
        self.gather, self._show, self._now, self._wall = gather, show, now, wall
        self.paused = False
        self.problem: str | None = None  # what stands in the way of every photo
        self.intake = Intake[_Judged](settle)
        self._ready: deque[Photo] = deque()
        self._asked: dict[Path, Photo] = {}
        self._doubted: dict[Path, Photo] = {}  # unreadable once; may have been half-written
        self._told: dict[Path, str] = {}  # problems that the person knows of
        self._batch: int | None = None
        self._last_filed = 0.0

    @property
    def pending(self) -> int:
        """Photos on their way."""
        return len(self.settle) + len(self._ready) + len(self._asked)

    @property
    def working(self) -> bool:
        """Whether photos are at the engine or about to go there."""
        return bool(self._ready or self._asked)

    def put(self, event: Seen | Gone) -> None:
        self.intake.put(event)

    def wake(self) -> None:
        """Make `step` return soon."""
        self.intake.add(None)

    def step(self, longest: float) -> None:
        """Wait for something to happen, `longest` seconds at most, and deal with it."""
        for message in self.intake.receive(self._patience(longest)):
            self._handle(message)
            self._feed()  # before the next one is filed: the engine does not wait for a disk
        self._feed()
        for notice in self.gather.notices(self._now(), idle=not self.working):
            self._show(notice)

    def tell_all(self) -> None:
        """Show at once what was gathered; Beartray is about to end."""
        for notice in self.gather.flush():
            self._show(notice)

    def pause(self) -> None:
        """Nothing is touched until `resume`, whatever was on its way; a rescan finds it again."""
        self.paused = True
        self.settle.clear()
        self._ready.clear()

    def resume(self) -> None:
        self.paused = False

    def restart(self) -> None:
        """Forget what is on its way (the folder or the model changed); a rescan finds it again."""
        self.settle.clear()
        self._ready.clear()
        self._asked.clear()
        self._doubted.clear()
        self._told.clear()
        self.problem = None

    def _patience(self, longest: float) -> float:
        told = self.gather.due(idle=not self.working)
        due = [time for time in (told, self._settle_due()) if time is not None]
        return max(0.0, min([longest, *(time - self._now() for time in due)]))

    def _settle_due(self) -> float | None:
        return None if self.paused or self._room() <= 0 else self.settle.next_due()

    def _room(self) -> int:
        return IN_FLIGHT * self.workers - len(self._asked)

    def _handle(self, message: Seen | Gone | _Judged) -> None:
        try:
            if isinstance(message, Seen) and not self.paused:
                self.settle.saw(message.path, self._now(), complete=message.complete)
            elif isinstance(message, Gone):
                self._forget(message.path)
            elif isinstance(message, _Judged):
                self._judge(message)
        except JournalError as error:
            self._stuck(error, getattr(message, "photo", None))

    def _forget(self, path: Path) -> None:
        """Unless something lies there again, or may: an event may be older than an undo."""
        with suppress(OSError):
            if look(path) is None:
                self.settle.forget(path)
                self._notes.forget(path)
                self._doubted.pop(path, None)
                self._told.pop(path, None)

    def _feed(self) -> None:
        """Give the engine as much as it takes, of what is fully written."""
        if not self.paused:
            self._ready.extend(self.settle.ready(self._now(), self._room() - len(self._ready)))
            self._ask()

    def _ask(self) -> None:
        while self._ready:
            photo = self._ready.popleft()
            try:
                known = self._notes.noted(photo)
            except JournalError as error:
                self._stuck(error, photo)
                return
            if is_sidecar(photo.path):
                self._follow(photo.path)
                continue
            if photo.path in self._asked or _is_dealt_with(known):
                continue
            self._asked[photo.path] = photo
            future = self.submit(photo.path)
            future.add_done_callback(
                lambda done, photo=photo: self.intake.add(_Judged(photo, done))  # type: ignore[misc]
            )

    def _judge(self, judged: _Judged) -> None:
        photo = judged.photo
        if self._asked.get(photo.path) is not photo:
            return  # asked before a restart
        del self._asked[photo.path]
        if self.paused:
            return
        try:
            verdict = judged.verdict.result(timeout=0)
        except (BeartrayError, CancelledError) as error:
            self._say_problem(str(error))
            self.settle.hold(photo, self._now(), ENGINE_RETRY_SECONDS)
            return
        if verdict.seen is not None and not verdict.seen.is_same_file(photo):
            self.settle.saw(photo.path, self._now(), complete=False)
        elif verdict.reason == "unreadable":
            self._unreadable(photo, verdict)
        elif not _is_dealt_with(self._notes.noted(photo)):  # by `beartray sort`, meanwhile
            self._file(photo, verdict)

    def _unreadable(self, photo: Photo, verdict: Verdict) -> None:
        now = Photo.seen(photo.path)
        if now is None:
            logger.info("%s went away before it was looked at", photo.path)
            return
        if not now.is_same_file(photo):
            self.settle.saw(photo.path, self._now(), complete=False)
            return
        age = self._wall() - photo.mtime_ns / 1e9
        if self._doubted.get(photo.path) != photo and age < PATIENCE_SECONDS:
            self._doubted[photo.path] = photo
            self.settle.hold(photo, self._now(), PATIENCE_SECONDS)
            return
        self._doubted.pop(photo.path, None)
        if _is_placeholder(photo):
            self.settle.hold(photo, self._now(), RETRY_SECONDS)
            return
        self._notes.note([photo], "unreadable")
        self.problem = None
        self._trouble(photo.path, f"{verdict.error}; it stays in place")

    def _file(self, photo: Photo, verdict: Verdict) -> None:
        plan = decide(photo, verdict, self.sort, self.root)
        if plan is None:
            self.problem = None
            if verdict.label is not None:
                self._notes.note([photo], "filed")
            else:
                self._notes.leave(photo, verdict)
                self.gather.add(Left(photo.path, verdict), self._now())
            return
        try:
            entry = self._filing.file(plan, self._current_batch())
        except (ChangedError, TakenError):
            self.settle.saw(photo.path, self._now(), complete=False)
        except GoneError:
            logger.info("%s went away before it was filed", photo.path)
        except JournalError:
            raise
        except BeartrayError as error:
            self._trouble(photo.path, str(error))
            self.settle.hold(photo, self._now(), RETRY_SECONDS)
        else:
            self._batch, self._last_filed = entry.batch, self._now()
            self._told.pop(photo.path, None)
            self.problem = None
            self.gather.add(Filed(entry), self._now())

    def _follow(self, sidecar: Path) -> None:
        """A sidecar that came after its photo was filed goes where the photo went."""
        try:
            if entry := self._filing.follow(sidecar):
                logger.info("%s followed its photo to %s", sidecar, entry.destination.parent)
        except JournalError as error:
            self._say_problem(str(error))
        except BeartrayError as error:
            self._trouble(sidecar, str(error))

    def _current_batch(self) -> int | None:
        quiet = self._now() - self._last_filed > BATCH_SECONDS
        return None if quiet and not self._ready and not self._asked else self._batch

    def _trouble(self, path: Path, message: str) -> None:
        """Tell it once, however often it is tried again."""
        if self._told.get(path) != message:
            if len(self._told) >= MOST_TOLD:  # a card of broken photos: keep what is tried again
                self._told = {
                    path: said for path, said in self._told.items() if path in self.settle
                }
            self._told[path] = message
            logger.warning("%s", message)
            self.gather.add(Trouble(message, path), self._now())

    def _stuck(self, error: JournalError, photo: Photo | None) -> None:
        """Without a journal no photo may be touched: keep it and try again."""
        self._say_problem(str(error))
        if photo is not None:
            self.settle.hold(photo, self._now(), RETRY_SECONDS)

    def _say_problem(self, message: str) -> None:
        if self.problem != message:
            self.problem = message
            logger.error("%s", message)
            self.gather.add(Trouble(message), self._now())


def _is_dealt_with(known: Outcome | None) -> bool:
    return known is not None and known != "unreadable"


def _is_placeholder(photo: Photo) -> bool:
    """Firefox keeps an empty file under the final name while it downloads to name.part."""
    return photo.size == 0 and photo.path.with_name(f"{photo.path.name}.part").exists()
