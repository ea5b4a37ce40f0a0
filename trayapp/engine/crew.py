"""The workers of a pool and the photos they wait for or hold; only the pool's thread works here."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing import connection as mpc
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import msgspec

from trayapp.engine import EngineError, printable
from trayapp.engine.wire import Answer, Broken, Ready, Shown, ask, hear_engine
from trayapp.engine.worker import Options
from trayapp.photo import Verdict

logger = logging.getLogger(__name__)

StartWorker = Callable[[Any, Options], BaseProcess]

START_LIMIT_SECONDS = 180.0  # fastai, at low priority on a busy machine
WORN_AFTER = 10_000  # photos; decoders and allocators never give all memory back
VIEW_AFTER = 3  # photos classified: then somebody who looks has a turn, however long the backlog
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


@dataclass(eq=False, slots=True)
class Job:
    """A photo, and who waits to hear of it; with a `side`, to see it so many pixels large."""

    path: Path
    side: int = 0
    future: Future[Any] = field(default_factory=Future)
    crashes: int = 0

    def settle(self, verdict: Verdict | Shown) -> None:
        with suppress(InvalidStateError):  # cancelled meanwhile
            self.future.set_result(verdict)

    def give_up(self, why: str) -> None:
        error = f"{printable(self.path.name)}: {why}"
        unreadable = Verdict(None, None, reason="unreadable", error=error)
        self.settle(Shown(b"", error) if self.side else unreadable)

    def fail(self, problem: str) -> None:
        with suppress(InvalidStateError):
            self.future.set_exception(EngineError(problem))


@dataclass(eq=False, slots=True)
class Worker:
    """One engine process. By `deadline` it must be ready or have answered; idle, it may go then."""

    process: BaseProcess
    connection: Any
    pid: int
    deadline: float
    labels: tuple[str, ...] | None = None
    job: Job | None = None
    answered: int = 0

    def end(self, patience: float = 0.0) -> int | None:
        """End it (it holds nothing that could be lost); returns its exit code.

        One that is dying by itself may take `patience` seconds, so that the code is its own.
        """
        self.connection.close()
        if patience:
            self.process.join(patience)
        self.process.kill()
        self.process.join(0.5)  # more only where the system hangs on a dead disk
        code = self.process.exitcode
        if code is not None:
            self.process.close()
        return code


class Crew:
    """Starts workers as photos wait, deals the photos out, and sees to every way a worker ends."""

    def __init__(
        self, options: Options, start_worker: StartWorker, size: int, idle_seconds: float
    ) -> None:
        self.waiting: deque[Job] = deque()
        self.views: deque[Job] = deque()  # somebody only wants to look
        self.workers: list[Worker] = []
        self.problem: str | None = None
        self.preload = False
        self._options = options
        self._start_worker = start_worker
        self._size = size
        self._idle_seconds = idle_seconds
        self._pause = FIRST_PAUSE_SECONDS
        self._retry_at = 0.0
        self._since_view = 0

    def forgive(self) -> None:
        """Try a broken engine again at the next chance, without waiting."""
        self._pause, self._retry_at = FIRST_PAUSE_SECONDS, 0.0

    def work(self) -> None:
        """Start what is needed, deal out what waits."""
        self._hire()
        for worker in [w for w in self.workers if w.labels is not None and w.job is None]:
            job = self._next()
            if job is None:
                return
            worker.job, worker.deadline = job, time.monotonic() + self._options.photo_limit_seconds
            try:
                ask(worker.connection, job.path, job.side)
            except OSError:
                self._lost(worker)

    def handles(self) -> list[Any]:
        """What becomes ready, for `multiprocessing.connection.wait`, when a worker has news."""
        return [handle for w in self.workers for handle in (w.connection, w.process.sentinel)]

    def patience(self) -> float | None:
        """Seconds until the next deadline."""
        if not self.workers:
            return None
        return max(0.0, min(worker.deadline for worker in self.workers) - time.monotonic())

    def attend(self, news: Iterable[Any]) -> None:
        """Hear the workers whose handles are among `news`, and mind the deadlines."""
        ready, now = set(news), time.monotonic()
        for worker in list(self.workers):
            if worker.connection in ready:  # first: it may have answered and then ended
                self._hear(worker)
            elif worker.process.sentinel in ready:
                self._lost(worker)
            elif worker.deadline <= now:
                self._expire(worker)

    def dismiss(self) -> None:
        """End all workers and cancel all photos."""
        while self.workers:
            worker = self.workers.pop()
            worker.end()
            if worker.job:
                worker.job.future.cancel()
        while job := self._next():
            job.future.cancel()

    def take_in(self, job: Job) -> None:
        """A photo to be dealt out when its turn comes."""
        (self.views if job.side else self.waiting).append(job)

    def _hire(self) -> None:
        busy = sum(worker.job is not None for worker in self.workers)
        wanted = min(self._size, max(busy + len(self.waiting) + len(self.views), int(self.preload)))
        self.preload = False
        while len(self.workers) < wanted:
            if time.monotonic() < self._retry_at:
                self._turn_away()
                return
            ours, theirs = mpc.Pipe()
            try:
                process = self._start_worker(theirs, self._options)
            except OSError as error:
                ours.close()
                self._broken(f"the engine process cannot be started: {error.strerror or error}")
                return
            finally:
                theirs.close()
            deadline = time.monotonic() + START_LIMIT_SECONDS
            self.workers.append(Worker(process, ours, process.pid or 0, deadline))

    def _next(self) -> Job | None:
        while self.waiting or self.views:
            turn = self._since_view >= VIEW_AFTER and len(self.views) > 0
            job = (self.views if turn or not self.waiting else self.waiting).popleft()
            if not job.future.cancelled():
                self._since_view = 0 if job.side else self._since_view + 1
                return job
        return None

    def _hear(self, worker: Worker) -> None:
        try:
            message = hear_engine(worker.connection)
        except (EOFError, OSError, msgspec.MsgspecError):
            self._lost(worker)
            return
        job, worker.deadline = worker.job, time.monotonic() + self._idle_seconds
        if worker.labels is None and isinstance(message, Broken):
            self._remove(worker)
            self._broken(printable(message.problem))
        elif worker.labels is None and isinstance(message, Ready):
            worker.labels, self.problem = message.labels, None
            self.forgive()
        elif job and isinstance(message, Shown) and job.side:
            worker.job = None
            job.settle(Shown(message.jpeg, printable(message.error) if message.error else None))
            self._retire(worker)
        elif job and isinstance(message, Answer) and not job.side and _is_known(message, worker):
            worker.job = None
            job.settle(replace(message.verdict(job.path), model=self._options.folder.name))
            self._retire(worker)
        else:
            self._lost(worker)

    def _retire(self, worker: Worker) -> None:
        """After many photos a fresh one takes its place, so that memory stays as it was."""
        worker.answered += 1
        if worker.answered >= WORN_AFTER:
            self._remove(worker)
            self.preload = True

    def _lost(self, worker: Worker) -> None:
        """It died, or says what no sound worker says. A photo gets a second chance."""
        code, job = self._remove(worker, 0.2), worker.job
        logger.warning("engine process ended (exit code %s) at %s", code, job and job.path)
        if worker.labels is None:
            self._broken(f"the engine ended while starting (exit code {code})")
        elif job and job.crashes:
            job.give_up("the decoder crashed on it")
        elif job:
            job.crashes += 1
            (self.views if job.side else self.waiting).appendleft(job)

    def _expire(self, worker: Worker) -> None:
        self._remove(worker)
        if worker.labels is None:
            self._broken(f"the engine did not start within {START_LIMIT_SECONDS:.0f} s")
        elif worker.job:
            worker.job.give_up(f"took longer than {self._options.photo_limit_seconds:g} s")

    def _remove(self, worker: Worker, patience: float = 0.0) -> int | None:
        self.workers.remove(worker)
        return worker.end(patience)

    def _broken(self, problem: str) -> None:
        logger.error("%s", problem)
        self.problem = problem
        self._retry_at = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self._turn_away()

    def _turn_away(self) -> None:
        """Photos wait for a worker that is at work, but not for one that cannot start."""
        if not self.workers:
            while job := self._next():
                job.fail(self.problem or "the engine cannot be started")


def _is_known(answer: Answer, worker: Worker) -> bool:
    return answer.label in (None, *(worker.labels or ()))
