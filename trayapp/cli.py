"""The command line: names the commands, and turns errors into one line and an exit status."""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from trayapp import __version__
from trayapp.app import AlreadyRunningError
from trayapp.commands import manage, photos, running, terminal
from trayapp.commands.doctor import doctor
from trayapp.database import JournalError
from trayapp.desktop.control import NotRunningError
from trayapp.filing import UndoError
from trayapp.photo import BeartrayError

DONE, SOME_FAILED, USAGE, RUNNING, INTERRUPTED = 0, 1, 2, 3, 130


def build() -> typer.Typer:
    """The commands of Beartray."""
    cli = typer.Typer(
        name="beartray",
        help="Drop a photo into a folder and it is filed by what it shows.",
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    cli.callback(invoke_without_command=True)(_start)
    cli.command()(running.run)
    cli.command()(running.status)
    cli.command()(running.pause)
    cli.command()(running.resume)
    cli.command("quit")(running.quit_)
    cli.command()(photos.classify)
    cli.command()(photos.sort)
    cli.command()(photos.history)
    cli.command()(photos.undo)
    cli.add_typer(manage.model, name="model")
    cli.command()(running.autostart)
    cli.add_typer(manage.config, name="config")
    cli.command()(doctor)
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. Errors are one line, without a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given
    try:
        result = build()(
            args=_with_default_count([word for word in given if word != "--debug"]),
            prog_name="beartray",
            standalone_mode=False,
        )
        return int(result or 0)
    except (KeyboardInterrupt, typer.Abort):
        terminal.warn("interrupted; `beartray history` tells what was done until then")
        return INTERRUPTED
    except BrokenPipeError:  # `beartray history | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SOME_FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        terminal.warn(_one_line(error))
        return _status(error)


def _start(
    context: typer.Context,
    _debug: Annotated[bool, typer.Option("--debug", help="Show where an error came from.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Say which Beartray this is.")] = False,
) -> int:
    if version:
        terminal.say(f"beartray {__version__}")
        raise typer.Exit
    return running.run() if context.invoked_subcommand is None else DONE


def _with_default_count(arguments: list[str]) -> list[str]:
    """`undo --last` alone means one photo; the parser knows no optional values."""
    found = []
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        alone = word == "--last" and not re.fullmatch(r"\d+", following)
        found.append("--last=1" if alone else word)
    return found


def _one_line(error: Exception) -> str:
    if isinstance(error, TyperException):
        return f"beartray: {error.format_message()} (see `beartray --help`)"
    if isinstance(error, BeartrayError | OSError):
        return f"beartray: {error}"
    logging.getLogger(__name__).error("unexpected", exc_info=error)
    return f"beartray: internal error: {error!r}; run it again with --debug and report it"


def _status(error: Exception) -> int:
    if isinstance(error, AlreadyRunningError | NotRunningError):
        return RUNNING
    if isinstance(error, UndoError | JournalError | OSError):
        return SOME_FAILED
    return USAGE
