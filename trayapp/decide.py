"""Decides what shall happen to a photo; looks at no file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path

from trayapp.photo import Photo, Plan, Verdict
from trayapp.settings import Sort

UNSURE = "unsure"
_FORBIDDEN = re.compile(r'[\x00-\x1f<>:"/\\|?*]')
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def decide(
    photo: Photo, verdict: Verdict, sort: Sort, root: Path, base: Path | None = None
) -> Plan | None:
    """The plan for a photo of the folder `root`; None where it stays as it is.

    `base` is the folder of the class folders, where that is another one than `sort` says.
    """
    base = base or sort.base(root)
    if verdict.reason == "unreadable":
        return None
    if verdict.label is None:
        if sort.unsure == "leave" or sort.action == "tag":
            return None
        return Plan(photo, verdict, sort.action, base / UNSURE, base=_required(sort, base))
    if sort.action == "tag":
        return Plan(photo, verdict, "tag", None, (verdict.label,))
    folder = base / _subfolder(sort.subfolder, photo, verdict)
    if folder == photo.path.parent:
        return None
    return Plan(photo, verdict, sort.action, folder, base=_required(sort, base))


def base_of(folder: Path, photo: Photo, verdict: Verdict, sort: Sort) -> Path | None:
    """The folder that holds the class folders, where `folder` is the one of them that a photo with
    this verdict is filed to; None where it is none of them.
    """
    label = verdict.label
    inside = UNSURE if label is None else _subfolder(sort.subfolder, photo, verdict)
    base = Path(*folder.parts[: len(folder.parts) - len(Path(inside).parts)])
    return base if base / inside == folder else None


def filed_folders(sort: Sort, root: Path, labels: Iterable[str]) -> Callable[[Path], bool]:
    """Tells whether a folder is one that photos of `root` are filed into (or lies in one).

    What a person puts or moves there by hand is theirs: it is not sorted again.
    """
    base = sort.base(root)
    names = "|".join(re.escape(folder_name(label)) for label in labels) or r"(?!)"
    patterns = {"{label}": f"({names})", "{year}": r"\d{4}", "{month}": r"\d\d", "{day}": r"\d\d"}
    pieces = re.split(r"(\{\w+\})", sort.subfolder.replace("\\", "/").strip("/"))
    template = "".join(patterns.get(piece) or re.escape(piece) for piece in pieces)
    inside = re.compile(rf"({template}|{UNSURE})(/.*)?", re.DOTALL)

    def is_filed(folder: Path) -> bool:
        if not folder.is_relative_to(base):
            return False
        if not root.is_relative_to(base):  # a folder of its own, maybe inside the watched one
            return True
        return inside.fullmatch(folder.relative_to(base).as_posix()) is not None

    return is_filed


def folder_name(label: str) -> str:
    """`label` as a folder name that every system takes."""
    name = _FORBIDDEN.sub("_", label).strip(" .") or "_"
    return f"{name}_" if _RESERVED.fullmatch(name) else name


def _required(sort: Sort, base: Path) -> Path | None:
    """A destination outside the watched folder is for the person to make, or to connect."""
    return base if Path(sort.destination).expanduser().is_absolute() else None


def _subfolder(template: str, photo: Photo, verdict: Verdict) -> str:
    assert verdict.label is not None
    taken = verdict.taken or datetime.fromtimestamp(photo.mtime_ns / 1e9)  # noqa: DTZ006 (local)
    return template.format(
        label=folder_name(verdict.label),
        year=f"{taken.year:04}",
        month=f"{taken.month:02}",
        day=f"{taken.day:02}",
    )
