"""The product's system calls, on the simulated disks: what takes the place of `os` and `io`."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import secrets
import stat
import tempfile
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from tests.sim.disks import ROOT, Inode, Stat
from tests.sim.world import World
from trayapp import disk

T = TypeVar("T")
FIRST_HANDLE = 1 << 20  # real descriptors are smaller
_BELOW = ROOT + "/"


class Handle:
    """An open file, binary."""

    def __init__(self, calls: Calls, inode: Inode, path: str, *, writable: bool) -> None:
        self.inode, self.path, self.writable = inode, path, writable
        self.calls, self.position, self.closed = calls, 0, False
        self.dirty = False
        self.number = calls.register(self)
        inode.writers += writable

    def fileno(self) -> int:
        return self.number

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        self.calls.world.point("read", self.path)
        self.calls.check_there(self.inode, self.path)
        data = self.inode.data[self.position :]
        data = data if size < 0 else data[:size]
        self.position += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: bytes) -> int:
        self.calls.world.point("write", self.path)
        old = self.inode.data
        new = old[: self.position] + bytes(data) + old[self.position + len(data) :]
        self.calls.world.disks.write(self.inode, new, self.path)
        self.position += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    def seek(self, position: int) -> int:
        self.position = position
        return position

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.inode.writers -= self.writable
            self.calls.handles.pop(self.number, None)
            if self.writable:
                self.calls.world.disks.tell("closed", self.path)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Entry:
    """What `os.scandir` gives."""

    def __init__(self, folder: str, name: str, inode: Inode) -> None:
        self.name, self.path, self._inode = name, f"{folder}/{name}", inode

    def inode(self) -> int:
        return self._inode.number

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._inode.entries is None

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._inode.entries is not None


class Listing:
    def __init__(self, entries: list[Entry]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[Entry]:
        return self._entries

    def __enter__(self) -> Iterator[Entry]:
        return self._entries

    def __exit__(self, *_: object) -> None:
        pass


class Calls:
    """Every call goes to `world` where its path lies below `ROOT`, and else to the system."""

    def __init__(self) -> None:
        self.world = World()
        self.handles: dict[int, Handle] = {}
        self._next = FIRST_HANDLE
        self._secrets = 0
        self._real: dict[str, Any] = {}

    def use(self, world: World) -> None:
        self.world, self._next, self._secrets = world, FIRST_HANDLE, 0
        self.handles.clear()

    def register(self, handle: Handle) -> int:
        self._next += 1
        self.handles[self._next] = handle
        return self._next

    def forget_handles(self, keep: Callable[[Handle], bool] = lambda _: False) -> None:
        """The processes that had files open are gone."""
        for handle in list(self.handles.values()):
            if not keep(handle):
                handle.inode.writers -= handle.writable
                del self.handles[handle.number]

    def check_there(self, inode: Inode, path: str) -> None:
        if inode.disk.away:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """`os`, `io` and what the product has of its own for Linux's calls, until the end."""
        names = (
            *("stat", "lstat", "scandir", "listdir", "open", "close", "fsync", "link", "unlink"),
            *("fstat", "rename", "replace", "mkdir", "rmdir", "access", "utime", "chmod"),
            *("posix_fadvise", "getxattr", "setxattr", "removexattr", "listxattr"),
        )
        self._real = {name: getattr(os, name) for name in names}
        self._real["io_open"] = io.open
        with (
            mock.patch.multiple(os, **{name: getattr(self, name) for name in names}),
            mock.patch.object(io, "open", self.io_open),
            mock.patch.object(disk, "_rename_by_system", self.rename_by_system),
            mock.patch.object(disk, "fcntl", self._fcntl()),
            mock.patch.object(secrets, "token_hex", self.token_hex),
            mock.patch.object(tempfile, "_get_candidate_names", lambda: self),
        ):
            yield

    def token_hex(self, size: int = 8) -> str:
        self._secrets += 1
        return f"{self._secrets:0{2 * size}x}"

    def __next__(self) -> str:
        """The next name for a temporary file of the standard library's."""
        return self.token_hex(4)

    def stat(self, path: Any, *, dir_fd: Any = None, follow_symlinks: bool = True) -> Any:
        name = _ours(path)
        if name is None:
            return self._real["stat"](path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        return self._do("stat", name, lambda: Stat(self.world.disks.find(name)))

    def fstat(self, number: int) -> Any:
        if number not in self.handles:
            return self._real["fstat"](number)
        return Stat(self.handles[number].inode)

    def lstat(self, path: Any, *, dir_fd: Any = None) -> Any:
        name = _ours(path)
        if name is None:
            return self._real["lstat"](path, dir_fd=dir_fd)
        return self._do("stat", name, lambda: Stat(self.world.disks.find(name)))

    def scandir(self, path: Any = ".") -> Any:
        name = _ours(path)
        if name is None:
            return self._real["scandir"](path)
        return self._do("scandir", name, lambda: Listing(self._entries(name)))

    def listdir(self, path: Any = ".") -> Any:
        name = _ours(path)
        if name is None:
            return self._real["listdir"](path)
        return self._do("scandir", name, lambda: [entry.name for entry in self._entries(name)])

    def _entries(self, name: str) -> list[Entry]:
        inode = self.world.disks.find(name)
        if inode.entries is None:
            raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return [Entry(name, entry, below) for entry, below in inode.entries.items()]

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: Any = None) -> int:
        name = _ours(path)
        if name is None:
            return int(self._real["open"](path, flags, mode, dir_fd=dir_fd))
        return self._open(name, flags).number

    def _open(self, name: str, flags: int) -> Handle:
        creating, writing = flags & os.O_CREAT, flags & (os.O_WRONLY | os.O_RDWR)
        return self._do(
            "create" if creating else "open", name, lambda: self._opened(name, flags, bool(writing))
        )

    def _opened(self, name: str, flags: int, writing: bool) -> Handle:
        disks = self.world.disks
        if flags & os.O_CREAT and (flags & os.O_EXCL or disks.seen(name) is None):
            inode = disks.create(name)
        else:
            inode = disks.find(name)
        if flags & os.O_TRUNC and inode.data:
            disks.write(inode, b"", name)
        if writing and inode.entries is not None:
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        return Handle(self, inode, name, writable=writing)

    def io_open(self, file: Any, mode: str = "r", *rest: Any, **more: Any) -> Any:
        if isinstance(file, int) and file in self.handles:
            return self.handles[file]
        name = None if isinstance(file, int) else _ours(file)
        if name is None:
            return self._real["io_open"](file, mode, *rest, **more)
        flags = os.O_RDONLY
        if "x" in mode:
            flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        elif "w" in mode:
            flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY
        handle = self._open(name, flags)
        if handle.inode.entries is not None:
            handle.close()
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if "b" in mode:
            return handle
        with handle:
            return io.TextIOWrapper(io.BytesIO(handle.read()), more.get("encoding") or "utf-8")

    def close(self, number: int) -> None:
        if number in self.handles:
            self.handles[number].close()
        elif number < FIRST_HANDLE:
            self._real["close"](number)

    def fsync(self, number: int) -> None:
        if number not in self.handles:
            self._real["fsync"](number)
            return
        handle = self.handles[number]
        self._do("fsync", handle.path, lambda: self._sync(handle))

    def _sync(self, handle: Handle) -> None:
        self.check_there(handle.inode, handle.path)
        if handle.inode.entries is not None:
            handle.inode.disk.sync_folder(handle.inode)
        handle.inode.synced = None

    def link(self, source: Any, target: Any, **_: Any) -> None:
        one, other = _known(source), _known(target)
        self._do("link", f"{one} → {other}", lambda: self.world.disks.link(one, other))

    def unlink(self, path: Any, *, dir_fd: Any = None) -> None:
        name = _ours(path)
        if name is None:
            self._real["unlink"](path, dir_fd=dir_fd)
            return
        self._do("unlink", name, lambda: self.world.disks.unlink(name))

    def rename(self, source: Any, target: Any, **_: Any) -> None:
        if (one := _ours(source)) is None:
            self._real["rename"](source, target)
            return
        other = _known(target)
        self._do(
            "replace",
            f"{one} → {other}",
            lambda: self.world.disks.rename(one, other, over=True),
        )

    replace = rename

    def rename_by_system(self, source: Path, target: Path) -> None:
        one, other = _known(source), _known(target)
        self._do("rename", f"{one} → {other}", lambda: self._rename_exclusively(one, other))

    def _rename_exclusively(self, source: str, target: str) -> None:
        disks = self.world.disks
        if not disks.folder_of(target)[0].disk.exclusive_rename:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), source, None, target)
        disks.rename(source, target, over=False)

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: Any = None) -> None:
        name = _ours(path)
        if name is None:
            self._real["mkdir"](path, mode, dir_fd=dir_fd)
            return
        self._do("mkdir", name, lambda: self.world.disks.make_folder(name))

    def rmdir(self, path: Any, *, dir_fd: Any = None) -> None:
        name = _ours(path)
        if name is None:
            self._real["rmdir"](path, dir_fd=dir_fd)
            return
        self._do("rmdir", name, lambda: self.world.disks.remove_folder(name))

    def access(self, path: Any, mode: int, **more: Any) -> bool:
        name = _ours(path)
        if name is None:
            return bool(self._real["access"](path, mode, **more))
        inode = self.world.disks.seen(name)
        return inode is not None and not (mode & os.W_OK and inode.disk.read_only)

    def utime(self, path: Any, times: Any = None, *, ns: Any = None, **more: Any) -> None:
        path = self.handles[path].path if path in self.handles else path
        name = _ours(path)
        if name is None:
            self._real["utime"](path, times, **({"ns": ns} if ns else {}), **more)
            return
        self._do("utime", name, lambda: self._utime(name, ns))

    def _utime(self, name: str, ns: Any) -> None:
        inode = self.world.disks.find(name)
        now = self.world.disks.now()
        inode.mtime = inode.disk.rounded(now if ns is None else ns[1])
        inode.ctime = inode.disk.rounded(now)

    def chmod(self, path: Any, mode: int, **more: Any) -> None:
        name = _ours(path)
        if name is None:
            self._real["chmod"](path, mode, **more)
            return
        self._do("chmod", name, lambda: self._chmod(name, mode))

    def _chmod(self, name: str, mode: int) -> None:
        inode = self.world.disks.find(name)
        if not inode.disk.permissions:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), name)
        inode.mode = stat.S_IFMT(inode.mode) | stat.S_IMODE(mode)

    def posix_fadvise(self, number: int, offset: int, length: int, advice: int) -> None:
        if number < FIRST_HANDLE:
            self._real["posix_fadvise"](number, offset, length, advice)

    def getxattr(self, path: Any, attribute: str, **_: Any) -> bytes:
        self.world.point("getxattr", str(path))
        inode = self._attributes(path)
        if attribute not in inode.attributes:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA), os.fspath(path))
        return inode.attributes[attribute]

    def listxattr(self, path: Any = None, **_: Any) -> list[str]:
        self.world.point("listxattr", str(path))
        return list(self._attributes(path).attributes)

    def setxattr(self, path: Any, attribute: str, value: bytes, *_: Any, **__: Any) -> None:
        self.world.point("setxattr", str(path))
        self._attributes(path).attributes[attribute] = value

    def removexattr(self, path: Any, attribute: str, **_: Any) -> None:
        self.world.point("removexattr", str(path))
        if self._attributes(path).attributes.pop(attribute, None) is None:
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA), os.fspath(path))

    def _attributes(self, path: Any) -> Inode:
        inode = self.world.disks.find(_known(path))
        if not inode.disk.attributes:
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP), os.fspath(path))
        return inode

    def _fcntl(self) -> types.SimpleNamespace:
        """Read leases, by which Linux tells whether a file is open for writing."""
        names = {name: getattr(fcntl, name) for name in ("F_SETSIG", "F_SETLEASE", "F_RDLCK")}
        return types.SimpleNamespace(fcntl=self.lease, F_UNLCK=fcntl.F_UNLCK, **names)

    def lease(self, number: int, command: int, value: int) -> int:
        inode = self.handles[number].inode
        if command == fcntl.F_SETLEASE and value == fcntl.F_RDLCK:
            if not inode.disk.leases:
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
            if inode.writers:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return 0

    def _do(self, call: str, path: str, act: Callable[[], T]) -> T:
        world = self.world
        try:
            world.point(call, path)
            result = act()
        except OSError as error:
            if world.tracing and world.current is not None:
                name = errno.errorcode.get(error.errno or 0, error)
                world.tell(world.current.process.name, f"{call} {path}: {name}")
            raise
        if world.tracing and world.current is not None:
            world.tell(world.current.process.name, f"{call} {path}")
        return result


def _ours(path: Any) -> str | None:
    """The path where it is a simulated one."""
    if isinstance(path, int):
        return None
    name = path if isinstance(path, str) else os.fsdecode(path)
    return name if name.startswith(_BELOW) or name == ROOT else None


def _known(path: Any) -> str:
    name = _ours(path)
    assert name is not None, path
    return name
