"""The tray's side of the engine: hand it a photo, hear what it shows, whatever befalls a worker."""

from __future__ import annotations

import logging
import multiprocessing
import threading
from collections import deque
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import Future
from multiprocessing import connection as mpc
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from trayapp.engine import EngineError
from trayapp.engine.crew import Crew, Job, StartWorker
from trayapp.engine.wire import Shown
from trayapp.engine.worker import (
    MEMORY_LIMIT_BYTES,
    PHOTO_LIMIT_SECONDS,
    Engine,
    Options,
    start,
)
from trayapp.files import read_ahead
from trayapp.photo import Verdict

logger = logging.getLogger(__name__)

PoolState = Literal["starting", "ready", "asleep", "broken"]


class Pool:
    """Engine processes for the model package in `folder`, started when needed.

    A photo on which a worker crashes is tried once more; a second crash, or more than
    `photo_limit_seconds`, is an "unreadable" verdict (with no `seen`). If the model cannot be
    loaded, futures raise `EngineError` and `problem` says why; later photos try again, with
    growing pauses between the attempts. Workers go after `idle_exit_seconds` without a photo.
    `trust_file` holds the consents that the fastai engine needs (`Trust`).
    """

    def __init__(
        self,
        folder: Path,
        *,
        engine: Engine = "auto",
        workers: int = 1,
        idle_exit_seconds: float = 900.0,
        photo_limit_seconds: float = PHOTO_LIMIT_SECONDS,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        min_confidence: Mapping[str, float] | None = None,
        trust_file: Path | None = None,
        start_worker: StartWorker = start,
    ) -> None:
        options = Options(
            folder,
            engine,
            dict(min_confidence or {}),
            photo_limit_seconds,
            memory_limit_bytes,
            trust_file,
        )
        self._crew = Crew(options, start_worker, workers, idle_exit_seconds)
        self._ahead = 4 * workers
        self._lock = threading.Lock()
        self._inbox: deque[Job] = deque()
        self._thread: threading.Thread | None = None
        self._closed = self._start_wanted = self._poked = False
        self._bell, self._bell_rope = multiprocessing.Pipe(duplex=False)

    @property
    def state(self) -> PoolState:
        workers = list(self._crew.workers)
        if any(worker.labels is not None for worker in workers):
            return "ready"
        if self._crew.problem:
            return "broken"
        return (
            "starting"
            if workers or self._crew.waiting or self._inbox or self._start_wanted
            else "asleep"
        )

    @property
    def problem(self) -> str | None:
        """Why there is no engine, one line; None once one has started."""
        return self._crew.problem

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers there are now."""
        return tuple(worker.pid for worker in list(self._crew.workers))

    def start(self) -> None:
        """Load the model now, in the background, even if it could not be loaded just before."""
        with self._lock:
            if not self._closed:
                self._start_wanted = True
                self._poke()

    def submit(self, path: Path) -> Future[Verdict]:
        """Classify a photo in the background; the future raises `EngineError` at worst.

        Raises `EngineError` when the pool is closed.
        """
        return self._submit(Job(path))

    def view(self, path: Path, side: int) -> Future[Shown]:
        """The photo upright, as a JPEG whose sides are at most `side` pixels, in the background;
        one after each few photos to classify. Raises as `submit` does, and so does the future.
        """
        return self._submit(Job(path, side))

    def _submit(self, job: Job) -> Future[Any]:
        with self._lock:
            if self._closed:
                raise EngineError("the engine is closed: Beartray is about to end")
            self._inbox.append(job)
            self._poke()
        read_ahead(job.path)
        return job.future

    def classify(self, paths: Iterable[Path]) -> Generator[tuple[Path, Verdict], None, None]:
        """Classify many photos, in their order, no more than a few ahead of what is asked for."""
        ahead: deque[tuple[Path, Future[Verdict]]] = deque()
        try:
            for path in paths:
                ahead.append((path, self.submit(path)))
                if len(ahead) >= self._ahead:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
        finally:
            for _, future in ahead:
                future.cancel()

    def close(self) -> None:
        """End all workers and cancel what still waits; returns within a second."""
        with self._lock:
            self._closed = True
            if self._thread is not None and self._thread.is_alive():
                self._poke()
        if self._thread is not None:
            self._thread.join(1.0)
        self._bell.close()
        self._bell_rope.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _poke(self) -> None:
        """Wake the thread, with the lock held; once is enough, and the pipe never fills."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="engine-1", daemon=True)
            self._thread.start()
        if not self._poked:
            self._poked = True
            self._bell_rope.send_bytes(b"!")

    def _run(self) -> None:
        try:
            while not self._closed:
                self._crew.work()
                handles: list[Any] = [self._bell, *self._crew.handles()]
                news = mpc.wait(handles, self._crew.patience())
                if self._bell in news:
                    self._collect()
                self._crew.attend(news)
        except Exception:  # a mistake of ours must not leave anyone waiting for ever
            logger.exception("the engine's thread failed")
        finally:
            with self._lock:
                self._take_in()
            self._crew.dismiss()

    def _collect(self) -> None:
        with self._lock:
            self._bell.recv_bytes()
            self._poked = False
            self._take_in()

    def _take_in(self) -> None:
        while self._inbox:
            self._crew.take_in(self._inbox.popleft())
        if self._start_wanted:
            self._start_wanted, self._crew.preload = False, True
            self._crew.forgive()
