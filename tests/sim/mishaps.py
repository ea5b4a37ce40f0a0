"""What befalls the machine and what the person asks of Beartray, by name."""

from __future__ import annotations

import os
from random import Random
from typing import TYPE_CHECKING

from tests.sim import correcting, plan
from tests.sim.disks import Disk
from tests.sim.parts import judge
from tests.sim.world import Process
from trayapp.commands.sorting import Sorting
from trayapp.commands.terminal import Books
from trayapp.filing import HalfDoneError, UndoError
from trayapp.photo import BeartrayError
from trayapp.settings import Sort
from trayapp.watch import is_wanted, scan

if TYPE_CHECKING:
    from tests.sim.run import Run


def happen(run: Run, kind: str, rng: Random) -> None:
    if kind in plan.PERSON:
        getattr(run.person, kind)(rng)
    elif kind in plan.PAGE:
        getattr(correcting, kind)(run, rng)
    elif kind != "switch":
        globals()[f"_{kind}"](run, rng)


def heal(run: Run) -> None:
    """Nothing goes wrong any more, and Beartray is at work."""
    run.healing = True
    world = run.world
    world.tell("world", "all is well from now on")
    world.error = None
    run.stage.news.left = 0
    for engine in run.stage.engines:
        engine.mishap = None
    run.person.stop_writing()
    for disk in (run.inbox_disk, run.out_disk):
        _plug(run, disk)
        disk.full = disk.read_only = False
    run.write_settings(run.settings)
    run.start_app()


def _crash(run: Run, rng: Random) -> None:
    if run.app is not None and run.app.alive:
        run.world.tell("world", "kills the app")
        run.world.crash(run.app)
        run.world.at(run.world.now + rng.uniform(0.1, 2), run.start_app)


def _power(run: Run, rng: Random) -> None:
    """Whatever runs ends, and only what was synced is sure to be there afterwards."""
    world = run.world
    world.tell("world", "power cut")
    for process in [*run.others, *([run.app] if run.app else [])]:
        world.crash(process)
    run.person.stop_writing()
    for disk in world.disks.disks:
        _cut_power(run, rng, disk)
        disk.device += 100
    run.stage.cut_power(rng)
    world.disks.listeners.clear()
    world.at(world.now + rng.uniform(0.1, 2), run.start_app)


def _quit(run: Run, rng: Random) -> None:
    if run.live is not None and run.app is not None and run.app.alive:
        run.world.tell("person", "quits the app")
        run.live.stop()
        run.world.at(run.world.now + rng.uniform(1, 3), run.start_app)


def _error(run: Run, rng: Random) -> None:
    run.world.error = rng.choice(plan.ERRORS)
    run.world.tell("world", f"error {run.world.error} at the next call that can have it")


def _full(run: Run, rng: Random) -> None:
    disk = _any_disk(run, rng)
    disk.full = True
    run.world.tell("world", f"disk {disk.name} is full")
    run.world.at(run.world.now + rng.uniform(0.5, 6), lambda: setattr(disk, "full", False))


def _read_only(run: Run, rng: Random) -> None:
    disk = _any_disk(run, rng)
    disk.read_only = True
    run.world.tell("world", f"disk {disk.name} is read-only")
    run.world.at(run.world.now + rng.uniform(0.5, 6), lambda: setattr(disk, "read_only", False))


def _yank(run: Run, rng: Random) -> None:
    """A disk is pulled out and comes back later, maybe under another number."""
    disk = _any_disk(run, rng)
    if disk.away:
        return
    run.world.tell("world", f"disk {disk.name} is pulled out")
    moves = run.person.moves
    run.pulled_out = {one: moves[one] for one in on_their_way(run)} | run.pulled_out
    run.person.stop_writing(disk)
    _cut_power(run, rng, disk)
    disk.away, disk.vanishes = True, rng.random() < 0.5
    disk.device += rng.choice((0, 100))
    run.world.at(run.world.now + rng.uniform(0.5, 6), lambda: _plug(run, disk))


def _cut_power(run: Run, rng: Random, disk: Disk) -> None:
    disks = run.world.disks
    before = disks.contents()
    disks.cut_power(rng, disk)
    after = disks.contents()
    run.person.brought_back |= {content for content in after if after[content] > before[content]}


def on_their_way(run: Run) -> list[bytes]:
    """The contents of photos with which somebody has begun, and of their sidecars."""
    journal, disks = run.stage.journal, run.world.disks
    if journal is None:
        return []
    begun = "FROM entries WHERE state IN ('begun', 'undoing')"
    photos = [run.begun.get(id_, b"") for (id_,) in journal.execute(f"SELECT id {begun}")]
    query = f"SELECT source, target FROM steps WHERE position > 0 AND entry IN (SELECT id {begun})"
    places = {os.fsdecode(place) for pair in journal.execute(query) for place in pair}
    return photos + [inode.data for place in places if (inode := disks.seen(place))]


def _plug(run: Run, disk: Disk) -> None:
    if disk.away:
        disk.away = False
        run.world.tell("world", f"disk {disk.name} is back")


def _clock(run: Run, rng: Random) -> None:
    run.world.wall_offset += rng.choice((-90_000, -3600, -2, 2, 3600, 90_000))
    run.world.tell("world", "the clock is set")


def _events(run: Run, rng: Random) -> None:
    fate = rng.choice(("lost", "twice", "late", "overflow"))
    run.stage.news.befall(fate, rng.randint(1, 12))
    run.world.tell("world", f"{run.stage.news.left} events are {fate}")


def _engine(run: Run, rng: Random) -> None:
    if run.stage.engines:
        mishap = rng.choice(("fails", "crashes", "hangs", "another file"))
        run.stage.engines[-1].mishap = mishap
        run.world.tell("world", f"engine: {mishap}")


def _undo(run: Run, rng: Random) -> None:
    _undo_in_tray(run, most=1)


def _undo_all(run: Run, rng: Random) -> None:
    _undo_in_tray(run, most=-1)


def _undo_in_tray(run: Run, most: int) -> None:
    """A click, on a thread of its own; the next one waits for it."""
    live, app = run.live, run.app
    if live is None or app is None or not app.alive or run.clicking:
        return

    def click() -> None:
        try:
            live.undo([entry.id for entry in live.journal.filed(most)])
        except BeartrayError as error:
            run.world.tell(app.name, f"undo: {error}")
        finally:
            run.clicking = False

    run.clicking = True
    run.world.tell("person", f"undo {most}")
    run.world.start(app, click)


def _cli_undo(run: Run, rng: Random) -> None:
    process = Process(f"undo{run.number()}")
    run.others.append(process)
    most = rng.choice((1, 1, -1))

    def body() -> None:
        try:
            with run.books() as (journal, filing):
                filing.recover()
                for entry in journal.filed(most):
                    try:
                        filing.undo(entry)
                    except (UndoError, HalfDoneError) as error:
                        run.world.tell(process.name, str(error))
        except (BeartrayError, OSError) as error:
            run.world.tell(process.name, f"ends: {error}")
        process.alive = False

    run.world.tell("person", f"beartray undo ({process.name})")
    run.world.start(process, body)
    if rng.random() < 0.3:
        run.world.at_call(rng.randint(1, 80), lambda: run.world.crash(process))


def _cli_sort(run: Run, rng: Random) -> None:
    from pathlib import Path

    process = Process(f"sort{run.number()}")
    run.others.append(process)
    settings = run.settings
    rules = Sort(settings.action, settings.destination, settings.subfolder, settings.unsure)  # type: ignore[arg-type]
    root = Path(settings.folder)

    def body() -> None:
        try:
            with run.books() as (journal, filing):
                filing.recover()
                books = Books(None, journal, None, filing)  # type: ignore[arg-type]
                found = [p for p in scan(root, False, lambda _: False) if is_wanted(p, [])]
                sorting = Sorting(books, rules, root, dry_run=False, json=True)
                for path in sorted(found):
                    sorting._one(path, judge(run.world, path))
        except (BeartrayError, OSError) as error:
            run.world.tell(process.name, f"ends: {error}")
        process.alive = False

    run.world.tell("person", f"beartray sort {root} ({process.name})")
    run.world.start(process, body)
    if rng.random() < 0.3:
        run.world.at_call(rng.randint(1, 80), lambda: run.world.crash(process))


def _pause(run: Run, rng: Random) -> None:
    if run.live is not None:
        run.live.pause()


def _pause_for(run: Run, rng: Random) -> None:
    if run.live is not None:
        run.live.pause(run.world.wall() + rng.uniform(0.5, 5))


def _resume(run: Run, rng: Random) -> None:
    if run.live is not None:
        run.live.resume()


def _settings(run: Run, rng: Random) -> None:
    run.write_settings(plan.settings(rng, run.settings.folder))


def _folder(run: Run, rng: Random) -> None:
    """Another folder and back, or another for good."""
    if run.live is not None and run.app is not None and run.app.alive:
        run.write_settings(plan.settings(rng, "/sim/second"))
        run.person.inbox = "/sim/second"
        if rng.random() < 0.7:
            run.world.at(run.world.now + rng.uniform(0.2, 3), lambda: _folder_back(run, rng))


def _folder_back(run: Run, rng: Random) -> None:
    if not run.healing:
        run.write_settings(plan.settings(rng))
        run.person.inbox = "/sim/inbox"


def _sort_existing(run: Run, rng: Random) -> None:
    if run.live is not None:
        run.live.sort_existing()


def _any_disk(run: Run, rng: Random) -> Disk:
    return rng.choice((run.inbox_disk, run.out_disk))
