"""What takes the place of engine, watcher, journal file and lock in a simulated process."""

from __future__ import annotations

import sqlite3
import types
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from pathlib import Path
from queue import Empty
from random import Random
from typing import Any
from unittest import mock

from watchdog import events

from tests.sim.world import Mailbox, Process, World
from trayapp import catalog, database, intake, live, recovery, settings, settings_file, watch
from trayapp.commands import terminal
from trayapp.engine import EngineError
from trayapp.photo import Photo, Verdict

LABELS = ("grizzly", "black", "teddy")
END = b"|END"


def judge(world: World, path: Path) -> Verdict:
    """What the engine says of what lies at `path` now: a photo names what it shows."""
    found: list[Verdict] = []

    def look() -> None:
        inode = world.disks.seen(str(path))
        if inode is None or inode.entries is not None:
            found.append(_unreadable("cannot be opened"))
            return
        seen = Photo.at(path)
        if not inode.data.endswith(END):
            found.append(_unreadable("is damaged", seen))
            return
        kind = inode.data.split(b"|")[0].decode()
        if kind in LABELS:
            found.append(Verdict(kind, 0.98, {kind: 0.98}, seen=seen))
        else:
            found.append(Verdict(None, 0.3, {"grizzly": 0.3}, "unsure", seen=seen))

    world.as_person(look)
    return found[0]


def _unreadable(error: str, seen: Photo | None = None) -> Verdict:
    return Verdict(None, None, reason="unreadable", error=error, seen=seen)


class Engine:
    """The pool's face to the pipeline. `mishap` is what befalls the next photo."""

    def __init__(self, world: World, process: Process) -> None:
        self._world, self._process = world, process
        self.problem: str | None = None
        self.state = "ready"
        self.mishap: str | None = None
        self._open: list[Future[Verdict]] = []
        self._count = 0

    def submit(self, path: Path) -> Future[Verdict]:
        world, future = self._world, Future[Verdict]()
        self._count += 1
        took = 0.005 + 0.02 * (self._count * 7 % 5)
        mishap, self.mishap = self.mishap, None
        if mishap == "hangs":
            took = 20.0
        self._open.append(future)
        seen: list[Verdict] = []
        world.at(world.now + took / 2, lambda: seen.append(judge(world, path)))
        world.at(world.now + took, lambda: self._answer(future, path, seen[0], mishap))
        return future

    def close(self) -> None:
        for future in self._open:
            future.cancel()

    def _answer(
        self, future: Future[Verdict], path: Path, verdict: Verdict, mishap: str | None
    ) -> None:
        if not self._process.alive or future.cancelled():
            return
        self._world.tell("engine", f"{path}: {verdict.label or verdict.reason} {mishap or ''}")
        if mishap == "fails":
            future.set_exception(EngineError("the engine cannot be started"))
        elif mishap in ("crashes", "hangs"):
            future.set_result(_unreadable(f"the engine {mishap}"))
        elif mishap == "another file":
            seen = Photo(path, 1, 1, "1:1")
            future.set_result(Verdict("teddy", 0.99, {"teddy": 0.99}, seen=seen))
        else:
            future.set_result(verdict)


class Observer:
    """watchdog's observer: tells the real handler of what happens on the simulated disks."""

    def __init__(self, world: World, news: News, watcher: watch.Watcher) -> None:
        self._world, self._news, self._watcher = world, news, watcher
        self.ident: int | None = 1
        self._root, self._recursive, self._stopped = "", False, False
        self._handler: Any = None
        self.emitters = {self}

    def schedule(self, handler: Any, path: str, *, recursive: bool, **_: Any) -> None:
        self._handler, self._root, self._recursive = handler, path, recursive

    def start(self) -> None:
        self._world.disks.listeners.append(self._heard)

    def stop(self) -> None:
        self._stopped = True
        if self._heard in self._world.disks.listeners:
            self._world.disks.listeners.remove(self._heard)

    def join(self, _: float) -> None:
        pass

    def is_alive(self) -> bool:
        return not self._stopped

    def _heard(self, kind: str, path: str, target: str) -> None:
        here, there = self._covers(path), bool(target) and self._covers(target)
        if here or there:
            event = _event(kind, path if here else "", target if there else "")
            if self._news.overflows():
                self._world.at(self._world.now + 0.01, self._watcher._on_overflow)
                return
            for delay in self._news.delays():
                self._world.at(self._world.now + delay, lambda: self._pass(event))

    def _covers(self, path: str) -> bool:
        above = path.rpartition("/")[0]
        return above == self._root or (self._recursive and above.startswith(self._root + "/"))

    def _pass(self, event: events.FileSystemEvent) -> None:
        if not self._stopped:
            self._handler.dispatch(event)


def _event(kind: str, path: str, target: str) -> events.FileSystemEvent:
    if kind == "moved":
        return events.FileMovedEvent(path, target)
    kinds = {
        "created": events.FileCreatedEvent,
        "modified": events.FileModifiedEvent,
        "closed": events.FileClosedEvent,
        "deleted": events.FileDeletedEvent,
    }
    return kinds[kind](path)


class News:
    """How the system tells of events: in order and soon, unless something happens to them."""

    def __init__(self) -> None:
        self.fate: str | None = None
        self.left = 0

    def befall(self, fate: str, events_: int) -> None:
        self.fate, self.left = fate, events_

    def overflows(self) -> bool:
        """Whether this event is dropped, which the system tells later."""
        if self.left <= 0 or self.fate != "overflow":
            return False
        self.left -= 1
        return True

    def delays(self) -> tuple[float, ...]:
        if self.left <= 0:
            return (0.002,)
        self.left -= 1
        late = 0.01 + 0.7 * (self.left % 4)
        return {"lost": (), "twice": (0.002, late), "late": (late,)}[self.fate or "late"]


class Connection:
    """A process's connection to a journal that survives the process."""

    isolation_level: str | None = None

    def __init__(self, stage: Stage, real: sqlite3.Connection) -> None:
        self._stage, self._world, self._real = stage, stage.world, real

    @property
    def in_transaction(self) -> bool:
        return self._real.in_transaction

    @property
    def total_changes(self) -> int:
        return self._real.total_changes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def close(self) -> None:
        pass

    def execute(self, sql: str, values: Any = ()) -> Any:
        if sql[0] not in "BCPR":
            return self._real.execute(sql, values)
        self._around(sql)
        result = self._real.execute(sql, values)
        if sql == "COMMIT":
            self._stage.committed()
        return result

    def _around(self, sql: str) -> None:
        world = self._world
        if sql.startswith("BEGIN"):
            self._point("begin")
            self._stage.begins()
            world.locked += 1
        elif sql == "ROLLBACK":
            world.locked -= 1
        elif sql == "COMMIT":
            self._point("commit")
            world.locked -= 1
        elif sql.startswith("PRAGMA synchronous"):
            self._stage.lazily = sql.endswith("NORMAL")

    def _point(self, call: str) -> None:
        try:
            self._world.point(call, "journal")
        except OSError as error:
            raise sqlite3.OperationalError(f"disk I/O error {error.errno}") from None
        if self._world.tracing and self._world.current:
            self._world.tell(self._world.current.process.name, f"journal {call}")


class Owner:
    """The lock that tells whether a process still runs."""

    def __init__(self, stage: Stage) -> None:
        current = stage.world.current
        assert current is not None
        self._stage = stage
        self._process = current.process
        self.name = f"owner-{stage.next_owner()}"
        stage.owners[self.name] = self._process

    def is_gone(self, name: str) -> bool:
        if name == self.name:
            return False
        process = self._stage.owners.get(name)
        return process is None or not process.alive

    def close(self) -> None:
        if self._process.alive:
            del self._stage.owners[self.name]


class Flag:
    """`threading.Event`."""

    def __init__(self, world: World) -> None:
        self._world, self._set = world, False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, seconds: float) -> bool:
        self._world.wait(seconds)
        return self._set


class Lock:
    """`threading.Lock`; who has to wait for it lets the others go on."""

    def __init__(self, world: World) -> None:
        self._world, self._held = world, False

    def __enter__(self) -> None:
        while self._held:
            self._world.wait(0.001)
        self._held = True

    def __exit__(self, *_: object) -> None:
        self._held = False


_TABLES = (
    *("entries", "steps", "notes", "roots", "made_folders", "corrections"),
    *("filed_by_batch", "filed_by_quarter", "sqlite_sequence"),
)


class Stage:
    """The parts of one simulation, put in the place of the real ones by `installed`."""

    def __init__(self) -> None:
        self.world = World()
        self.owners: dict[str, Process] = {}
        self.news = News()
        self.engines: list[Engine] = []
        self.journal: sqlite3.Connection | None = None
        self.lazily = False  # whether a commit does not wait for the disk
        self._unsynced: list[bytes] = []  # the journal as last synced, and after each commit since
        self._empty: bytes | None = None
        self._owners = 0

    def use(self, world: World) -> None:
        self._empty_journal()
        self.world, self.owners, self.news, self.engines = world, {}, News(), []
        self._owners = 0
        self._unsynced.clear()

    def next_owner(self) -> int:
        self._owners += 1
        return self._owners

    def close(self) -> None:
        if self.journal is not None:
            self.journal.close()
        self.journal = None

    def _empty_journal(self) -> None:
        """Sooner done than a new one, whose every statement is compiled again."""
        if self.journal is None:
            return
        if self.journal.in_transaction:
            self.journal.execute("ROLLBACK")
        for table in _TABLES:
            self.journal.execute(f"DELETE FROM {table}")

    def connect(self, _: Path, **__: Any) -> Connection:
        if self.journal is None:
            self.journal = sqlite3.connect(":memory:", isolation_level=None)
            if self._empty is None:
                database._prepare(self.journal)
                self._empty = self.journal.serialize()
            else:
                self.journal.deserialize(self._empty)
        if self.journal.in_transaction:  # of a process that ended while it opened the file
            self.journal.execute("ROLLBACK")
            self.world.locked = 0
        return Connection(self, self.journal)

    def begins(self) -> None:
        """The first commit that is not synced is about to be made."""
        if self.lazily and not self._unsynced and self.journal is not None:
            self._unsynced.append(self.journal.serialize())

    def committed(self) -> None:
        """One that waits for the disk makes those before it durable, too."""
        if self.lazily and self.journal is not None:
            self._unsynced.append(self.journal.serialize())
        else:
            self._unsynced.clear()

    def cut_power(self, rng: Random) -> None:
        """Only some of the commits that nobody waited for are there afterwards."""
        if not self._unsynced or self.journal is None:
            return
        if self.journal.in_transaction:
            self.journal.execute("ROLLBACK")
            self.world.locked = 0
        self.journal.deserialize(rng.choice(self._unsynced))
        self._unsynced.clear()

    def start_engine(self, *_: Any) -> Engine:
        current = self.world.current
        assert current is not None
        self.engines.append(Engine(self.world, current.process))
        return self.engines[-1]

    @contextmanager
    def installed(self) -> Iterator[None]:
        sql = types.SimpleNamespace(connect=self.connect, Error=sqlite3.Error)
        queues = types.SimpleNamespace(SimpleQueue=lambda: Mailbox(self.world), Empty=Empty)
        lock = lambda: Lock(self.world)  # noqa: E731
        threads = types.SimpleNamespace(Event=lambda: Flag(self.world), Lock=lock)
        replaced: list[tuple[Any, str, Any]] = [
            (database, "sqlite3", sql),
            # There is no file that SQLite would share.
            (database, "require_room", lambda _: None),
            (database, "keep_room", lambda _: None),
            (intake, "queue", queues),
            (live, "Owner", lambda _: Owner(self)),
            (live, "threading", threads),
            (recovery, "threading", types.SimpleNamespace(Lock=lock)),
            (live, "process_start", lambda: self.world.wall()),
            (catalog, "start_engine", self.start_engine),
            (catalog, "find", lambda *_: Path("/models/sim")),
            (catalog, "labels", lambda _: LABELS),
            (terminal, "say_json", lambda _: None),
            (terminal, "warn", lambda _: None),
            (watch.Watcher, "_start_native", self._starter()),
            (watch, "file_system", lambda _: "sim"),
            (settings_file.SettingsFile, "watch", self._settings_watcher()),
            (settings, "parse", lru_cache(1000)(settings.parse)),
        ]
        with ExitStack() as stack:
            for part_of, name, part in replaced:
                stack.enter_context(mock.patch.object(part_of, name, part))
            yield

    def _starter(self) -> Callable[[watch.Watcher], None]:
        return lambda watcher: watcher._start(Observer(self.world, self.news, watcher))

    def _settings_watcher(self) -> Callable[..., bool]:
        return lambda file, wake: self._watch_settings(file, wake)

    def _watch_settings(self, file: settings_file.SettingsFile, wake: Callable[[], None]) -> bool:
        name = str(file.file)

        def heard(kind: str, path: str, target: str) -> None:
            if name in (path, target):
                wake()

        listeners = self.world.disks.listeners
        listeners.append(heard)
        stop = lambda: listeners.remove(heard) if heard in listeners else None  # noqa: E731
        file._observer = types.SimpleNamespace(stop=stop, join=lambda _: None, ident=1)
        return True
