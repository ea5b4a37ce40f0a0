"""Mistakes that somebody could make in the product, for the simulator to find."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from trayapp import disk, filing, place, rows, steps
from trayapp.audit import JournalBook
from trayapp.carry import Carrier
from trayapp.correct import Correct
from trayapp.database import Database
from trayapp.inbox import Inbox
from trayapp.journal import Journal
from trayapp.notes import Notes
from trayapp.photo import Entry, Photo, Verdict
from trayapp.recovery import Recovery
from trayapp.steps import Step


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _rename_over(source: Path, target: Path) -> None:
    if source.parent.stat().st_dev != target.parent.stat().st_dev:
        disk._rename_by_system(source, target)
    source.replace(target)


def _copy_unsynced(original: Any, copy: Any) -> bytes:
    with mock.patch.object(os, "fsync", _nothing):
        return _copy(original, copy)


_copy = disk._copy


def _remove_first(step: Step, photo: Photo, folder: disk.Folder, arrived: place.Arrived) -> None:
    content = step.source.read_bytes()
    step.source.unlink()
    with step.target.open("xb") as stream:
        stream.write(content)


def _finish_first(carrier: Carrier, entry: Entry, phase: str, of: tuple[Step, ...]) -> None:
    if phase == "do":
        carrier._journal.finish(entry, None)
    _carry_out(carrier, entry, phase, of)  # type: ignore[arg-type]


_carry_out = Carrier.carry_out


def _photo_only(entry: Entry, of: tuple[Step, ...]) -> Iterator[Step]:
    yield next(iter(_undo_steps(entry, of)))


_undo_steps = steps.undo_steps


def _without_undoing(journal: Journal) -> list[tuple[Entry, str]]:
    return [(entry, owner) for entry, owner in _unfinished(journal) if entry.state != "undoing"]


_unfinished = Journal.unfinished


def _always_before(_: Step) -> place.Stand:
    return place.Stand.BEFORE


def _fail_silently(journal: Journal, entry: Entry, error: str) -> None:
    with journal._database.writing() as db:
        db.execute("UPDATE entries SET state = 'failed' WHERE id = ?", (entry.id,))


def _lazily(database: Database, *, lazily: bool = False) -> AbstractContextManager[Any]:
    return _writing(database, lazily=True)


_writing = Database.writing


def _verdict_as_before(correct: Correct, entry: Entry, _: str | None) -> Verdict:
    return _verdict(correct, entry, entry.label)


_verdict = Correct._verdict


def _take_anyway(db: Any, entry: Entry, state: str, owner: str) -> None:
    query = "UPDATE entries SET state = ?, owner = ? WHERE id = ?"
    db.execute(query, (state, owner, entry.id))


@contextmanager
def _taken_back_under_its_correction() -> Iterator[None]:
    with (
        mock.patch.object(Journal, "put_right_by", _nothing),
        mock.patch.object(rows, "CURRENT", 1),
    ):
        yield


Planted = Callable[[], AbstractContextManager[Any]]

PLANTED: dict[str, Planted] = {
    "a photo is not looked at again before it is moved": lambda: mock.patch.multiple(
        place, _check=_nothing, check=_nothing
    ),
    "a rename replaces what is there": lambda: mock.patch.object(
        disk, "rename_exclusively", _rename_over
    ),
    "the source goes before the copy is there": lambda: mock.patch.object(
        place, "_move_to_other_disk", _remove_first
    ),
    "a row is finished before the files are moved": lambda: mock.patch.object(
        Carrier, "carry_out", _finish_first
    ),
    "names are not synced": lambda: mock.patch.object(disk.Folder, "sync", _nothing),
    "copies are not synced": lambda: mock.patch.object(disk, "_copy", _copy_unsynced),
    "undo forgets the sidecars": lambda: mock.patch.object(filing, "undo_steps", _photo_only),
    "recovery passes over interrupted undos": lambda: mock.patch.object(
        Journal, "unfinished", _without_undoing
    ),
    "recovery gives up what was begun": lambda: mock.patch.object(place, "stand", _always_before),
    "recovery does not tidy": lambda: mock.patch.object(place, "tidy", _nothing),
    "recovery does nothing": lambda: mock.patch.object(Recovery, "recover", lambda _: []),
    "what failed counts as filed": lambda: mock.patch.object(Journal, "fail", _fail_silently),
    "nobody looks for what no event told of": lambda: mock.patch.object(
        Inbox, "_scan_slice", lambda _: False
    ),
    "a photo that came back is not known": lambda: mock.patch.object(
        Notes, "noted", lambda *_: None
    ),
    "any version of a file is the same": lambda: mock.patch.object(
        Photo, "is_same_file", lambda *_: True
    ),
    "nothing written to the journal is waited for": lambda: mock.patch.object(
        Database, "writing", _lazily
    ),
    "a filing is taken back under its correction": _taken_back_under_its_correction,
    "a photo is put right to what it was": lambda: mock.patch.object(
        Correct, "_verdict", _verdict_as_before
    ),
    "of two who take a photo back both do": lambda: mock.patch.multiple(
        rows, take=_take_anyway, refuse_if_taken=_nothing
    ),
    "verify does not know what later rows did": lambda: mock.patch.object(
        JournalBook, "filed_later", lambda *_: ()
    ),
    "undo is not written down before": lambda: mock.patch.object(Journal, "begin_undo", _nothing),
}
