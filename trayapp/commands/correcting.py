"""corrections: what people have put right, to be looked through and learnt from."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from trayapp.commands import terminal
from trayapp.commands.photos import Json
from trayapp.corrections import Correction, Corrections
from trayapp.export import NONE, Exported, export

corrections = typer.Typer(help="What you have put right, for learning from.")


@corrections.command("list")
def list_(json: Json = False) -> int:
    """The photos that you put right and what the model had said, oldest first."""
    found = _all()
    for one in found:
        moment = datetime.fromtimestamp(one.time).astimezone()
        if json:
            terminal.say_json(
                {
                    "id": one.entry,
                    "time": moment.isoformat(),
                    "path": str(one.path),
                    "was": one.was,
                    "label": one.label,
                    "model": one.model,
                    "sha256": one.sha256,
                }
            )
        else:
            said = f"{one.was or NONE} → {one.label or NONE}"
            terminal.say(f"{one.entry:>6}  {moment:%Y-%m-%d %H:%M}  {said}  {one.path}")
    if not found and not json:
        terminal.say("Nothing has been put right yet; `beartray review` is the place for it.")
    return 0


@corrections.command("export")
def export_(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Gets a folder for each label; made if need be.")
    ],
    json: Json = False,
) -> int:
    """Copy them into class folders, as `beartray train` takes them."""
    done = export(_all(), terminal.absolute(directory))
    for problem in done.problems:
        terminal.warn(problem)
    if json:
        terminal.say_json(_row(done))
    else:
        more = f", {done.known} were there already" if done.known else ""
        copied = "1 photo" if done.copied == 1 else f"{done.copied} photos"
        terminal.say(f"{copied} copied to {done.folder}{more}")
    return 1 if done.problems else 0


def _row(done: Exported) -> dict[str, object]:
    return {
        "path": str(done.folder),
        "copied": done.copied,
        "known": done.known,
        "problems": list(done.problems),
    }


def _all() -> list[Correction]:
    with terminal.open_books() as books:
        return Corrections(books.database).all()
