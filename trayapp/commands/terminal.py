"""What all commands share: printing that never fails on a name, and the parts they work with."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from trayapp import settings
from trayapp.database import Database
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.owner import Owner
from trayapp.paths import Paths
from trayapp.settings import Settings


def say(line: str) -> None:
    _write(sys.stdout, line)


def warn(line: str) -> None:
    """On stderr, as one line."""
    _write(sys.stderr, " ".join(line.splitlines()))


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
            yield Books(journal, Notes(database), filing)
        finally:
            database.close()
    finally:
        owner.close()


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
