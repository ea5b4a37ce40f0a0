"""Makes the Windows programs' version information, and the installer with Inno Setup."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import about
import icons

RECIPES = Path(__file__).resolve().parent / "windows"
MANIFEST = RECIPES / "beartray.manifest"
# Where Inno Setup's own installer puts its compiler.
USUAL = Path(r"C:\Program Files (x86)\Inno Setup 6\ISCC.exe")
SIGN = "BEARTRAY_SIGN"  # the command that signs a program, with $f for its path

_RESOURCE = """\
VSVersionInfo(
  ffi=FixedFileInfo(
    filevers={numbers}, prodvers={numbers}, mask=0x3F, flags={flags}, OS=0x40004, fileType=0x1,
    subtype=0x0, date=(0, 0)
  ),
  kids=[
    StringFileInfo([StringTable("040904B0", [
      StringStruct("CompanyName", "Beartray contributors"),
      StringStruct("FileDescription", {description!r}),
      StringStruct("FileVersion", {version!r}),
      StringStruct("InternalName", {program!r}),
      StringStruct("LegalCopyright", {copyright!r}),
      StringStruct("OriginalFilename", {file!r}),
      StringStruct("ProductName", "Beartray"),
      StringStruct("ProductVersion", {version!r}),
    ])]),
    VarFileInfo([VarStruct("Translation", [0x0409, 0x04B0])]),
  ],
)
"""
_PRERELEASE = 0x2


def write_version_information(program: str, folder: Path) -> Path:
    """Write what Windows shows under a program's properties, as PyInstaller reads it.

    https://learn.microsoft.com/windows/win32/menurc/versioninfo-resource
    """
    version = about.version()
    numbers = (*map(int, re.findall(r"\d+", version)[:3]), 0)
    description = "Beartray" if program == "beartray" else "Beartray for the command line"
    target = folder / f"{program}.version.txt"
    text = _RESOURCE.format(
        numbers=numbers,
        flags=0 if re.fullmatch(r"[\d.]+", version) else _PRERELEASE,
        description=description,
        version=version,
        program=program,
        copyright=about.COPYRIGHT,
        file=f"{program}.exe",
    )
    target.write_text(text, encoding="utf-8")
    return target


def command(
    compiler: str, bundle: Path, edition: str, out: Path, icon: Path, sign: str | None = None
) -> list[str]:
    """The call of Inno Setup's compiler."""
    given = {
        "Version": about.version(),
        "Copyright": about.COPYRIGHT,
        "Bundle": bundle,
        "License": about.ROOT / "LICENSE",
        "Icon": icon,
        "Out": out,
        "Name": _name(edition),
        "Architecture": "arm64" if about.architecture() == "arm64" else "x64compatible",
    }
    signing = [f"/Sbeartray={sign}", "/DSignTool=beartray"] if sign else []
    defined = [f"/D{name}={value}" for name, value in given.items()]
    return [compiler, "/Qp", *defined, *signing, str(RECIPES / "beartray.iss")]


def make(bundle: Path, edition: str, out: Path, environ: Mapping[str, str]) -> list[Path]:
    """The installer, in the folder `out`; signed where $BEARTRAY_SIGN says how.

    Raises `FileNotFoundError` where Inno Setup is not installed, and
    `subprocess.CalledProcessError` when it fails.
    """
    compiler = shutil.which("ISCC", path=environ.get("PATH")) or str(USUAL)
    if not Path(compiler).is_file():
        raise FileNotFoundError(f"{compiler}: install Inno Setup 6 (https://jrsoftware.org)")
    icon = icons.write(out / "icons")["ico"]
    try:
        called = command(compiler, bundle, edition, out, icon, environ.get(SIGN) or None)
        subprocess.run(called, check=True, env=dict(environ or os.environ))
    finally:
        shutil.rmtree(out / "icons")
    return [out / f"{_name(edition)}.exe"]


def _name(edition: str) -> str:
    return f"{about.package(edition)}-{about.version()}-windows-{about.architecture()}-setup"
