"""A real journal in a test's folder, and plans without an engine."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trayapp import disk
from trayapp.database import Database
from trayapp.decide import decide
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.photo import Photo, Plan, Verdict
from trayapp.settings import Sort


class Books:
    """Journal, notes and filing on one real SQLite file."""

    def __init__(self, database: Database, owner: str, is_gone: Callable[[str], bool]) -> None:
        self.journal = Journal(database, owner)
        self.notes = Notes(database)
        self.filing = Filing(self.journal, is_gone)


@contextmanager
def open_books(
    folder: Path, owner: str = "test", is_gone: Callable[[str], bool] = lambda _: True
) -> Iterator[Books]:
    database = Database(folder / "books" / "journal.sqlite")
    try:
        yield Books(database, owner, is_gone)
    finally:
        database.close()


def plan(path: Path, sort: Sort | None = None, label: str = "grizzly") -> Plan:
    """What is decided for a photo that shows a `label`."""
    found = decide(Photo.at(path), Verdict(label, 0.98), sort or Sort(), path.parent)
    assert found is not None
    return found


def keep_even_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every copy lay on FAT."""

    def keep_properties(source: Path, target: Path) -> None:
        keep(source, target)
        os.utime(target, (target.stat().st_mtime // 2 * 2,) * 2)

    keep = disk.keep_properties
    monkeypatch.setattr(disk, "keep_properties", keep_properties)


@contextmanager
def no_room_for_sidecars() -> Iterator[None]:
    """On any other disk."""

    def copy_verified(source: Path, target: Path) -> None:
        if source.suffix == ".xmp":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        copy(source, target)

    copy = disk.copy_verified
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, "copy_verified", copy_verified)
        yield


def part_disks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every folder lay on a disk of its own."""

    def refuse(source: Path, target: Path) -> None:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        rename(source, target)

    rename = disk.rename_exclusively
    monkeypatch.setattr(disk, "rename_exclusively", refuse)
