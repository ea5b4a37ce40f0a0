"""Are the folders there, may we write there, do they keep what we promise, and is there room?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trayapp import disk
from trayapp.commands.checks.finding import Finding
from trayapp.errors import explain
from trayapp.settings import Folder, Sort
from trayapp.watch import REMOTE, file_system

ENOUGH_BYTES = 200_000_000  # a few large photos, should they be copied to another disk
GIGA = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Place:
    """What a folder and its file system are like.

    `problem` is why it cannot be written to, one line; the rest is only known without one.
    `kind` is the file system's type, "" where the system does not tell. `exclusive` is whether a
    rename refuses to replace a file, `links` whether a file may have two names, `cases` whether
    "A" and "a" are two files. `device` is None for a folder that is not there.
    """

    path: Path
    device: int | None = None
    problem: str | None = None
    kind: str = ""
    exclusive: bool = True
    links: bool = True
    cases: bool = True

    @property
    def remote(self) -> bool:
        return self.kind in REMOTE


@dataclass(frozen=True, slots=True)
class Room:
    """What is left on a disk: bytes, and files where the disk counts them; `what` it is for."""

    what: str
    path: Path
    free_bytes: int
    free_files: int | None = None


def look_at(folder: Path) -> Place:
    """Try it out in a hidden folder of our own, which is gone again afterwards."""
    try:
        device = folder.stat().st_dev
    except (FileNotFoundError, NotADirectoryError):
        return Place(folder)
    except OSError as error:
        return Place(folder, problem=explain(error))
    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".beartray-") as name:
            trial = Path(name)
            exclusive, links, cases = _is_exclusive(trial), _has_links(trial), _tells_cases(trial)
    except OSError as error:
        return Place(folder, device, explain(error))
    return Place(folder, device, None, file_system(folder), exclusive, links, cases)


def judge_folder(place: Place, settings: Folder) -> Finding:
    """The watched folder. The usual one is made at the start, one of the person's own never."""
    if place.device is None and place.problem is None:
        if not settings.path:
            return Finding("folder", True, f"{place.path} is made at the first start")
        advice = "make it, or `beartray config set folder.path DIR`"
        return Finding("folder", False, f"{place.path} is not there", advice)
    if place.problem is not None:
        return Finding("folder", False, f"{place.path} cannot be written to", place.problem)
    if place.remote and settings.observer == "native":
        detail = f"{place.path} is a network folder ({place.kind}), whose changes are not announced"
        return Finding("folder", False, detail, "`beartray config set folder.observer auto`")
    return Finding("folder", True, f"{place.path}, {_qualities(place)}")


def judge_destination(sort: Sort, root: Place, base: Path, there: Place) -> Finding:
    """Where photos go. `root` and `there` are the watched folder and `base`, or the first folders
    above them that are there."""
    name = "destination"
    if sort.action == "tag":
        return Finding(name, True, "photos stay where they are and get tags")
    if there.path != base and Path(sort.destination).expanduser().is_absolute():
        advice = "make it or connect its disk, or `beartray config set sort.destination DIR`"
        return Finding(name, False, f"{base} is not there", advice)
    if there.problem is not None:
        return Finding(name, False, f"{base} cannot be written to", there.problem)
    if there.device == root.device:
        return Finding(name, True, f"{base}, on the same disk as the folder")
    how = "on another disk: photos are copied, compared, then removed"
    return Finding(name, True, f"{base}, {how}; {_qualities(there)}")


def nearest_there(folder: Path) -> Path:
    """`folder`, or the first one above it that is there."""
    return next((one for one in (folder, *folder.parents) if one.is_dir()), folder)


def room_at(places: Iterable[tuple[str, Path]]) -> list[Room]:
    """What is left for each purpose. Raises `OSError`."""
    found = []
    for what, path in places:
        there = nearest_there(path)
        files = None
        if hasattr(os, "statvfs"):
            counts = os.statvfs(there)
            files = counts.f_favail if counts.f_files else None  # btrfs and others have no limit
        found.append(Room(what, path, shutil.disk_usage(there).free, files))
    return found


def judge_room(rooms: Sequence[Room]) -> Finding:
    """Whether there is room for some photos more, and for the journal."""
    for room in rooms:
        if room.free_bytes < ENOUGH_BYTES or room.free_files == 0:
            left = "no file more" if room.free_files == 0 else f"{room.free_bytes // 1_000_000} MB"
            detail = f"{left} left for {room.what} ({room.path})"
            return Finding("space", False, detail, "free some space there")
    told = ", ".join(f"{room.free_bytes / GIGA:.1f} GB for {room.what}" for room in rooms)
    return Finding("space", True, f"free: {told}")


def judge_log(file: Path) -> Finding:
    """Tried by opening it, or by looking at the folder that it is to be made in."""
    try:
        with file.open("r+b") as log:
            size = log.seek(0, os.SEEK_END)
        return Finding("log", True, f"{file}, {size / 1000:.0f} kB")
    except FileNotFoundError:
        there = nearest_there(file.parent)
        if os.access(there, os.W_OK | os.X_OK):
            return Finding("log", True, f"{file} is made at the first start")
        return Finding("log", False, f"{there} cannot be written to", "check who may write there")
    except OSError as error:
        return Finding("log", False, f"{file} cannot be written to", explain(error))


def _qualities(place: Place) -> str:
    where = f"a network folder ({place.kind})" if place.remote else place.kind
    keeps = "renames never replace" if place.exclusive else "NAMES MAY BE REPLACED"
    more = [] if place.links else ["no hard links"]
    more += [] if place.cases else ["A and a are one name"]
    return ", ".join(word for word in ("can be written to", where, keeps, *more) if word)


def _is_exclusive(trial: Path) -> bool:
    one, other = trial / "one", trial / "other"
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    try:
        disk.rename_exclusively(one, other)
    except FileExistsError:
        return other.read_bytes() == b"2"
    return False


def _has_links(trial: Path) -> bool:
    try:
        os.link(trial / "one", trial / "two")
    except (OSError, NotImplementedError):
        return False
    return True


def _tells_cases(trial: Path) -> bool:
    (trial / "case").touch()
    return not (trial / "CASE").exists()
