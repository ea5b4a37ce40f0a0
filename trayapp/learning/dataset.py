"""A folder of class folders → the pictures to learn from, with what is known of each."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from trayapp.engine import EngineError
from trayapp.photo import SUFFIXES

NONE = "none"
"""What the class of "none of these" is called in a learner's vocab."""

NONE_FOLDERS = frozenset({"none", "negatives", "none of these", "other"})
LABELS_FILE = "labels.csv"
KIND = "photos"  # of a labelled picture of which nothing else is known
FEWEST = 10  # pictures of a class: below, neither a split nor a calibration means anything

_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]|[ .]$|^[ .]')  # in a folder's name, on any system


@dataclass(frozen=True, slots=True)
class Picture:
    """One file to learn from.

    `name` is its path inside the data set with forward slashes; `label` is None for one of none
    of these; metrics are given by `kind`; pictures of one `source` were collected together.
    `before` is what the model in use said before a person put it right ("none": it left it
    alone), where that is known.
    """

    path: Path
    name: str
    label: str | None
    kind: str
    source: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not learnt from, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """`labels` in alphabetical order, without none of these; `pictures` in the order of names."""

    folder: Path
    labels: tuple[str, ...]
    pictures: tuple[Picture, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def vocab(self) -> tuple[str, ...]:
        """The classes to learn, in alphabetical order, `none` among them where it has pictures."""
        refused = any(picture.label is None for picture in self.pictures)
        return tuple(sorted([*self.labels, *([NONE] if refused else [])]))

    def without(self, left_out: Sequence[LeftOut]) -> Dataset:
        """The same but for these files."""
        names = {item.name for item in left_out}
        kept = tuple(picture for picture in self.pictures if picture.name not in names)
        return replace(self, pictures=kept, left_out=(*self.left_out, *left_out))


def scan(
    folder: Path,
    *,
    none: str | None = None,
    labels: Path | None = None,
    corrections: Path | None = None,
) -> Dataset:
    """Look through `folder`: a folder for each class, and maybe one for none of these.

    `none` names the latter, else one of the customary names is taken. `labels` is a table
    (file, label, kind, source) that goes before the folders' names, `labels.csv` in the folder if
    left out; `corrections` one of (file, label, why), where no label drops the file.
    Raises `EngineError`, one line that says what to do. Opens no picture.
    """
    names = _class_folders(folder)
    refused = _none_folder(folder, names, none)
    default = folder / LABELS_FILE
    table = labels or (default if default.is_file() else None)
    rows = _table(table, {"file", "label"}) if table else {}
    pictures = [
        _picture(path, folder, refused, rows) for name in names for path in _files(folder / name)
    ]
    pictures.sort(key=lambda picture: picture.name)
    if table:
        _must_exist(rows, pictures, table)
    found = Dataset(folder, (), tuple(pictures))
    if corrections:
        found = _correct(found, _table(corrections, {"file", "label"}), refused, corrections)
    known = sorted({picture.label for picture in found.pictures if picture.label is not None})
    return replace(found, labels=tuple(known))


def check(dataset: Dataset) -> None:
    """Raises `EngineError` unless there are classes to tell apart, and enough of each."""
    counts = Counter(picture.label for picture in dataset.pictures)
    if not dataset.labels:
        raise EngineError(
            f"{dataset.folder}: no class folders with pictures; make one for each class"
        )
    if len(counts) < 2:
        raise EngineError(
            f"{dataset.folder}: only one class ({dataset.labels[0]}); add a folder of another, or "
            f"one called {NONE!r} with pictures of none of these"
        )
    for label, count in sorted(counts.items(), key=str):
        if count < FEWEST:
            raise EngineError(
                f"{dataset.folder}: {label or NONE}: {count} usable pictures; "
                f"at least {FEWEST} are needed, 100 or more are better"
            )


def _class_folders(folder: Path) -> list[str]:
    try:
        names = sorted(
            path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."
        )
    except (FileNotFoundError, NotADirectoryError):
        raise EngineError(f"{folder} is not a folder: name one with class folders in it") from None
    if not names:
        raise EngineError(
            f"{folder}: no class folders in it; make one for each class, such as "
            f"{folder / 'grizzly'}, and put its pictures there"
        )
    return names


def _none_folder(folder: Path, names: Sequence[str], wanted: str | None) -> str | None:
    if wanted is not None:
        if wanted not in names:
            raise EngineError(f"{folder}: has no folder {wanted!r} of none of these (--none)")
        return wanted
    found = [name for name in names if name.casefold() in NONE_FOLDERS]
    if len(found) > 1:
        raise EngineError(
            f"{folder}: {' and '.join(found)} may both mean none of these: say which with --none"
        )
    return found[0] if found else None


def _files(folder: Path) -> list[Path]:
    """The pictures below `folder`; links are not followed, as everywhere in Beartray."""
    return [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _picture(
    path: Path, folder: Path, refused: str | None, rows: Mapping[str, Mapping[str, str]]
) -> Picture:
    inside = PurePosixPath(path.relative_to(folder).as_posix())
    row = rows.get(str(inside), {})
    label = _label(row["label"] if row.get("label") else inside.parts[0], refused)
    # A negative's kind is the folder it lies in: other-bear/sun says more than "negative".
    below = "/".join(inside.parts[1:-1])
    kind = row.get("kind") or KIND if label is not None else below or row.get("kind") or NONE
    return Picture(path, str(inside), label, kind, row.get("source") or "", row.get("was") or "")


def _label(text: str, refused: str | None) -> str | None:
    if text == refused or text.casefold() in NONE_FOLDERS:
        return None
    return text


def _table(file: Path, needed: set[str]) -> dict[str, dict[str, str]]:
    """The rows of a CSV file by their `file`."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restval="")
            if missing := needed - set(reader.fieldnames or ()):
                raise EngineError(f"{file}: has no column {' and no '.join(sorted(missing))}")
            rows = {str(PurePosixPath(row["file"])): row for row in reader}
    except FileNotFoundError:
        raise EngineError(f"{file} is not there") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise EngineError(f"{file}: is not a CSV file in UTF-8 ({error})") from None
    for name, row in rows.items():
        if _FORBIDDEN.search(row["label"]):
            raise EngineError(
                f"{file}: {name}: found label {row['label']!r}; allowed: a folder's name"
            )
    return rows


def _must_exist(
    rows: Mapping[str, Mapping[str, str]], pictures: Sequence[Picture], file: Path
) -> None:
    absent = sorted(set(rows) - {picture.name for picture in pictures})
    if absent:
        more = f" and {len(absent) - 1:,} more" if len(absent) > 1 else ""
        raise EngineError(f"{file}: {absent[0]}{more}: no such picture; correct the table")


def _correct(
    dataset: Dataset, rows: Mapping[str, Mapping[str, str]], refused: str | None, file: Path
) -> Dataset:
    _must_exist(rows, dataset.pictures, file)
    pictures, left_out = [], []
    for picture in dataset.pictures:
        row = rows.get(picture.name)
        if row is None:
            pictures.append(picture)
        elif not row["label"]:
            left_out.append(LeftOut(picture.name, row.get("why") or "dropped by hand"))
        else:
            label = _label(row["label"], refused)
            moved = (label is None) != (picture.label is None)
            kind = (NONE if label is None else KIND) if moved else picture.kind
            pictures.append(replace(picture, label=label, kind=kind))
    return replace(dataset, pictures=tuple(pictures), left_out=tuple(left_out))
