"""The person on the review page: puts photos right, one or several at once, and takes them back."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from tests.sim.parts import LABELS
from tests.sim.plan import ERRORS
from tests.sim.world import LostError
from trayapp.app.reviewing import Reviewing
from trayapp.live import Live
from trayapp.photo import BeartrayError, Entry

if TYPE_CHECKING:
    from tests.sim.run import Run

NO_TRAY: Any = None
_SHOWN = "SELECT id FROM entries WHERE state IN ('done', 'left') ORDER BY id"


def put_right(run: Run, rng: Random) -> None:
    """A label, or none of these, for up to three photos; in the midst of it something happens.

    An old page may name entries that were put right or taken back since.
    """
    label, most = rng.choice((*LABELS, None)), rng.choice((1, 1, 1, 2, 3))

    def correct(live: Live) -> None:
        reviewing = Reviewing(live, live._paths, NO_TRAY)
        reviewing._correct._taken = lambda _: None
        batch: int | None = None
        for id_ in _chosen(live, rng, most):
            try:
                batch = reviewing._put_right(id_, label, batch).batch
            except BeartrayError as error:
                run.world.tell("page", f"not put right: {error}")

    _click(run, f"puts {most} right: {label or 'none of these'}", correct)
    _meanwhile(run, rng)


def undo_on_page(run: Run, rng: Random) -> None:
    """Any photo that the page shows, or showed a while ago."""

    def undo(live: Live) -> None:
        try:
            live.undo(_chosen(live, rng, 1))
        except BeartrayError as error:
            run.world.tell("page", f"undo: {error}")

    _click(run, "takes one back on the page", undo)
    _meanwhile(run, rng)


def check_put_right(run: Run, entry: Entry) -> None:
    """What a person said of a photo is where it says what a photo is, unless they have put a
    sidecar of their own there since. Raises `LostError`.
    """
    inode = run.world.disks.seen(str(entry.destination))
    if inode is None or entry.label is None:
        return
    if entry.action != "tag" or entry.destination == entry.path:
        found = entry.label in entry.destination.parts
    else:
        found = entry.label.encode() in inode.data or run.person.is_known(inode.data)
    if not found:
        raise LostError(f"put right to {entry.label}, and {entry.destination} does not say so")


def _click(run: Run, what: str, act: Callable[[Live], None]) -> None:
    """On a thread of the page's server; the next click waits for it."""
    live, app = run.live, run.app
    if live is None or app is None or not app.alive or run.clicking:
        return

    def click() -> None:
        try:
            act(live)
        except BeartrayError as error:  # the journal cannot be read
            run.world.tell("page", str(error))
        finally:
            run.clicking = False

    run.clicking = True
    run.world.tell("person", what)
    run.world.start(app, click)


def _chosen(live: Live, rng: Random, most: int) -> list[int]:
    with live.database.reading() as db:
        shown = [id_ for (id_,) in db.execute(_SHOWN).fetchall()]
    return rng.sample(shown, min(most, len(shown)))


def _meanwhile(run: Run, rng: Random) -> None:
    """Another thread's turn, an error or the end of the app, at one of the click's own calls."""
    what, later, error = rng.choice(("", "", *_MEANWHILE)), rng.randint(1, 60), rng.choice(ERRORS)
    if what:
        run.world.at_call(later, lambda: _MEANWHILE[what](run, error))


def _crash(run: Run, _: int) -> None:
    if run.app is not None and run.app.alive and not run.healing:
        run.world.tell("world", "kills the app")
        run.world.crash(run.app)
        run.world.at(run.world.now + 1, run.start_app)


def _fail(run: Run, error: int) -> None:
    if not run.healing:
        run.world.tell("world", f"error {error} at the next call that can have it")
        run.world.error = error


def _switch(run: Run, _: int) -> None:
    run.world.switch()


_MEANWHILE: dict[str, Callable[[Run, int], None]] = {
    "crash": _crash,
    "error": _fail,
    "switch": _switch,
}
