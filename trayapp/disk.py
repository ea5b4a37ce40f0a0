"""What `place` asks of a file system and the standard library does not do safely."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import io
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

CHUNK = 1 << 20
GRAINS_NS = (10_000_000, 1_000_000_000, 2_000_000_000)  # of times on exFAT, HFS+ and FAT
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCL = 4  # macOS sys/stdio.h
_UNSUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM}

_UNSYNCED = _UNSUPPORTED | {errno.EACCES, errno.EBADF, errno.EISDIR}

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


def is_there(path: Path | bytes) -> bool:
    """Whether anything has this name, a link that leads nowhere, too.

    Raises `OSError` where that cannot be told; `os.path.lexists` says then that nothing has.
    """
    try:
        os.lstat(path)
    except OSError as error:
        if is_missing(error):
            return False
        raise
    return True


def is_missing(error: OSError) -> bool:
    """Whether a look at a name has failed because nothing has it, or can have it."""
    nothing = isinstance(error, FileNotFoundError | NotADirectoryError)
    return nothing or error.errno == errno.ENAMETOOLONG


def is_gone(path: Path | bytes) -> bool:
    """Whether it is certain that nothing has this name."""
    try:
        return not is_there(path)
    except OSError:
        return False


class UncertainError(OSError):
    """It is done, but the disk failed or went away before that was certain to last."""


Rename = Callable[[Path, Path], None]


def rename_exclusively(source: Path, target: Path) -> None:
    """Move `source` to `target` on the same disk, never over something that is there.

    Raises `FileExistsError` when `target` exists and the usual `OSError`s; then nothing changed
    (but after `UncertainError` the file has both names).
    """
    try:
        _rename_by_system(source, target)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _rename_by_link(source, target)


def _rename_by_system(source: Path, target: Path) -> None:
    """One atomic call: MoveFile on Windows, renamex_np on macOS, renameat2 on Linux."""
    if sys.platform == "win32":
        source.rename(target)  # never replaces there
        return
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(source), os.fsencode(target))
    if sys.platform == "darwin":
        result = libc.renamex_np(*names, _RENAME_EXCL)
    elif hasattr(libc, "renameat2"):
        result = libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_NOREPLACE)
    else:
        raise OSError(errno.ENOSYS, "no exclusive rename")
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), str(source), None, str(target))


def _rename_by_link(source: Path, target: Path) -> None:
    """For file systems without an exclusive rename: a second name first, then drop the old one."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        _rename_over_own_placeholder(source, target)
        return
    try:
        source.unlink()
    except OSError as error:  # a folder that may not be written to: take the second name back
        try:
            _free(target)
        except OSError:  # the whole disk may not, since this moment
            raise UncertainError(error.errno, error.strerror, str(source)) from None
        raise


def _rename_over_own_placeholder(source: Path, target: Path) -> None:
    """For file systems without hard links too (some network shares): reserve the name first."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        source.replace(target)
    except OSError:
        _free(target)
        raise


def _free(name: Path) -> None:
    """For good: a power cut would bring it back when no row tells of it any more."""
    name.unlink()
    with suppress(OSError), held_open(name.parent) as folder:
        folder.sync()


def is_other_disk(error: OSError) -> bool:
    """Whether a rename failed because source and target are on different disks."""
    # Windows: ERROR_NOT_SAME_DEVICE
    return error.errno == errno.EXDEV or getattr(error, "winerror", None) == 17


def is_same(one: Path, other: Path) -> bool:
    """Whether two folders are on the same disk now. Raises `OSError`."""
    return one.stat().st_dev == other.stat().st_dev


def copy_verified(source: Path, target: Path) -> None:
    """Copy to `target`, which must not exist, and prove that every byte arrived on the disk.

    Keeps times, permissions and extended attributes where the file system has them. Raises
    `OSError` (`EIO` when what was read back differs) and then leaves no `target` behind.
    """
    reader = os.open(source, os.O_RDONLY | _NOFOLLOW)
    with os.fdopen(reader, "rb") as original:
        writer = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW, 0o600)
        try:
            with os.fdopen(writer, "wb") as copy:
                digest = _copy(original, copy)
            if _digest_on_disk(target) != digest:
                raise OSError(errno.EIO, "the copy differs from the photo", str(target))
            keep_properties(source, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise


def keep_properties(source: Path, target: Path) -> None:
    """Give `target` the times, permissions and extended attributes of `source`."""
    with suppress(PermissionError, NotImplementedError):  # FAT keeps no permissions
        shutil.copystat(source, target, follow_symlinks=False)


def _copy(original: io.BufferedReader, copy: io.BufferedWriter) -> bytes:
    """Returns the digest of what was read."""
    digest = hashlib.sha256()
    while chunk := original.read(CHUNK):
        digest.update(chunk)
        copy.write(chunk)
    copy.flush()
    os.fsync(copy.fileno())
    return digest.digest()


def _digest_on_disk(file: Path) -> bytes:
    """Of the file opened anew: network shares report errors when it is closed, and some file
    systems give to the handle that wrote it something else than to others.
    """
    with os.fdopen(os.open(file, os.O_RDONLY | _NOFOLLOW), "rb") as stream:
        if hasattr(os, "posix_fadvise"):  # read from the disk, not from memory
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(stream, "sha256").digest()


def same_bytes(one: Path, other: Path) -> bool:
    """Whether two files hold the same bytes, read now. Raises `OSError`."""
    with one.open("rb") as a, other.open("rb") as b:
        while True:
            chunk = a.read(CHUNK)
            if chunk != b.read(CHUNK):
                return False
            if not chunk:
                return True


class Folder:
    """A folder, held open by `held_open` while names in it change."""

    def __init__(self, path: Path) -> None:
        self.path, self._descriptor = path, _opened(path)

    def sync(self) -> None:
        """Make the names in it survive a power cut, where the system can (not on Windows).

        Network shares may refuse; the journal then decides at the next start. Raises `OSError`
        where the disk fails or is gone: then nothing that is there can be relied on.
        """
        if self._descriptor is None:  # it was refused, maybe for that moment only
            self._descriptor = _opened(self.path)
        try:
            if self._descriptor is not None:
                os.fsync(self._descriptor)
        except OSError as error:
            if error.errno not in _UNSYNCED:
                raise

    def sync_done(self) -> None:
        """As `sync`, after something that is done: raises `UncertainError`."""
        try:
            self.sync()
        except OSError as error:
            raise UncertainError(error.errno, error.strerror, str(self.path)) from None

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)


@contextmanager
def held_open(folder: Path) -> Iterator[Folder]:
    """So that it is this folder which is synced, and not what has its name by then: the empty
    mount point, once its disk was pulled out. Raises `OSError`.
    """
    held = Folder(folder)
    try:
        yield held
    finally:
        held.close()


def _opened(folder: Path) -> int | None:
    """None on Windows, and where the folder may not be read. Raises other `OSError`s."""
    try:
        return None if sys.platform == "win32" else os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _UNSYNCED:
            raise
    return None


@contextmanager
def held_folders(folders: Iterable[Path]) -> Iterator[list[Folder]]:
    """Those that are there; see `held_open`."""
    with ExitStack() as stack:
        held = []
        for folder in dict.fromkeys(folders):
            with suppress(FileNotFoundError, NotADirectoryError):
                held.append(stack.enter_context(held_open(folder)))
        yield held


def being_written(path: Path) -> bool | None:
    """Whether somebody has the file open for writing; None where nothing tells.

    Linux grants a read lease only on a file that nobody writes (fcntl(2), F_SETLEASE); Windows
    refuses to open one that is not shared. Elsewhere, and where the file system knows no leases,
    only quiet counts.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except FileNotFoundError:
        return False
    except PermissionError:
        return True if sys.platform == "win32" else None
    except OSError:
        return None
    if sys.platform != "linux":
        os.close(descriptor)
        return False if sys.platform == "win32" else None
    try:
        # A writer that comes while we hold the lease makes the kernel signal us; SIGIO, the
        # default, would end the process, SIGURG is ignored.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return True if error.errno == errno.EAGAIN else None
    finally:
        os.close(descriptor)
    return False
