"""Names this process in the journal, and tells whether another one is still at work."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from trayapp.files import make_private

SWEEP_SECONDS = 60.0


class Owner:
    """Holds a lock for as long as this process lives; the system drops it when the process ends.

    Recovery may touch only the rows of processes that are gone: the app and a `beartray sort`
    may well be at work side by side.
    """

    def __init__(self, folder: Path) -> None:
        make_private(folder)
        self.name = secrets.token_hex(8)
        self._folder = folder
        self._sweep()
        # Not per thread: it is closed on another one.
        self._lock = FileLock(self._file(self.name), mode=0o600, thread_local=False)
        self._lock.acquire(timeout=0)

    def is_gone(self, name: str) -> bool:
        """Whether the process that called itself `name` has ended."""
        if name == self.name:
            return False
        if is_at_work(self._folder, name):
            return False
        self._file(name).unlink(missing_ok=True)
        return True

    def _sweep(self) -> None:
        """Locks of killed processes go; young ones may be about to be taken."""
        for file in self._folder.glob("owner-*.lock"):
            with suppress(OSError):
                if time.time() - file.stat().st_mtime > SWEEP_SECONDS:
                    self.is_gone(file.stem.removeprefix("owner-"))

    def close(self) -> None:
        self._lock.release()
        with suppress(OSError):
            self._file(self.name).unlink(missing_ok=True)

    def _file(self, name: str) -> Path:
        return _lock_file(self._folder, name)


def is_at_work(folder: Path, name: str) -> bool:
    """Whether the process that calls itself `name` still runs; leaves its lock in `folder`."""
    file = _lock_file(folder, name)
    if not file.exists():
        return False
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _lock_file(folder: Path, name: str) -> Path:
    return folder / f"owner-{name}.lock"
