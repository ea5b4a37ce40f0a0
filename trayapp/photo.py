"""The values that travel along the way of a photo; all frozen, none of them touches a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

Action = Literal["move", "copy", "tag"]
Reason = Literal["unsure", "unreadable"]
# "left": looked at, not recognised, and left where it is; nothing that could be taken back
State = Literal["begun", "done", "failed", "undoing", "undone", "left"]

# fmt: off
SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff",
    ".avif", ".heic", ".heif",
})
# fmt: on
SIDECARS = frozenset({".xmp", ".aae"})


class BeartrayError(Exception):
    """Something a person can act on: one line that says what happened and what to do."""


class NotAPhotoError(BeartrayError):
    """The path is a folder, a link, a pipe or a device: nothing Beartray may touch."""


@dataclass(frozen=True, slots=True)
class Photo:
    """One version of one file: where it lies and what tells it from a later version.

    `size` in bytes, `mtime_ns` in nanoseconds since the epoch, `file_id` is "device:inode"
    (file index on Windows), good for as long as the volume stays mounted.
    """

    path: Path
    size: int
    mtime_ns: int
    file_id: str

    @classmethod
    def from_stat(cls, path: Path, status: os.stat_result) -> Photo:
        if not stat.S_ISREG(status.st_mode):
            raise NotAPhotoError(f"{path} is not a regular file; Beartray leaves it alone")
        return cls(path, status.st_size, status.st_mtime_ns, f"{status.st_dev}:{status.st_ino}")

    @classmethod
    def at(cls, path: Path) -> Photo:
        """Look at `path` without following a link.

        Raises `OSError` when it cannot be looked at, `NotAPhotoError` when it is not a file.
        """
        return cls.from_stat(path, path.lstat())

    @classmethod
    def seen(cls, path: Path) -> Photo | None:
        """As `at`; None where there is nothing to look at, or where it cannot be."""
        try:
            return cls.at(path)
        except (OSError, NotAPhotoError):
            return None

    @property
    def device(self) -> str:
        """The number of the disk that it lies on, for as long as that stays mounted."""
        return self.file_id.partition(":")[0]

    @property
    def number(self) -> str:
        """The file's own on its disk, which most file systems keep across reboots and remounts."""
        return self.file_id.rpartition(":")[2]

    def is_same_file(self, other: Photo) -> bool:
        """Whether `other` is this very file in this version, wherever its name now is."""
        return self.looks_like(other) and self.file_id == other.file_id

    def looks_like(self, other: Photo) -> bool:
        """Whether `other` has this size and time. Holds across reboots and remounts, where file
        ids do not.
        """
        return (self.size, self.mtime_ns) == (other.size, other.mtime_ns)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the classifier says of one photo.

    `label` is None with `reason` "unsure" (no known class, `confidence` is then the best
    label's) or "unreadable" (`error` says why, `confidence` is None). `scores` maps each label
    to its probability in [0, 1]. `taken` is when the picture was taken, in the camera's local
    time, where the file says so. `seen` is the version of the file that was decoded, `model` the
    name of the package that was asked.
    """

    label: str | None
    confidence: float | None
    scores: Mapping[str, float] = field(default_factory=dict)
    reason: Reason | None = None
    error: str | None = None
    taken: datetime | None = None
    seen: Photo | None = None
    model: str | None = None

    def shown(self) -> dict[str, object]:
        """As JSON, for `beartray classify` and the review page; the most probable label first."""
        return {
            "label": self.label,
            "confidence": self.confidence,
            "scores": dict(sorted(self.scores.items(), key=lambda item: -item[1])),
            "reason": self.reason,
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Corrects:
    """What a person puts right: journal entry `entry`, where the model named `model` said `was`
    (None: none of these). `sha256` is of the photo's bytes.
    """

    entry: int
    was: str | None
    model: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What shall happen to one photo.

    `folder` is where it goes (None: it stays in place); it is made if need be, but not `base`,
    which may be on a disk that is not connected. `name` is what it shall be called there, if that
    is free (None: as now).
    """

    photo: Photo
    verdict: Verdict
    action: Action
    folder: Path | None
    tags: tuple[str, ...] = ()
    base: Path | None = None
    corrects: Corrects | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the journal. `time` in seconds since the epoch; `batch` groups what came at once.

    `path` is where the photo was, `destination` where it went (the sidecar, for a tag).
    """

    id: int
    time: float
    batch: int
    path: Path
    destination: Path
    label: str | None
    confidence: float | None
    action: Action
    state: State
    error: str | None = None

    @property
    def place(self) -> Path:
        """Where the photo is: a tagged one stays where it was, one taken back is there again."""
        filed = self.state == "done" and self.action != "tag"
        return self.destination if filed else self.path
