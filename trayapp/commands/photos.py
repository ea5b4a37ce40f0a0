"""classify, sort, history and undo."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from msgspec import structs

from trayapp import catalog, times
from trayapp.commands import terminal
from trayapp.commands.sorting import Sorting
from trayapp.commands.verifying import verify_history
from trayapp.corrections import Corrections
from trayapp.decide import filed_folders
from trayapp.desktop.messages import in_words
from trayapp.engine.pool import Pool
from trayapp.errors import explain
from trayapp.filing import HalfDoneError, UndoError
from trayapp.journal import Journal
from trayapp.photo import BeartrayError, Entry
from trayapp.settings import Settings
from trayapp.tell import arrow
from trayapp.watch import is_wanted, scan

PAGE = 500
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


def classify(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Photos, or folders.")],
    json: Json = False,
) -> int:
    """Say what photos show; moves nothing."""
    settings = terminal.load_settings()
    status, closed = 0, list[OSError]()
    with closing(_engine(settings)) as pool:
        for path, verdict in pool.classify(_expand(paths, settings, closed)):
            status |= verdict.reason == "unreadable"
            if json:
                terminal.say_json({"path": os.fspath(path), **verdict.shown()})
            elif verdict.reason == "unreadable":
                terminal.warn(terminal.about(path, verdict.error or "unreadable"))
            else:
                terminal.say(f"{path}: {in_words(verdict)}")
    return status | _name_closed(closed)


def sort(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to sort.")],
    to: Annotated[Path | None, typer.Option(help="Where the class folders are made.")] = None,
    action: Annotated[
        Literal["move", "copy", "tag"] | None, typer.Option(help="In place of the settings'.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    recursive: Annotated[bool, typer.Option(help="Also the folders inside it.")] = True,
    json: Json = False,
) -> int:
    """Sort the photos of a folder, once."""
    root = terminal.absolute(directory)
    if not root.is_dir():
        raise BeartrayError(f"{root} is not a folder; name the folder that holds the photos")
    settings = terminal.load_settings()
    rules = settings.sort
    if action is not None:
        rules = structs.replace(rules, action=action)
    if to is not None:
        rules = structs.replace(rules, destination=str(_destination(to, dry_run)))
    labels = catalog.labels(catalog.find(settings.model.package, terminal.paths()))
    skip, closed = filed_folders(rules, root, labels), list[OSError]()
    found = scan(root, recursive, skip, closed.append)
    wanted = [path for path in found if is_wanted(path, settings.folder.ignore)]
    with closing(_engine(settings)) as pool, terminal.open_books() as books:
        none = Corrections(books.database).none_of_these()
        sorting = Sorting(books, rules, root, dry_run=dry_run, json=json, none=none)
        status = sorting.run(pool.classify(sorted(wanted)), len(wanted))
    return status | _name_closed(closed)


def history(
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="How many, newest first; 20 if left out.")
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare all of it, or the newest N, with the disk.")
    ] = False,
    json: Json = False,
) -> int:
    """Show what was filed, newest first."""
    if verify:
        return verify_history(n, json)
    entry = None
    with terminal.open_books() as books:
        for entry in _newest(books.journal, n or 20):
            if json:
                terminal.say_json(entry_row(entry))
            else:
                state = "" if entry.state == "done" else f" ({entry.state})"
                moment = datetime.fromtimestamp(entry.time).astimezone()
                terminal.say(f"{entry.id:>6}  {moment:%Y-%m-%d %H:%M}  {arrow(entry)}{state}")
    if entry is None and not json:
        terminal.say("Nothing has been filed yet.")
    return 0


def undo(
    ids: Annotated[list[int] | None, typer.Argument(metavar="ID…", help="From `history`.")] = None,
    last: Annotated[
        int | None, typer.Option(min=1, help="The last N photos; 1 if left out.")
    ] = None,
    batch: Annotated[bool, typer.Option("--batch", help="All of the last batch.")] = False,
    since: Annotated[str | None, typer.Option(help="All since a time: 2h, today, 14:00 …")] = None,
    json: Json = False,
) -> int:
    """Take back what was filed: the last photo, or those that you name."""
    if sum((bool(ids), last is not None, batch, since is not None)) > 1:
        raise BeartrayError("name photos by ID, or use one of --last, --batch and --since")
    status = 0
    with terminal.open_books() as books:
        if ids:
            chosen = [books.journal.entry(id_).id for id_ in sorted(set(ids), reverse=True)]
        elif batch:
            chosen = books.journal.last_batch()
        elif since is not None:
            start = times.moment(since, datetime.now().astimezone())
            # `history` rounds times to microseconds; its first photo is meant, too.
            chosen = books.journal.filed_since(start - 1e-6)
        else:
            chosen = [entry.id for entry in books.journal.filed(last or 1)]
        if not chosen:
            terminal.warn("There is nothing to undo.")
        for id_ in chosen:
            try:
                with terminal.uninterrupted():
                    undone = books.filing.undo(books.journal.entry(id_))
            except (UndoError, HalfDoneError) as error:
                terminal.warn(str(error))
                status = 1
                continue
            if json:
                terminal.say_json(entry_row(undone))
            else:
                terminal.say(_undone(undone))
    return status


def _newest(journal: Journal, most: int) -> Iterator[Entry]:
    """A page at a time, however many there are."""
    page = journal.history(min(PAGE, most))
    while page:
        yield from page
        most -= len(page)
        page = journal.history(min(PAGE, most), page[-1].id) if most else []


def entry_row(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "time": datetime.fromtimestamp(entry.time).astimezone().isoformat(),
        "path": str(entry.path),
        "destination": str(entry.destination),
        "label": entry.label,
        "confidence": entry.confidence,
        "action": entry.action,
        "state": entry.state,
    }


def _destination(to: Path, dry_run: bool) -> Path:
    """A folder that is named for this run may be made for it."""
    folder = terminal.absolute(to)
    if not dry_run:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BeartrayError(f"{folder} cannot be used: {explain(error)}") from None
    return folder


def _engine(settings: Settings) -> Pool:
    catalog.find(settings.model.package, terminal.paths())  # says at once what is wrong with it
    return catalog.start_engine(settings.model, terminal.paths())


def _expand(paths: list[Path], settings: Settings, closed: list[OSError]) -> Iterator[Path]:
    """Folders become the photos in them; a file is looked at whatever its name. Folders that
    cannot be looked into are added to `closed`.
    """
    for path in paths:
        if not path.is_dir() or path.is_symlink():
            yield path
            continue
        inside = scan(path, True, lambda _: False, closed.append)
        try:
            yield from sorted(p for p in inside if is_wanted(p, settings.folder.ignore))
        except OSError as error:
            closed.append(error)


def _name_closed(closed: list[OSError]) -> int:
    """Name the folders that could not be looked into; the exit status for them."""
    for error in closed:
        terminal.warn(explain(error))
    return int(bool(closed))


def _undone(entry: Entry) -> str:
    if entry.action == "move":
        return f"{entry.path.name} is back in {entry.path.parent}"
    what = "copy" if entry.action == "copy" else "tags"
    return f"the {what} of {entry.path.name} removed again"
