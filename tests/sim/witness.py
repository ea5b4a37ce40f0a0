"""The judge's own record of where files have lain, from what the disks tell."""

from __future__ import annotations

from collections import defaultdict
from posixpath import split, splitext

from tests.sim.disks import Disks, Inode
from trayapp.photo import SIDECARS, SUFFIXES


class Witness:
    """`beside` has, by the number of a sidecar, the contents of all photos that it ever belonged
    to by its name: those of its stem, or the one of its own name."""

    def __init__(self, disks: Disks) -> None:
        self.beside = defaultdict[bytes, set[bytes]](set)
        self._looks = defaultdict[tuple[str, int, int], set[bytes]](set)
        self._disks = disks
        disks.witness = self._heard

    def contents(self) -> dict[str, bytes]:
        """Of every file that is there now but Beartray's own, by path."""
        tree = self._disks.tree()
        return {p: inode.data for p, inode in tree.items() if not p.startswith("/sim/home")}

    def markers(self) -> dict[bytes, list[str]]:
        """Where each sidecar is now, by its number, whatever was added to it."""
        found = defaultdict[bytes, list[str]](list)
        for path, data in self.contents().items():
            if data.startswith(b"<") and b"#" in data:
                found[number(data)].append(path)
        return found

    def is_beside(self, sidecar: str) -> set[bytes]:
        """The contents of the photos beside it, and of its name, as it lies now."""
        above, own = split(sidecar)
        folder, stem = self._disks.seen(above), splitext(own)[0]
        return {
            inode.data
            for name, inode in ((folder and folder.entries) or {}).items()
            if inode.data and stem in (name, splitext(name)[0])
            if _suffix(name) in SUFFIXES
        }

    def has_twin(self, path: str, inode: Inode) -> bool:
        """Whether another photo lay there that no stat tells from this one, of the same size and,
        where times are coarse, of the same time."""
        return len(self._looks[path, len(inode.data), inode.mtime]) > 1

    def _heard(self, kind: str, path: str, target: str) -> None:
        arrived = target or path
        inode = self._disks.seen(arrived)
        if inode is None or _suffix(arrived) not in SIDECARS | SUFFIXES:
            return
        self._looks[arrived, len(inode.data), inode.mtime].add(inode.data)
        above = arrived.rpartition("/")[0]
        for name, other in (self._disks.find(above).entries or {}).items():
            if _suffix(name) in SIDECARS and b"#" in other.data:
                self.beside[number(other.data)] |= self.is_beside(f"{above}/{name}")


def number(sidecar: bytes) -> bytes:
    """What tells a sidecar from all others, whatever was added to it."""
    return sidecar.split(b"#")[1]


def _suffix(name: str) -> str:
    return splitext(name)[1].casefold()
