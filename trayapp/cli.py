"""The command line: names the commands and reads their words."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from typer.exceptions import TyperException

from trayapp import __version__
from trayapp.commands import correcting, manage, opening, photos, running, terminal, training
from trayapp.commands.doctor import doctor
from trayapp.commands.outcome import DONE, INTERRUPTED, outcome
from trayapp.photo import BeartrayError


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
    cli.command("open")(opening.open_)
    cli.command()(opening.review)
    cli.command()(photos.classify)
    cli.command()(photos.sort)
    cli.command()(photos.history)
    cli.command()(photos.undo)
    cli.add_typer(manage.model, name="model")
    cli.add_typer(correcting.corrections, name="corrections")
    cli.command()(training.train)
    cli.command()(running.autostart)
    cli.add_typer(manage.config, name="config")
    cli.command()(doctor)
    cli.command()(opening.about)
    return cli


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. Errors are one line, without a traceback."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    end = given.index("--") if "--" in given else len(given)  # what follows are names
    options = [word for word in given[:end] if word != "--debug"]
    words = [*_with_default_count(options), *given[end:]]
    return outcome(lambda: _run(words), debug="--debug" in given[:end])


def _run(words: list[str]) -> int | None:
    try:
        result = build()(args=words, prog_name="beartray", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except TyperException as error:
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "beartray"
        raise BeartrayError(f"{message} (see `{command} --help`)") from error
    if result == INTERRUPTED:  # what typer makes of a Ctrl-C
        raise KeyboardInterrupt
    return None if result is None else int(result)


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
    for word, following in itertools.zip_longest(arguments, arguments[1:], fillvalue=""):
        alone = word == "--last" and not re.fullmatch(r"\d+", following)
        found.append("--last=1" if alone else word)
    return found
