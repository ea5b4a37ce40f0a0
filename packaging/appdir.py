"""Lays out an AppDir, and makes an AppImage of it where appimagetool is."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import about
import archives
import desktop_files

# The type-2 runtime: what appimagetool puts in front. It would fetch the newest by itself.
TOOL, RUNTIME = "APPIMAGETOOL", "APPIMAGE_RUNTIME"


def lay_out(bundle: Path, target: Path, when: int) -> Path:
    """Make the AppDir `target`.

    AppRun is a link to the program: PyInstaller's starter finds its files from where it really
    lies, and needs nothing set. https://docs.appimage.org/reference/appdir.html
    """
    desktop_files.lay_out(bundle, target, when)
    (target / "AppRun").symlink_to(desktop_files.PROGRAM / "beartray")
    shutil.copy(target / "usr/share/applications/beartray.desktop", target)
    shutil.copy(target / "usr/share/icons/hicolor/256x256/apps/beartray.png", target)
    (target / ".DirIcon").symlink_to("beartray.png")
    return archives.settle(target, when)


def make(appdir: Path, edition: str, out: Path, when: int, environ: Mapping[str, str]) -> Path:
    """Pack `appdir` as an AppImage in the folder `out` with the program $APPIMAGETOOL.

    Raises `subprocess.CalledProcessError` when that fails.
    """
    machine = os.uname().machine
    target = out / f"{about.package(edition)}-{about.version()}-{machine}.AppImage"
    command: list[str | Path] = [environ[TOOL], "--no-appstream"]
    if runtime := environ.get(RUNTIME):
        command += ["--runtime-file", runtime]
    # mksquashfs takes the time of everything from SOURCE_DATE_EPOCH.
    extra = {"ARCH": machine, "SOURCE_DATE_EPOCH": str(when), "APPIMAGE_EXTRACT_AND_RUN": "1"}
    subprocess.run([*command, appdir, target], env={**environ, **extra}, check=True)
    target.chmod(0o755)
    return target
