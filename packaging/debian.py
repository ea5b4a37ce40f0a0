"""Makes the .deb of an edition, with dpkg-deb."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from email.utils import format_datetime
from pathlib import Path

import about
import archives
import desktop_files

REVISION = "1"
MAINTAINER = "Beartray contributors <beartray@users.noreply.github.com>"
# What glibc itself consists of; everything else has to be in the bundle.
GLIBC = {f"lib{name}.so.{number}" for name, number in (("c", 6), ("m", 6), ("dl", 2), ("rt", 1))}
GLIBC |= {"libpthread.so.0", "libutil.so.1", "libresolv.so.2"}
_LOADER = re.compile(r"ld-linux-[\w-]+\.so\.\d")
# The starter finds nothing of the bundle before it has started.
OF_THE_SYSTEM = {"libz.so.1": "zlib1g"}
_NEEDED = re.compile(r"\(NEEDED\).*\[(.+)\]")
_VERSION = re.compile(r"Name: GLIBC_(\d+(?:\.\d+)+)\b")
_MARKS = {"GLIBC_ABI_DT_RELR": (2, 36)}  # https://sourceware.org/glibc/wiki/Release/2.36

CONTROL = """\
Package: {package}
Version: {version}
Architecture: {architecture}
Maintainer: {maintainer}
Installed-Size: {size}
Depends: {depends}
Recommends: {recommends}
Provides: {provides}
Conflicts: {conflicts}
Replaces: {conflicts}
Section: graphics
Priority: optional
Description: file photos by what they show{kind}
 Beartray sits in the tray and watches one folder. A photo that arrives there is
 looked at by an image classifier on this computer and moved, copied or tagged
 by what it shows. What is not recognised stays where it is.
 .
 Nothing is overwritten, everything can be undone, and nothing is sent anywhere.
"""
# To choose folders, to be told what was filed, to have an icon, and to open a folder.
RECOMMENDS = ", ".join(
    (
        *("zenity | kdialog", "notification-daemon"),
        *("default-dbus-session-bus | dbus-session-bus", "xdg-utils"),
    )
)
OVERRIDES = """\
# The same program on every Linux: it brings its libraries, which no other program uses.
embedded-library
library-not-linked-against-libc
shared-library-lacks-prerequisites
# Python's own modules that strip would break, and PyInstaller's starter.
unstripped-binary-or-object
hardening-no-pie
# It does not come by way of Debian.
initial-upload-closes-no-bugs
"""
KINDS = {
    "standard": "",
    "fastai": " (with fastai)",
}


def make(bundle: Path, edition: str, out: Path, when: int, level: int = 9) -> Path:
    """Pack `bundle` as a .deb in the folder `out`; returns its path. `level` is xz's.

    Raises `ValueError` when the bundle needs a library that it does not bring, and
    `subprocess.CalledProcessError` when dpkg-deb fails.
    """
    package, version = about.package(edition), f"{about.version()}-{REVISION}"
    architecture = _output("dpkg", "--print-architecture").strip()
    target = out / f"{package}_{version}_{architecture}.deb"
    with tempfile.TemporaryDirectory(prefix="beartray-deb-") as name:
        root = desktop_files.lay_out(bundle, Path(name, "root"), when)
        _write_documents(root / "usr/share/doc" / package, package, version, when)
        overrides = root / "usr/share/lintian/overrides" / package
        overrides.parent.mkdir(parents=True)
        overrides.write_text(OVERRIDES, encoding="utf-8")
        size = sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir())
        control = CONTROL.format(
            package=package,
            version=version,
            architecture=architecture,
            maintainer=MAINTAINER,
            size=-(-size // 1024),
            depends=needs(bundle),
            recommends=RECOMMENDS,
            provides="" if package == "beartray" else f"beartray (= {version})",
            conflicts=", ".join(sorted({about.package(kind) for kind in KINDS} - {package})),
            kind=KINDS[edition],
        )
        _write_control(root, re.sub(r"^\w+: \n", "", control, flags=re.MULTILINE))
        archives.settle(root, when)
        _build(root, target, when, level)
    return target


def needs(bundle: Path) -> str:
    """The value of Depends: the C library, as old as the bundle's programs and libraries allow,
    and what PyInstaller's starter takes from the system.

    Raises `ValueError` when they need anything else that is not in the bundle.
    """
    files = [path for path in bundle.rglob("*") if path.is_file() and _is_elf(path)]
    brought = {path.name for path in bundle.rglob("*")}
    missing = _needed(files) - brought | _needed([bundle / "beartray"])
    packages = {OF_THE_SYSTEM[name] for name in missing & OF_THE_SYSTEM.keys()}
    if unknown := missing - OF_THE_SYSTEM.keys():
        raise ValueError(f"{bundle}: these libraries are needed and not there: {sorted(unknown)}")
    text = _readelf("--version-info", files)
    found = [tuple(map(int, number.split("."))) for number in _VERSION.findall(text)]
    found += [number for mark, number in _MARKS.items() if mark in text]
    return ", ".join([f"libc6 (>= {'.'.join(map(str, max(found)))})", *sorted(packages)])


def _needed(files: Sequence[Path]) -> set[str]:
    """The libraries that these are linked to, but for the C library's own."""
    found = set(_NEEDED.findall(_readelf("--dynamic", files)))
    return {name for name in found - GLIBC if not _LOADER.fullmatch(name)}


def _readelf(what: str, files: Sequence[Path]) -> str:
    return _output("readelf", "--wide", what, *map(str, files))


def _is_elf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x7fELF"


def _write_documents(folder: Path, package: str, version: str, when: int) -> None:
    folder.mkdir(parents=True)
    licence = (about.ROOT / "LICENSE").read_text(encoding="utf-8").split("\n\n", 2)[2]
    lines = "".join(f" {line or '.'}\n" for line in licence.strip().splitlines())
    copyright_file = (desktop_files.RECIPES / "copyright").read_text(encoding="utf-8")
    (folder / "copyright").write_text(copyright_file + lines, encoding="utf-8")
    changes = (about.ROOT / "CHANGELOG.md").read_bytes()
    (folder / "changelog.gz").write_bytes(desktop_files.squeezed(changes))
    told = (
        f"{package} ({version}) stable; urgency=medium\n\n  * What is new is in changelog.gz.\n"
        f"\n -- {MAINTAINER}  {format_datetime(about.day(when))}\n"
    )
    (folder / "changelog.Debian.gz").write_bytes(desktop_files.squeezed(told.encode()))


def _write_control(root: Path, control: str) -> None:
    folder = root / "DEBIAN"
    folder.mkdir()
    (folder / "control").write_text(control, encoding="utf-8")
    shutil.copy(desktop_files.RECIPES / "prerm", folder / "prerm")
    (folder / "prerm").chmod(0o755)
    sums = "".join(
        f"{_md5(path)}  {path.relative_to(root)}\n"
        for path in sorted((root / "usr").rglob("*"))
        if path.is_file() and not path.is_symlink()
    )
    (folder / "md5sums").write_text(sums, encoding="utf-8")


def _md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _build(root: Path, target: Path, when: int, level: int) -> None:
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", f"-z{level}", "--build", root, target],
        # One thread: with several xz cuts the data otherwise, and the bytes differ.
        env={**os.environ, "SOURCE_DATE_EPOCH": str(when), "DPKG_DEB_THREADS_MAX": "1"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
