"""Carries out one plan: starts Beartray on the simulated machine, lets things happen, and looks."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

from tests.sim import mishaps, verdict
from tests.sim.calls import Calls
from tests.sim.parts import Owner, Stage
from tests.sim.person import Person
from tests.sim.plan import LENGTH, Act, Plan, Settings
from tests.sim.witness import Witness
from tests.sim.world import LostError, Process, World
from trayapp.clock import Clock
from trayapp.database import Database
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.live import Live
from trayapp.notes import Notes
from trayapp.paths import Paths
from trayapp.photo import BeartrayError, Photo, Verdict
from trayapp.photo import Plan as Filed
from trayapp.steps import Step
from trayapp.tell import Notice

HOME = "/sim/home"
PATHS = Paths.from_environment({"BEARTRAY_HOME": HOME})


@dataclass
class Outcome:
    """What came of one seed: `problem` None where every invariant held."""

    plan: Plan
    problem: str | None
    story: list[str]


class Run:
    """One simulation; `world` and all else is its own."""

    def __init__(self, stage: Stage, calls: Calls, plan: Plan, *, tracing: bool) -> None:
        self.stage, self.calls, self.plan = stage, calls, plan
        self.world = World(tracing=tracing, restless=plan.restless)
        self.witness = Witness(self.world.disks)
        stage.use(self.world)
        calls.use(self.world)
        disks = self.world.disks
        disks.make_folders(HOME)
        self.inbox_disk = disks.add(copy.deepcopy(plan.inbox_disk), "/sim/inbox")
        self.out_disk = disks.add(copy.deepcopy(plan.out_disk), "/sim/out")
        disks.make_folders("/sim/out/photos")
        disks.make_folders("/sim/second")
        for folder in plan.made_folders:
            disks.make_folders(folder)
        for disk in disks.disks:  # these were there long before
            disk.sync_all()
        self.settings = plan.settings
        bases = ["/sim/inbox", "/sim/inbox/sorted", "/sim/out/photos", "/sim/inbox/sub"]
        self.person = Person(self.world, "/sim/inbox", bases)
        self.person.on_their_way = lambda: mishaps.on_their_way(self)
        self.live: Live | None = None
        self.app: Process | None = None
        self.healing = False
        self.pulled_out: dict[bytes, int] = {}  # contents on their way then, and their moves so far
        self.notices: list[Notice] = []
        self.begun: dict[int, bytes] = {}  # entry → the photo's content when it was begun
        self.said: dict[int, str | None] = {}  # entry → what a person said, in a correction
        self.put_right: set[bytes] = set()  # what a person has said something of
        self.left: dict[Path, bytes | None] = {}  # the photos not recognised, as they were then
        self.others: list[Process] = []
        self.clicking = False
        self._apps = 0

    def go(self) -> None:
        """Raises `LostError`."""
        rng = Random(self.plan.seed)
        self.write_settings(self.settings)
        for _ in range(self.plan.old_photos):
            self.person.put(f"/sim/inbox/old{rng.randint(1, 3)}.jpg", self.person.content(rng))
        self._schedule()
        self.start_app()
        self.world.run_until(LENGTH + 1)
        mishaps.heal(self)
        self.world.run_until(self.world.now + 45)
        self.stop_app()
        self.start_app()
        self.world.run_until(self.world.now + 7)
        self.check_alive()
        verdict.after(self)
        self.stop_app()
        verdict.undone(self)

    def _schedule(self) -> None:
        at_calls: list[tuple[int, Callable[[], None]]] = []
        for act in self.plan.acts:
            if act.moment is not None:
                self.world.at(act.moment, self._doing(act))
            else:
                at_calls.append((act.call, self._doing(act)))
        self.world.at_calls.extend(sorted(at_calls, key=lambda item: item[0]))

    def _doing(self, act: Act) -> Callable[[], None]:
        def do() -> None:
            if not self.healing:
                rng = Random(act.seed)
                self.world.as_person(lambda: mishaps.happen(self, act.kind, rng))
                if act.kind == "switch":
                    self.world.switch()

        return do

    def number(self) -> int:
        return len(self.others) + 1

    def start_app(self) -> None:
        if self.app is not None and self.app.alive:
            return
        self._apps += 1
        self.app = process = Process(f"app{self._apps}")
        self.live = None  # who clicks before it is there does not reach the one that has ended

        def body() -> None:
            try:
                self.live = live = Live(
                    PATHS, show=self.show, clock=Clock(self.world.steady, self.world.wall)
                )
                live.run()
            except (BeartrayError, OSError) as error:
                self.world.tell(process.name, f"ends: {error}")
                self.world.at(self.world.now + 2, self.start_app)
            process.alive = False

        self.world.tell(process.name, "starts")
        self.world.start(process, body)

    def stop_app(self) -> None:
        if self.live is not None and self.app is not None and self.app.alive:
            self.live.stop()
            self.world.run_until(self.world.now + 12)
            if self.app.alive:
                raise LostError("the app does not end")

    def check_alive(self) -> None:
        assert self.app is not None
        if self.world.broken:
            raise LostError("; ".join(self.world.broken))
        if not self.app.alive:
            raise LostError("the app has ended")
        assert self.live is not None
        if self.live.problem:
            raise LostError(f"a problem remains: {self.live.problem}")

    def write_settings(self, settings: Settings) -> None:
        self.settings = settings
        self.world.tell("person", f"sets {settings}")
        disks, path = self.world.disks, f"{HOME}/settings.toml"
        disks.write(disks.create(path + "~"), settings.text.encode(), path + "~")
        disks.rename(path + "~", path, over=True)
        disks.system.sync_all()
        disks.find(path).synced = None

    def content_of(self, photo: Photo) -> bytes:
        """Also of one that the person renames this moment, or whose disk has just been pulled
        out."""
        disks = self.world.disks
        inode = disks.seen(str(photo.path)) or disks.numbered(photo.file_id, photo.mtime_ns)
        return inode.data if inode else b""

    def show(self, notice: Notice) -> None:
        self.world.tell("notice", f"{notice.title}: {notice.body}")
        self.notices.append(notice)
        if "internal error" in notice.body:
            self.world.broken.append(notice.body)

    @contextmanager
    def books(self) -> Iterator[tuple[Journal, Filing]]:
        """For a task of its own process."""
        owner = Owner(self.stage)
        database = Database(PATHS.journal_file)
        try:
            journal = Journal(database, owner.name, self.world.wall)
            yield journal, Filing(journal, owner.is_gone)
        finally:
            database.close()
            owner.close()


class Simulator:
    """Runs plans one after the other, with the product's calls replaced as long as it is open."""

    def __init__(self) -> None:
        self.stage, self.calls = Stage(), Calls()

    @contextmanager
    def open(self) -> Iterator[Simulator]:
        level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        try:
            with self.stage.installed(), self.calls.installed(), self._followed():
                yield self
        finally:
            logging.disable(level)
            self.stage.close()

    def run(self, plan: Plan, *, tracing: bool = False) -> Outcome:
        run = Run(self.stage, self.calls, plan, tracing=tracing)
        self._run = run
        problem = None
        try:
            run.go()
        except LostError as error:
            problem = str(error)
        finally:
            run.world.end()
        return Outcome(plan, "; ".join(run.world.broken) or problem, run.world.story)

    @contextmanager
    def _followed(self) -> Iterator[None]:
        """Remember which content each row was begun with, and which photos were left."""

        def followed(journal: Journal, plan: Filed, steps: tuple[Step, ...], batch: Any) -> Any:
            content = self._run.content_of(plan.photo)
            entry = begin(journal, plan, steps, batch)
            self._run.begun[entry.id] = content
            if plan.corrects is not None:
                self._run.said[entry.id] = plan.verdict.label
                self._run.put_right.add(content)
            return entry

        def followed_too(notes: Notes, photo: Photo, verdict: Verdict) -> None:
            inode = self._run.world.disks.seen(str(photo.path))
            self._run.left[photo.path] = inode.data if inode else None  # its disk is away
            leave(notes, photo, verdict)

        begin, leave = Journal.begin, Notes.leave
        with (
            mock.patch.object(Journal, "begin", followed),
            mock.patch.object(Notes, "leave", followed_too),
        ):
            yield
