"""Beside which photos a sidecar has lain: the judge's own record, from what the disks tell."""

from __future__ import annotations

from collections import defaultdict
from pathlib import PurePosixPath

from tests.sim.disks import Disks
from trayapp.photo import SIDECARS, SUFFIXES


class Beside:
    """`photos` has, by the number of a sidecar, the contents of all photos that it ever belonged
    to by its name: those of its stem, or the one of its own name."""

    def __init__(self, disks: Disks) -> None:
        self.photos = defaultdict[bytes, set[bytes]](set)
        self._disks = disks
        disks.witness = self._heard

    def now(self, sidecar: str) -> set[bytes]:
        """The contents of the photos beside it, and of its name."""
        path = PurePosixPath(sidecar)
        folder = self._disks.seen(str(path.parent))
        return {
            inode.data
            for name, inode in ((folder and folder.entries) or {}).items()
            if _suffix(name) in SUFFIXES and path.stem in (name, PurePosixPath(name).stem)
        }

    def _heard(self, kind: str, path: str, target: str) -> None:
        arrived = target or path
        if kind == "deleted" or _suffix(arrived) not in SIDECARS | SUFFIXES:
            return
        above = arrived.rpartition("/")[0]
        folder = self._disks.find(above)
        for name, inode in (folder.entries or {}).items():
            if _suffix(name) in SIDECARS and b"#" in inode.data:
                self.photos[number(inode.data)] |= self.now(f"{above}/{name}")


def number(sidecar: bytes) -> bytes:
    """What tells a sidecar from all others, whatever was added to it."""
    return sidecar.split(b"#")[1]


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.casefold()
