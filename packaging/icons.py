"""Draws the program's icon for every system, from the same bear as in the tray."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from trayapp.desktop.icons import draw

LINUX = 256  # what launchers and software centres scale from
WINDOWS = (16, 20, 24, 32, 40, 48, 64, 256)  # 100 % to 200 % scale, and the largest view
THEME = (16, 22, 24, 32, 48, 64, 128, 256, 512)  # folders of the hicolor icon theme
MACOS = (16, 32, 64, 128, 256, 512, 1024)  # points at one and two pixels


def write(folder: Path) -> dict[str, Path]:
    """Write beartray.png, .ico and .icns into `folder`; their paths by ending."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {ending: folder / f"beartray.{ending}" for ending in ("png", "ico", "icns")}
    _picture(LINUX).save(paths["png"])
    # Each size is drawn: Pillow scales only those that it is not given.
    *smaller, largest = map(_picture, WINDOWS)
    largest.save(paths["ico"], append_images=smaller, sizes=[(size, size) for size in WINDOWS])
    *smaller, largest = map(_picture, MACOS)
    largest.save(paths["icns"], append_images=smaller)
    return paths


def write_hicolor(theme: Path) -> None:
    """Write beartray.png for every size into `theme`, which is laid out as the Icon Theme
    Specification says."""
    for size in THEME:
        folder = theme / f"{size}x{size}" / "apps"
        folder.mkdir(parents=True, exist_ok=True)
        _picture(size).save(folder / "beartray.png", optimize=True)


def _picture(size: int) -> Image.Image:
    return draw("watching", size)


if __name__ == "__main__":
    for written in write(Path(sys.argv[1])).values():
        print(written)
