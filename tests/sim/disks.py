"""Disks in memory: folders, links, free space, and what a power cut leaves of unsynced writes."""

from __future__ import annotations

import errno
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from random import Random

ROOT = "/sim"  # every simulated path is below it

Listener = Callable[[str, str, str], None]
"""Told of "created", "modified", "closed", "deleted" or "moved", with path and new path."""


class Inode:
    """One file or folder. `synced` is what a power cut leaves of it, None where all is synced."""

    __slots__ = (
        *("above", "attributes", "ctime", "data", "disk", "entries", "links", "mode", "mtime"),
        *("number", "synced", "writers"),
    )

    def __init__(self, disk: Disk, mode: int, now: int) -> None:
        self.disk, self.number, self.mode = disk, disk.next_number(), mode
        self.data = b""
        self.synced: bytes | None = None
        self.entries: dict[str, Inode] | None = {} if stat.S_ISDIR(mode) else None
        self.above: Disk | None = None  # the disk that is mounted on this folder
        self.attributes: dict[str, bytes] = {}
        self.links, self.writers = 0, 0
        self.mtime = self.ctime = disk.rounded(now)


@dataclass(slots=True)
class Change:
    """One change of names that no folder sync has made durable yet, and how to take it back."""

    folders: tuple[Inode, ...]
    before: list[tuple[Inode, str, Inode | None]]


@dataclass(eq=False, slots=True)
class Disk:
    """One file system, and what it can do."""

    name: str
    device: int
    exclusive_rename: bool = True
    hard_links: bool = True
    leases: bool = True
    attributes: bool = True
    permissions: bool = True
    grain_ns: int = 1
    numbers_again: bool = True  # the number of a deleted file is given to the next one
    away: bool = False
    vanishes: bool = False  # when it is away, so is the folder that it is mounted on
    full: bool = False
    read_only: bool = False
    log: list[Change] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _last: int = 10
    top: Inode = field(init=False)

    def __post_init__(self) -> None:
        self.top = Inode(self, stat.S_IFDIR | 0o755, 0)

    def rounded(self, moment: int) -> int:
        return moment - moment % self.grain_ns

    def next_number(self) -> int:
        if self._free:
            return self._free.pop()
        return self.new_number()

    def new_number(self) -> int:
        self._last += 1
        return self._last

    def drop(self, inode: Inode) -> None:
        inode.links -= 1
        if inode.links <= 0 and self.numbers_again:
            self._free.append(inode.number)

    def sync_folder(self, folder: Inode) -> None:
        """Names reach the disk in order, as in a journalling file system: up to this folder's
        last change."""
        for index in range(len(self.log) - 1, -1, -1):
            if folder in self.log[index].folders:
                del self.log[: index + 1]
                return

    def sync_all(self) -> None:
        self.log.clear()

    def cut_power(self, rng: Random, files: Iterable[Inode]) -> None:
        """Only some of what was not synced is there afterwards."""
        for inode in files:
            if inode.synced is not None:
                kept = rng.choice((inode.data, inode.synced, inode.data[: len(inode.data) // 2]))
                inode.data, inode.synced = kept, None
        keep = rng.randint(0, len(self.log))
        while len(self.log) > keep:
            for folder, name, old in reversed(self.log.pop().before):
                assert folder.entries is not None
                if (now := folder.entries.pop(name, None)) is not None:
                    now.links -= 1
                if old is not None:
                    folder.entries[name] = old
                    old.links += 1
        self.log.clear()
        self._free.clear()


class Stat:
    """What `os.stat` gives, as far as anybody asks."""

    __slots__ = (
        *("st_atime", "st_atime_ns", "st_ctime", "st_ctime_ns", "st_dev", "st_gid", "st_ino"),
        *("st_mode", "st_mtime", "st_mtime_ns", "st_nlink", "st_size", "st_uid"),
    )

    def __init__(self, inode: Inode) -> None:
        self.st_mode, self.st_ino, self.st_dev = inode.mode, inode.number, inode.disk.device
        self.st_nlink, self.st_uid, self.st_gid = inode.links, 0, 0
        self.st_size = len(inode.data)
        self.st_mtime_ns = self.st_atime_ns = inode.mtime
        self.st_mtime = self.st_atime = inode.mtime / 1e9
        self.st_ctime_ns, self.st_ctime = inode.ctime, inode.ctime / 1e9


class Disks:
    """All disks as one tree below `ROOT`. Errors are the system's; `now` gives nanoseconds."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.now = now
        self.disks: list[Disk] = []
        self.listeners: list[Listener] = []
        self.witness: Listener = lambda *_: None  # of the judge; outlives a power cut
        self.system = self.add(Disk("system", 1))

    def add(self, disk: Disk, path: str | None = None) -> Disk:
        self.disks.append(disk)
        if path is not None:
            self.make_folders(path)
            self.find(path).above = disk
        return disk

    def find(self, path: str) -> Inode:
        """Raises `FileNotFoundError` and `NotADirectoryError`."""
        node = self.system.top
        for part in path[len(ROOT) :].split("/"):
            if not part:
                continue
            if node.entries is None:
                raise _error(errno.ENOTDIR, path)
            try:
                node = node.entries[part]
            except KeyError:
                raise _error(errno.ENOENT, path) from None
            disk = node.above
            if disk is not None:
                if not disk.away:
                    node = disk.top
                elif disk.vanishes:
                    raise _error(errno.ENOENT, path)
        return node

    def seen(self, path: str) -> Inode | None:
        try:
            return self.find(path)
        except OSError:
            return None

    def numbered(self, file_id: str, mtime_ns: int) -> Inode | None:
        """What has this number, and this time, under whatever name; also on a disk that is away,
        which may have another number itself by now."""
        number = int(file_id.rpartition(":")[2])
        for disk in self.disks:
            for inode in self._inodes(disk):
                if (inode.number, inode.mtime) == (number, mtime_ns) and inode.entries is None:
                    return inode
        return None

    def folder_of(self, path: str) -> tuple[Inode, str]:
        above, _, name = path.rpartition("/")
        folder = self.find(above or ROOT)
        if folder.entries is None:
            raise _error(errno.ENOTDIR, path)
        if len(os.fsencode(name)) > 255:
            raise _error(errno.ENAMETOOLONG, path)
        return folder, name

    def tree(self, *, away: bool = False) -> dict[str, Inode]:
        """Every file below the top, by path; disks that are away are left out, if not wanted."""
        found: dict[str, Inode] = {}
        todo = [(ROOT, self.system.top)]
        while todo:
            path, node = todo.pop()
            for name, inode in (node.entries or {}).items():
                below = inode
                if inode.above is not None and (away or not inode.above.away):
                    below = inode.above.top
                if below.entries is None:
                    found[f"{path}/{name}"] = below
                else:
                    todo.append((f"{path}/{name}", below))
        return found

    def contents(self) -> Counter[bytes]:
        """How often each is there under a name that is not hidden, also on disks that are away."""
        tree = self.tree(away=True)
        return Counter(inode.data for path, inode in tree.items() if "/." not in path)

    def make_folder(self, path: str) -> None:
        folder, name = self.folder_of(path)
        self._may_change(folder, path, needs_space=True)
        if self._names(folder).get(name) is not None:
            raise _error(errno.EEXIST, path)
        self._put(folder, name, Inode(folder.disk, stat.S_IFDIR | 0o755, self.now()))

    def make_folders(self, path: str) -> None:
        parts = PurePosixPath(path).relative_to(ROOT).parts
        for end in range(1, len(parts) + 1):
            if self.seen("/".join((ROOT, *parts[:end]))) is None:
                self.make_folder("/".join((ROOT, *parts[:end])))

    def remove_folder(self, path: str) -> None:
        folder, name = self.folder_of(path)
        node = self.find(path)
        self._may_change(folder, path)
        if node.entries is None:
            raise _error(errno.ENOTDIR, path)
        if node is node.disk.top:
            raise _error(errno.EBUSY, path)
        if node.entries:
            raise _error(errno.ENOTEMPTY, path)
        self._change((folder,), (folder, name, None))

    def create(self, path: str) -> Inode:
        """A new empty file. Raises `FileExistsError`."""
        folder, name = self.folder_of(path)
        if name in self._names(folder):
            raise _error(errno.EEXIST, path)
        self._may_change(folder, path, needs_space=True)
        inode = Inode(folder.disk, stat.S_IFREG | 0o644, self.now())
        inode.synced = b""
        self._put(folder, name, inode)
        self.tell("created", path)
        return inode

    def write(self, inode: Inode, data: bytes, path: str) -> None:
        """Replace the content as a whole."""
        if inode.disk.away:
            raise _error(errno.EIO, path)
        if inode.disk.read_only:
            raise _error(errno.EROFS, path)
        if inode.disk.full and len(data) > len(inode.data):
            raise _error(errno.ENOSPC, path)
        if inode.synced is None:
            inode.synced = inode.data
        inode.data = data
        inode.mtime = inode.ctime = inode.disk.rounded(self.now())
        self.tell("modified", path)

    def unlink(self, path: str) -> None:
        folder, name = self.folder_of(path)
        node = self._names(folder).get(name)
        if node is None:
            raise _error(errno.ENOENT, path)
        if node.entries is not None:
            raise _error(errno.EISDIR, path)
        self._may_change(folder, path)
        self._change((folder,), (folder, name, None))
        self.tell("deleted", path)

    def rename(self, source: str, target: str, *, over: bool) -> None:
        """Move a file or a folder; `over` replaces a file that is in the way."""
        old_folder, old_name = self.folder_of(source)
        new_folder, new_name = self.folder_of(target)
        node = self._names(old_folder).get(old_name)
        if node is None:
            raise _error(errno.ENOENT, source)
        there = self._names(new_folder).get(new_name)
        if there is not None and not over:
            raise _error(errno.EEXIST, source, target)
        if old_folder.disk is not new_folder.disk:
            raise _error(errno.EXDEV, source, target)
        if there is not None and there.entries is not None:
            raise _error(errno.EISDIR, source, target)
        self._may_change(old_folder, source)
        self._may_change(new_folder, target)
        node.ctime = node.disk.rounded(self.now())
        node.links += 1  # the name that it gets
        self._change(
            (old_folder, new_folder),
            (old_folder, old_name, None),
            (new_folder, new_name, node),
        )
        self.tell("moved", source, target)

    def link(self, source: str, target: str) -> None:
        node = self.find(source)
        folder, name = self.folder_of(target)
        if name in self._names(folder):
            raise _error(errno.EEXIST, source, target)
        if node.disk is not folder.disk:
            raise _error(errno.EXDEV, source, target)
        if not folder.disk.hard_links:
            raise _error(errno.EPERM, source, target)
        self._may_change(folder, target, needs_space=True)
        node.ctime = node.disk.rounded(self.now())
        self._put(folder, name, node)
        self.tell("created", target)

    def cut_power(self, rng: Random, disk: Disk) -> None:
        disk.cut_power(rng, self._inodes(disk))
        numbers: set[int] = set()
        for inode in self._inodes(disk):  # what came back may have lost its number meanwhile
            if inode.number in numbers:
                inode.number = disk.new_number()
            numbers.add(inode.number)

    def _inodes(self, disk: Disk) -> list[Inode]:
        found: dict[int, Inode] = {}
        todo = [disk.top]
        while todo:
            for inode in (todo.pop().entries or {}).values():
                found[id(inode)] = inode
                if inode.entries is not None:
                    todo.append(inode)
        return list(found.values())

    def tell(self, kind: str, path: str, target: str = "") -> None:
        self.witness(kind, path, target)
        for listener in self.listeners:
            listener(kind, path, target)

    def _names(self, folder: Inode) -> dict[str, Inode]:
        assert folder.entries is not None
        return folder.entries

    def _put(self, folder: Inode, name: str, node: Inode) -> None:
        node.links += 1
        self._change((folder,), (folder, name, node))

    def _change(self, folders: tuple[Inode, ...], *names: tuple[Inode, str, Inode | None]) -> None:
        before = [(folder, name, self._names(folder).get(name)) for folder, name, _ in names]
        for folder, name, node in names:
            old = self._names(folder).pop(name, None)
            if old is not None:
                folder.disk.drop(old)
            if node is not None:
                self._names(folder)[name] = node
            folder.mtime = folder.ctime = folder.disk.rounded(self.now())
        folders[0].disk.log.append(Change(folders, before))

    def _may_change(self, folder: Inode, path: str, *, needs_space: bool = False) -> None:
        if folder.disk.read_only:
            raise _error(errno.EROFS, path)
        if folder.above is not None:  # the bare mount point of a disk that is away
            raise _error(errno.EACCES, path)
        if needs_space and folder.disk.full:
            raise _error(errno.ENOSPC, path)


def _error(number: int, path: str, other: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path, None, other)
