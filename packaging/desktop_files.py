"""Lays out the bundle below /usr as Linux desktops expect it, with menu entry, icons, manual."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import about
import icons

HERE = Path(__file__).resolve().parent
RECIPES = HERE / "linux"
PROGRAM = Path("usr/lib/beartray")


def lay_out(bundle: Path, root: Path, when: int) -> Path:
    """Copy the bundle into `root`/usr/lib/beartray, with all that belongs to it in `root`/usr.

    Raises `FileNotFoundError` when `bundle` holds no program.
    """
    if not (bundle / "beartray").is_file():
        raise FileNotFoundError(f"{bundle / 'beartray'}: there is no such program; make the bundle")
    shutil.copytree(bundle, root / PROGRAM, symlinks=True)
    _link(root / "usr/bin/beartray", "../lib/beartray/beartray")
    share = root / "usr/share"
    for name, place in (
        ("beartray.desktop", "applications"),
        ("io.github.beartray.metainfo.xml", "metainfo"),
    ):
        text = about.filled((RECIPES / name).read_text(encoding="utf-8"), when)
        _write(share / place / name, text.encode())
    manual = about.filled((RECIPES / "beartray.1").read_text(encoding="utf-8"), when)
    _write(share / "man/man1/beartray.1.gz", squeezed(manual.encode()))
    icons.write_hicolor(share / "icons/hicolor")
    return root


def squeezed(content: bytes) -> bytes:
    """As .gz, the same at any time."""
    return gzip.compress(content, compresslevel=9, mtime=0)


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _link(link: Path, target: str) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
