"""Waits until a photo is fully written; the clock is passed in, as `now` in seconds."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trayapp.photo import Photo

logger = logging.getLogger(__name__)

RETRY_SECONDS = 5.0  # a network share that does not answer, a folder that may not be read just now

Look = Callable[[Path], Photo | None]


@dataclass(frozen=True, slots=True)
class _Candidate:
    due: float  # when to look at it
    seen: Photo | None = None  # what it was when last looked at


class Settle:
    """Candidates by path. One is ready when it was `quiet` seconds without a change, or at once
    when the system said that it was closed; never while somebody still writes it.

    `look` tells what lies at a path now (None: nothing that is a photo; `OSError`: it cannot tell
    now), `being_written` whether somebody has it open for writing.
    """

    def __init__(self, quiet: float, look: Look, being_written: Callable[[Path], object]) -> None:
        self.quiet = quiet
        self._look, self._being_written = look, being_written
        self._candidates: dict[Path, _Candidate] = {}
        self._order: list[tuple[float, int, Path]] = []  # by due; stale rows are skipped
        self._count = itertools.count()

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, path: Path) -> bool:
        return path in self._candidates

    def saw(self, path: Path, now: float, *, complete: bool) -> None:
        """Something happened to `path`; `complete` when it was closed or moved in whole."""
        known = self._candidates.get(path)
        seen = known.seen if known else None
        self._put(path, _Candidate(now if complete else now + self.quiet, seen), complete)

    def hold(self, photo: Photo, now: float, seconds: float) -> None:
        """Offer `photo` again after `seconds`, or sooner when something happens to it."""
        self._put(photo.path, _Candidate(now + seconds, photo), True)

    def forget(self, path: Path) -> None:
        self._candidates.pop(path, None)

    def clear(self) -> None:
        self._candidates.clear()
        self._order.clear()

    def next_due(self) -> float | None:
        """When to ask `ready` again."""
        while self._order and self._order[0][2] not in self._candidates:
            heapq.heappop(self._order)
        return self._order[0][0] if self._order else None

    def ready(self, now: float, most: int) -> list[Photo]:
        """At most `most` photos that are fully written; they are no longer candidates."""
        found: list[Photo] = []
        while self._order and self._order[0][0] <= now and len(found) < most:
            _, _, path = heapq.heappop(self._order)
            candidate = self._candidates.get(path)
            if candidate is None:
                continue
            if candidate.due > now:
                self._put(path, candidate, True)
            elif photo := self._look_again(path, candidate, now):
                found.append(photo)
        return found

    def _look_again(self, path: Path, candidate: _Candidate, now: float) -> Photo | None:
        try:
            photo = self._look(path)
        except OSError as error:
            logger.info("%s cannot be looked at now: %s", path, error)
            self._put(path, _Candidate(now + RETRY_SECONDS, candidate.seen), True)
            return None
        if photo is None:
            self.forget(path)
            return None
        changed = candidate.seen is not None and not candidate.seen.is_same_file(photo)
        if changed or self._being_written(path):
            self._put(path, _Candidate(now + self.quiet, photo), True)
            return None
        self.forget(path)
        return photo

    def _put(self, path: Path, candidate: _Candidate, order: bool) -> None:
        """A writer's many events only move the due time; one row in the order is enough."""
        if order or path not in self._candidates:
            heapq.heappush(self._order, (candidate.due, next(self._count), path))
        self._candidates[path] = candidate
