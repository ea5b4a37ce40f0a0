"""Packs a folder so that the same files give the same bytes, and sums up what was packed."""

from __future__ import annotations

import hashlib
import lzma
import os
import platform
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUMS = "SHA256SUMS"


def moment(environ: Mapping[str, str]) -> int:
    """The time that everything in an archive carries, in seconds since 1970.

    $SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/), else when the
    last commit was made, else 1980, the first that every kind of archive can hold.
    """
    if given := environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=True)
        return int(done.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return 315_532_800


def tar_xz(folder: Path, target: Path, when: int, level: int = 9) -> Path:
    """Pack `folder`, under its own name, as `target`: sorted, owned by root, all of one time.

    `level` is how hard xz tries, 0 to 9.
    """
    with (
        lzma.open(target, "wb", filters=_filters(level)) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in [folder, *sorted(folder.rglob("*"))]:
            name = path.relative_to(folder.parent).as_posix()
            about = _same_everywhere(archive.gettarinfo(path, name), when)
            if about.isfile():
                with path.open("rb") as stream:
                    archive.addfile(about, stream)
            else:
                archive.addfile(about)
    return target


def _filters(level: int) -> list[dict[str, int]]:
    """On x86 its code is packed by 4 % better; every xz since 2005 unpacks that."""
    for_code = [{"id": lzma.FILTER_X86}] if platform.machine() in {"x86_64", "AMD64"} else []
    return [*for_code, {"id": lzma.FILTER_LZMA2, "preset": level}]


def _same_everywhere(about: tarfile.TarInfo, when: int) -> tarfile.TarInfo:
    about.uid = about.gid = 0
    about.uname = about.gname = "root"
    about.mtime = when
    if about.islnk():  # gettarinfo saw the same file under another name
        raise ValueError(f"{about.name} is a hard link; a bundle has none")
    about.mode = 0o777 if about.issym() else plain_mode(about.name, about.mode, about.isdir())
    return about


def plain_mode(name: str, mode: int, is_folder: bool) -> int:
    """Readable by all and writable by the owner, whatever the builder's umask was.

    Libraries are not for starting.
    """
    starts = mode & stat.S_IXUSR and ".so" not in name.rpartition("/")[2]
    return 0o755 if is_folder or starts else 0o644


def settle(folder: Path, when: int) -> Path:
    """Give everything in `folder` plain modes and one time, for those that pack it as it lies."""
    for path in [*folder.rglob("*"), folder]:
        if not path.is_symlink():
            path.chmod(plain_mode(path.name, path.stat().st_mode, path.is_dir()))
        os.utime(path, (when, when), follow_symlinks=False)
    return folder


def write_sums(files: Iterable[Path], target: Path) -> Path:
    """Write what `sha256sum --check` reads in the folder that the files lie in."""
    lines = [f"{digest(path)}  {path.name}\n" for path in sorted(files)]
    target.write_bytes("".join(lines).encode())
    return target


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
