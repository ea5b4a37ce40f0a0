"""Small pictures of photos, made by the engine and kept on the disk up to a size."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as TooLateError
from pathlib import Path

from trayapp.engine import EngineError
from trayapp.engine.wire import Shown
from trayapp.files import write_atomically
from trayapp.photo import BeartrayError, NotAPhotoError, Photo

LIMIT_BYTES = 200_000_000
PATIENCE_SECONDS = 90.0
JPEG = b"\xff\xd8\xff"


class NoPictureError(BeartrayError):
    """A photo that cannot be shown."""


class Thumbs:
    """`view` asks the engine; `folder` is in the user's cache and may be emptied at any time.

    Kept pictures are known by the photo's size, time and file id: one that was moved is still
    known, one that was changed is not. The one not looked at for longest goes first. May be used
    by any thread; the same picture is made only once, however many ask.
    """

    def __init__(
        self,
        folder: Path,
        view: Callable[[Path, int], Future[Shown]],
        limit: int = LIMIT_BYTES,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._folder, self._view, self._limit, self._patience = folder, view, limit, patience
        self._lock = threading.RLock()
        self._making: dict[str, Future[Shown]] = {}
        self._sizes = _found(folder)
        self._total = sum(self._sizes.values())
        self._evict()

    def jpeg(self, path: Path, side: int) -> bytes:
        """Upright, no side longer than `side` pixels. Raises `NoPictureError`."""
        try:
            photo = Photo.at(path)
        except (OSError, NotAPhotoError):
            raise NoPictureError("the photo is no longer there") from None
        name = _name(photo, side)
        return self._kept(name) or self._make(name, path, side)

    @property
    def total(self) -> int:
        """Bytes that are kept."""
        return self._total

    def _kept(self, name: str) -> bytes | None:
        with self._lock:
            if name not in self._sizes:
                return None
            self._sizes.move_to_end(name)
        file = self._folder / name
        try:
            content = file.read_bytes()
            os.utime(file)  # the order outlives this process
        except OSError:
            content = b""
        if content.startswith(JPEG):
            return content
        with self._lock:
            self._total -= self._sizes.pop(name, 0)
        return None

    def _make(self, name: str, path: Path, side: int) -> bytes:
        with self._lock:
            if (kept := self._kept(name)) is not None:  # somebody else's, meanwhile
                return kept
            ours = name not in self._making
            try:
                future = self._making.get(name) or self._view(path, side)
            except EngineError:
                raise NoPictureError("the photo cannot be shown just now") from None
            self._making[name] = future
        try:
            shown = future.result(self._patience)
            if not shown.jpeg.startswith(JPEG):
                raise NoPictureError("the photo cannot be shown")
            if ours:
                self._keep(name, shown.jpeg)
        except (EngineError, CancelledError, TooLateError):
            raise NoPictureError("the photo cannot be shown just now") from None
        finally:
            if ours:
                with self._lock:
                    self._making.pop(name, None)
        return shown.jpeg

    def _keep(self, name: str, content: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._folder / name, content, 0o600)
        except OSError:
            return  # a full disk: it is made again next time
        with self._lock:
            self._total += len(content) - self._sizes.get(name, 0)
            self._sizes[name] = len(content)
            self._sizes.move_to_end(name)
        self._evict()

    def _evict(self) -> None:
        with self._lock:
            gone = []
            while self._total > self._limit and self._sizes:
                name, size = self._sizes.popitem(last=False)
                self._total -= size
                gone.append(name)
        for name in gone:
            (self._folder / name).unlink(missing_ok=True)


def _name(photo: Photo, side: int) -> str:
    known = f"{photo.size} {photo.mtime_ns} {photo.file_id} {side}"
    return hashlib.sha256(known.encode()).hexdigest()[:32] + ".jpg"


def _found(folder: Path) -> OrderedDict[str, int]:
    """What an earlier run kept, the one not looked at for longest first."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.name.endswith(".jpg") and not entry.name.startswith("."):
                    found.append((status.st_mtime, entry.name, status.st_size))
                elif time.time() - status.st_mtime > 60:  # of a run that was killed
                    Path(entry.path).unlink(missing_ok=True)
    except OSError:
        pass
    return OrderedDict((name, size) for _, name, size in sorted(found))
