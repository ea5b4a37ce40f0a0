"""What a crash test kills: photos and sidecars are filed, put right, followed and taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from trayapp.correct import Correct, Rules
from trayapp.database import Database
from trayapp.decide import decide
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.owner import Owner
from trayapp.photo import Action, BeartrayError, Entry, Photo, Plan, Verdict
from trayapp.settings import Sort

LABELS = {"a.jpg": "grizzly", "b.jpg": "black"}
SAID: dict[str, str | None] = {"grizzly": "teddy", "black": None}  # none of these: it goes back

Task = tuple[Path, Callable[[], Entry]]
"""Where a photo lies, and what is done with it."""


@contextmanager
def books(home: Path) -> Iterator[tuple[Journal, Filing]]:
    """The journal as the program has it open, under a name of this process's own."""
    try:
        owner = Owner(home / "private")
    except OSError as error:
        raise BeartrayError(str(error)) from None  # the command line says it so
    try:
        database = Database(home / "journal.sqlite")
        try:
            journal = Journal(database, owner.name)
            yield journal, Filing(journal, owner.is_gone)
        finally:
            database.close()
    finally:
        owner.close()


def work(home: Path, inbox: Path, action: Action, out: Path) -> str:
    """File everything in `inbox` to `out`, then take the last one back.

    As in the program, what cannot be done is told (one line each, returned) and the rest goes on.
    """

    def tasks(journal: Journal, filing: Filing) -> Iterator[Task]:
        for plan in _plans(inbox, Sort(action=action, destination=str(out))):
            yield plan.photo.path, partial(filing.file, plan, None)

    return _carry_out(home, tasks)


def file_all(home: Path, inbox: Path, action: Action, out: Path) -> None:
    """File everything in `inbox` to `out`; nothing may stand in the way."""
    with books(home) as (_, filing):
        for plan in _plans(inbox, Sort(action=action, destination=str(out))):
            filing.file(plan, None)


def put_right(home: Path, inbox: Path, action: Action, out: Path) -> str:
    """Put everything right that was filed, then take the last one back.

    What cannot be done is told, as by `work`.
    """
    rules = Rules(Sort(action=action, destination=str(out)), inbox, ("black", "grizzly", "teddy"))

    def tasks(journal: Journal, filing: Filing) -> Iterator[Task]:
        correct = Correct(journal._database, journal, filing, lambda: rules, lambda _: None)
        for entry in journal.filed()[::-1]:
            label = "teddy" if action == "tag" else SAID[str(entry.label)]
            yield entry.path, partial(correct, entry.id, label)

    return _carry_out(home, tasks)


def recover(home: Path) -> None:
    """What the next start of the program does first."""
    with books(home) as (_, filing):
        filing.recover()


def _plans(inbox: Path, sort: Sort) -> Iterator[Plan]:
    for path in sorted(inbox.glob("*.jpg")):
        plan = decide(Photo.at(path), Verdict(LABELS[path.name], 0.98), sort, inbox)
        assert plan is not None
        yield plan


def _carry_out(home: Path, tasks: Callable[[Journal, Filing], Iterator[Task]]) -> str:
    """One after the other, then take the last one back; what cannot be done is told."""
    told, entries = [], []
    try:
        with books(home) as (journal, filing):
            for photo, task in tasks(journal, filing):
                try:
                    entries.append(task())
                    late = photo.with_suffix(".late")
                    if late.exists():  # a sidecar that arrives after its photo
                        filing.follow(_arrives(late))
                except BeartrayError as error:
                    told.append(str(error))
            if entries:
                filing.undo(journal.entry(entries[-1].id))
    except BeartrayError as error:
        told.append(str(error))
    return "\n".join(told)


def _arrives(late: Path) -> Path:
    try:
        return late.rename(late.with_suffix(".xmp"))
    except OSError as error:  # the person's own copying failed, which is no matter of ours
        raise BeartrayError(str(error)) from None
