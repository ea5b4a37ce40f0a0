#!/usr/bin/env python3
"""Says in what two bundles of the same edition differ, down to the modules in the program."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from archives import digest
from PyInstaller.archive.readers import CArchiveReader, ZlibArchiveReader

PROGRAMS = ("beartray", "beartray.exe", "beartray-console.exe")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for every difference; status 1 when there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("one", type=Path)
    parser.add_argument("other", type=Path)
    asked = parser.parse_args(arguments)
    found = list(differences(asked.one, asked.other))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


def differences(one: Path, other: Path) -> Iterator[str]:
    """A line for every file that is not there, or not the same, in both folders."""
    for name in _different(_contents(one), _contents(other)):
        yield name
        if name in PROGRAMS:
            inside = _different(_inside(one / name), _inside(other / name))
            yield from (f"{name}: {part}" for part in inside)


def _different(one: Mapping[str, object], other: Mapping[str, object]) -> list[str]:
    return sorted(name for name in {*one, *other} if one.get(name) != other.get(name))


def _contents(folder: Path) -> dict[str, object]:
    """What each file, link and folder is, by its path."""
    return {path.relative_to(folder).as_posix(): _what(path) for path in folder.rglob("*")}


def _what(path: Path) -> object:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    return "folder" if path.is_dir() else (digest(path), path.stat().st_mode)


def _inside(program: Path) -> dict[str, object]:
    """The parts of a program, and the modules in its archive."""
    reader = CArchiveReader(str(program))
    parts: dict[str, object] = {}
    for name, (*_, kind) in reader.toc.items():
        if kind == "z":
            archive = reader.open_embedded_archive(name)
            assert isinstance(archive, ZlibArchiveReader)
            parts |= {module: archive.extract(module, raw=True) for module in archive.toc}
        else:
            parts[name] = reader.extract(name)
    return parts


if __name__ == "__main__":
    sys.exit(main())
