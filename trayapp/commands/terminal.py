"""What all commands share: printing that never fails on a name, and the parts they work with."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from trayapp import settings
from trayapp.database import Database
from trayapp.desktop import Desktop, choose_desktop
from trayapp.engine import printable
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.owner import Owner
from trayapp.paths import Paths
from trayapp.photo import BeartrayError
from trayapp.settings import Settings

# A name may hold line breaks, terminal codes and bytes that are no text; no terminal gets them.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class StoppedError(BeartrayError):
    """The person stopped a command that has more to say of it than that."""


def say(line: str) -> None:
    """One line on stdout, whatever names are in it."""
    _write(sys.stdout, _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], line))


def tell(line: str) -> None:
    """`say` for a program that may outlive its terminal."""
    try:
        say(line)
    except (OSError, ValueError):
        hang_up()


def hang_up() -> None:
    """Nobody reads stdout any more; what is still to be flushed must not fail at the end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn(line: str) -> None:
    """One line on stderr."""
    _write(sys.stderr, _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], line))


def about(path: Path, error: str) -> str:
    """`error` with the photo's whole path, where so far it begins with its name or has none."""
    for name in (path.name, printable(path.name)):
        if error.startswith(name):
            return f"{path}{error.removeprefix(name)}"
    return error if str(path) in error else f"{path}: {error}"


def say_json(row: dict[str, object]) -> None:
    """One object a line; names that are not text survive as escapes."""
    _write(sys.stdout, json.dumps(row))


def paths() -> Paths:
    return Paths.from_environment(os.environ)


def load_settings() -> Settings:
    """Raises `SettingsError`."""
    return settings.load(paths().settings_file)


@dataclass(frozen=True, slots=True)
class Books:
    """The journal and what works on it."""

    database: Database
    journal: Journal
    notes: Notes
    filing: Filing


@contextmanager
def open_books() -> Iterator[Books]:
    """Opens the journal and settles what ended processes left half-done."""
    places = paths()
    owner = Owner(places.private)
    try:
        database = Database(places.journal_file)
        try:
            journal = Journal(database, owner.name)
            filing = Filing(journal, owner.is_gone)
            filing.recover()
            yield Books(database, journal, Notes(database), filing)
        finally:
            database.close()
    finally:
        owner.close()


@contextmanager
def desktop() -> Iterator[Desktop]:
    """The desktop that the command was given on."""
    found = choose_desktop(os.environ)
    try:
        yield found
    finally:
        found.close()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C has its effect at the end of the block; for the main thread, and short blocks."""
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            raise KeyboardInterrupt


def absolute(path: Path) -> Path:
    """Without following links: the folder a person names is the one that is meant."""
    return Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 (normalises "..")


def _write(stream: TextIO | None, line: str) -> None:
    """A windowed program has no streams; a terminal may not know every letter."""
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    stream.write(line.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
