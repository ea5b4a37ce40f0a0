"""What reaches the pipeline from other threads: as much as there is room for."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from typing import Generic, TypeVar

from trayapp.settle import Settle
from trayapp.watch import Gone, Seen

MOST = 2000  # photos that wait at once: enough for the engine, however many lie in the folder
AT_ONCE = 200  # messages between two looks at what else there is to do

T = TypeVar("T")


class Intake(Generic[T]):
    """A queue of events and of the pipeline's own messages `T`, and the room that is left.

    A card of 100,000 photos must not fill the memory: of what comes while `settle` has enough,
    nothing is kept but that something was missed. Whoever owns the folder then looks through it
    once more, as fast as room is made.
    """

    def __init__(self, settle: Settle) -> None:
        self._settle, self._missed = settle, False
        self._queue: queue.SimpleQueue[Seen | Gone | T | None] = queue.SimpleQueue()

    @property
    def has_room(self) -> bool:
        """For a good many more."""
        return self._waiting() < MOST // 2

    def put(self, event: Seen | Gone) -> None:
        """From any thread. What is on its way already always gets through."""
        is_full = self._waiting() >= MOST
        if isinstance(event, Seen) and is_full and event.path not in self._settle:
            self._missed = True
        else:
            self._queue.put(event)

    def take_missed(self) -> bool:
        """Whether something was missed, and there is room for it now; then it counts as known."""
        if not (self._missed and self.has_room):
            return False
        self._missed = False
        return True

    def add(self, message: T | None) -> None:
        """From any thread; None only wakes who waits."""
        self._queue.put(message)

    def receive(self, seconds: float) -> Iterator[Seen | Gone | T]:
        """The first message may be waited for; what has gathered meanwhile comes along."""
        try:
            message = self._queue.get(timeout=seconds) if seconds > 0 else self._queue.get_nowait()
            for _ in range(AT_ONCE):
                if message is not None:
                    yield message
                message = self._queue.get_nowait()
            if message is not None:
                yield message
        except queue.Empty:
            return

    def _waiting(self) -> int:
        return len(self._settle) + self._queue.qsize()
