"""Copies photos that people have put right into class folders, as `beartray train` takes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trayapp.corrections import Correction
from trayapp.decide import folder_name
from trayapp.disk import copy_verified
from trayapp.engine import printable
from trayapp.errors import explain
from trayapp.files import sha256, write_atomically
from trayapp.photo import BeartrayError

NONE = "none"
"""The folder of none of these, and what the model said of a photo that it left alone."""
KIND = "corrections"
TABLE = "labels.csv"
COLUMNS = ("file", "label", "kind", "source", "was")


class ExportError(BeartrayError):
    """The folder cannot take them; nothing in it has changed."""


@dataclass(frozen=True, slots=True)
class Exported:
    """`copied` photos came to `folder`, `known` were there; `problems` name those left out."""

    folder: Path
    copied: int
    known: int
    problems: Sequence[str]


def export(corrections: Iterable[Correction], folder: Path) -> Exported:
    """Copy each photo into the folder of its label, once, and list it in `labels.csv`.

    That table says of each photo what the model had said (`was`), so that a later training can
    compare. May be repeated with the same folder; nothing in it is replaced. Photos that are gone
    or have changed are left out. Raises `ExportError`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = _rows(folder / TABLE)
        copied, known, problems = 0, 0, list[str]()
        for one in corrections:
            label = folder_name(one.label) if one.label else NONE
            name = f"{label}/{one.path.stem}-{one.sha256[:12]}{one.path.suffix}"
            if problem := _unfit(one, name, folder):
                problems.append(problem)
                continue
            target = folder / name
            if target.exists():
                known += 1
            else:
                target.parent.mkdir(exist_ok=True)
                copy_verified(one.path, target)
                copied += 1
            rows[name] = (name, label, KIND, KIND, one.was or NONE)
        write_atomically(folder / TABLE, _table(rows.values()), 0o644)
    except OSError as error:
        raise ExportError(explain(error)) from None
    return Exported(folder, copied, known, problems)


def _unfit(one: Correction, name: str, folder: Path) -> str | None:
    """Why a photo is left out, one line."""
    try:
        if sha256(one.path) != one.sha256:
            return f"{one.path} has changed since you put it right; it is left out"
    except OSError:
        return f"{one.path} is no longer there; it is left out"
    if printable(name) != name:
        return f"{one.path} has a name that a table cannot hold; rename it; it is left out"
    mark = f"-{one.sha256[:12]}{one.path.suffix}"
    for other in folder.glob("*/*"):
        if other.name.endswith(mark) and other != folder / name:
            return f"{other} is the same photo under another label; remove one of them"
    return None


def _rows(table: Path) -> dict[str, tuple[str, ...]]:
    """What an earlier export has listed."""
    try:
        with table.open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream)
            if tuple(next(reader, ())) != COLUMNS:
                raise ExportError(f"{table} is not of this command; name another folder")
            return {row[0]: tuple(row) for row in reader if len(row) == len(COLUMNS)}
    except FileNotFoundError:
        return {}
    except (UnicodeDecodeError, csv.Error):
        raise ExportError(f"{table} is not of this command; name another folder") from None


def _table(rows: Iterable[tuple[str, ...]]) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    writer.writerows(sorted(rows))
    return stream.getvalue().encode()
