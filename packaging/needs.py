"""Says what of pyproject.toml's packages this Python lacks; a bundle without them would fail."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
EXTRAS = {"standard": ("bundle",), "fastai": ("bundle", "fastai")}  # of each edition


def needed(edition: str) -> list[str]:
    """What the edition is made of, and with: requirements as in pyproject.toml."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [
        *project["dependencies"],
        *(line for extra in EXTRAS[edition] for line in extras[extra]),
    ]


def missing(
    requirements: Iterable[str], version: Callable[[str], str] = metadata.version
) -> list[str]:
    """Those that are not installed here, or in another version; `version` is of a package."""
    try:
        from packaging.requirements import Requirement  # PyInstaller brings it along
    except ModuleNotFoundError:
        return ["pyinstaller"]
    absent = []
    for line in requirements:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate():
            continue
        try:
            found = version(wanted.name)
        except metadata.PackageNotFoundError:
            absent.append(wanted.name)
            continue
        if not wanted.specifier.contains(found, prereleases=True):
            absent.append(f"{wanted.name}{wanted.specifier} (here is {found})")
    return absent


def words(absent: Iterable[str], edition: str) -> str:
    """One line that says what to do."""
    what = f".[{','.join(EXTRAS[edition])}]"
    return (
        f"this Python lacks {', '.join(absent)}; install what a bundle needs with `python -m pip"
        f' install --constraint requirements.txt --editable "{what}"`'
    )
