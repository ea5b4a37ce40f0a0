"""The simulated machine: its clock, its processes and their tasks, and what happens when."""

from __future__ import annotations

import errno
import heapq
import itertools
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty
from random import Random
from typing import Any

from greenlet import getcurrent, greenlet

from tests.sim.disks import Disks

START = 1_700_000_000.0  # the time of day when a simulation begins, seconds since the epoch
MOST_CALLS = 30_000  # a whole simulation takes about 500
CALL_SECONDS = 50e-6  # what a system call takes


class CrashError(BaseException):
    """The process that runs has just ended; nothing that it still wants to do takes place."""


class LostError(AssertionError):
    """An invariant does not hold: a photo is lost or doubled, or the journal is wrong."""


@dataclass(eq=False, slots=True)
class Process:
    name: str
    alive: bool = True
    calls: int = 0
    tasks: list[Task] = field(default_factory=list)


@dataclass(eq=False, slots=True)
class Task:
    """One thread of a process."""

    process: Process
    run: Any  # the greenlet
    waiting: bool = False


class World:
    """All that a simulation shares. `restless` is how probably another task, if one can, has its
    turn at a system call."""

    def __init__(self, *, tracing: bool = False, restless: float = 0.0) -> None:
        self.now, self.wall_offset = 0.0, START
        self.disks = Disks(lambda: int(self.wall() * 1e9))
        self.tracing = tracing
        self.story: list[str] = []
        self.calls = 0
        self.locked = 0  # transactions that are open; tasks do not change meanwhile
        self.at_calls: deque[tuple[int, Callable[[], None]]] = deque()
        self.error: int | None = None  # the next call that can fail so fails with this number
        self.current: Task | None = None
        self.broken: list[str] = []
        self._by_person = False
        self._between = 0  # tasks between the last look at a file and its removal
        self._restless, self._turns = restless, Random(0)
        self._tasks: list[Task] = []
        self._hub = getcurrent()
        self._ready: deque[Task] = deque()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def steady(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now + self.wall_offset

    def tell(self, who: str, what: str) -> None:
        if self.tracing:
            self.story.append(f"{self.now:9.4f} {who:8} {what}")

    def at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (moment, next(self._count), act))

    def at_call(self, later: int, act: Callable[[], None]) -> None:
        """Do `act` so many system calls from now."""
        self.at_calls.append((self.calls + later, act))
        self.at_calls = deque(sorted(self.at_calls, key=lambda item: item[0]))

    def end(self) -> None:
        """Leave no task behind."""
        for task in self._tasks:
            task.process.alive = False
            while not task.run.dead:
                self.current = task
                task.run.throw(CrashError)
        self.current = None

    def point(self, call: str, path: str) -> None:
        """The running process is about to make a system call; anything may happen before it."""
        task = self.current
        if task is None or self._by_person:
            return
        if not task.process.alive:
            raise CrashError
        self.calls += 1
        self.now += CALL_SECONDS
        if self.calls > MOST_CALLS:
            self.give_up(f"never ends: {call} {path}")
        # What is put in the place of a file between the last look at it and the one call that
        # removes or replaces it is lost: no system has a call for "if it is still this one".
        # Of Beartray's own tasks the journal keeps off each other what they are at.
        last = call == "replace" or (call == "unlink" and "/." not in path)
        calm = last or self._between
        while self.at_calls and self.at_calls[0][0] <= self.calls and not calm:
            _, act = self.at_calls.popleft()
            act()
            if not task.process.alive:
                raise CrashError
        while self._events and self._events[0][0] <= self.now and not calm:
            self.as_person(heapq.heappop(self._events)[2])
        if not task.process.alive:
            raise CrashError
        if self.error is not None:
            number = _fitting(self.error, call)
            if number is not None:
                self.error = None
                raise OSError(number, f"simulated error {number}", path)
        if self._restless and self._turns.random() < self._restless:
            self._between += last
            try:
                self.switch()
            finally:
                self._between -= last

    def give_up(self, why: str) -> None:
        """The running process does what no program should."""
        assert self.current is not None
        self.current.process.alive = False
        self.broken.append(f"{self.current.process.name} {why}")
        raise CrashError

    def as_person(self, act: Callable[[], None]) -> None:
        """What `act` does to files is done by nobody whose calls are counted."""
        before, self._by_person = self._by_person, True
        try:
            act()
        finally:
            self._by_person = before

    def start(self, process: Process, body: Callable[[], None]) -> Task:
        """Run `body` as one more task of `process`."""
        task = Task(process, None)

        def whole() -> None:
            try:
                body()
            except CrashError:
                pass
            except Exception as error:
                self.broken.append(f"{process.name}: {type(error).__name__}: {error}")
                if self.tracing:
                    self.story.append(traceback.format_exc())

        task.run = greenlet(whole, self._hub)
        process.tasks.append(task)
        self._tasks.append(task)
        self._ready.append(task)
        return task

    def crash(self, process: Process) -> None:
        """The process ends at once; its other tasks with it, the running one at its next call."""
        process.alive = False
        for task in process.tasks:
            if task is not self.current and not task.run.dead:
                task.waiting = True
                self._wake(task)

    def switch(self) -> None:
        """Let another task run now, if one can."""
        task = self.current
        if task is not None and self._ready and not self.locked:
            self._ready.append(task)
            self._leave(task)

    def wait(self, seconds: float) -> bool:
        """Suspend the running task until `wake`; false when that took `seconds`."""
        task = self.current
        assert task is not None
        task.waiting, over = True, [False]

        def late() -> None:
            if not done and task.waiting:
                over[0] = True
                self._wake(task)

        done: list[bool] = []
        self.at(self.now + seconds, late)
        self._leave(task)
        done.append(True)
        return not over[0]

    def wake(self, task: Task) -> None:
        self._wake(task)

    def run_until(self, end: float) -> None:
        """Let everything happen that happens before `end`."""
        while True:
            while self._ready:
                task = self._ready.popleft()
                if task.run.dead:
                    continue
                self.current = task
                task.run.switch()
                self.current = None
            if not self._events or self._events[0][0] > end:
                self.now = max(self.now, end)
                return
            moment, _, act = heapq.heappop(self._events)
            self.now = max(self.now, moment)
            act()

    def _wake(self, task: Task) -> None:
        if task.waiting:
            task.waiting = False
            self._ready.append(task)

    def _leave(self, task: Task) -> None:
        self._hub.switch()
        self.current = task
        if not task.process.alive:
            raise CrashError


class Mailbox:
    """`queue.SimpleQueue` in simulated time."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._items: deque[Any] = deque()
        self._reader: Task | None = None
        self._vain = 0  # how often there was nothing, with no rest between

    def put(self, item: Any) -> None:
        self._items.append(item)
        if self._reader is not None:
            self._world.wake(self._reader)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        if not self._items and timeout is not None:
            self._reader, self._vain = self._world.current, 0
            self._world.wait(timeout)
            self._reader = None
        return self.get_nowait()

    def get_nowait(self) -> Any:
        if not self._items:
            self._vain += 1
            if self._vain > 100:
                self._world.give_up("looks for news without a rest")
            raise Empty
        self._vain = 0
        return self._items.popleft()

    def qsize(self) -> int:
        return len(self._items)

    def empty(self) -> bool:
        return not self._items


_WRITES = {"write", "create", "mkdir", "link", "rename", "replace", "begin", "commit"}
_CHANGES = _WRITES | {"unlink", "rmdir", "utime", "chmod", "setxattr", "removexattr"}


def _fitting(error: int, call: str) -> int | None:
    """The error number if this call can fail with it."""
    if error == errno.ENOSPC:
        return error if call in _WRITES else None
    if error in (errno.EROFS, errno.EPERM):
        return error if call in _CHANGES - {"write", "commit"} else None
    if error == errno.EACCES:
        return error if call not in ("write", "read", "fsync", "commit", "begin") else None
    return error
