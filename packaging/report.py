#!/usr/bin/env python3
"""Says what takes the space in a bundle, and whether that is within the budget."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from archives import tar_xz

BUDGET = Path(__file__).with_name("budget.toml")
INTERNAL = "_internal"  # PyInstaller's folder beside the program
MEGA = 1_000_000


def sizes(folder: Path) -> dict[str, int]:
    """The bytes of every file below `folder`, by its path inside it; a link takes none."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def by_owner(files: Mapping[str, int]) -> Counter[str]:
    """The bytes of each package: the first folder in the bundle, and libraries by themselves."""
    owners: Counter[str] = Counter()
    for name, size in files.items():
        owner = name.removeprefix(f"{INTERNAL}/").partition("/")[0]
        owners[owner.removesuffix(".libs")] += size
    return owners


def by_module(program: Path) -> Counter[str]:
    """The compressed bytes of each package of Python modules inside a program; empty where there
    is no PyInstaller, or the program is not its."""
    modules: Counter[str] = Counter()
    with contextlib.suppress(ImportError):
        from PyInstaller.archive.readers import ArchiveReadError, CArchiveReader

        try:
            reader = CArchiveReader(str(program))
        except (ArchiveReadError, OSError):
            return modules
        for name in (name for name, (*_, kind) in reader.toc.items() if kind == "z"):
            for module, (_, _, size) in reader.open_embedded_archive(name).toc.items():
                modules[module.partition(".")[0]] += size
    return modules


def archived(folder: Path) -> int:
    """The bytes of `folder` as .tar.xz, packed as it is for people."""
    with tempfile.TemporaryDirectory() as scratch:
        return tar_xz(folder, Path(scratch, "bundle.tar.xz"), 0).stat().st_size


def over(found: Mapping[str, int], budget: Mapping[str, int]) -> list[str]:
    """A line for everything that is larger than it may be."""
    return [
        f"{name}: {size / MEGA:.1f} MB, {(size - budget[name]) / MEGA:.1f} MB too much"
        for name, size in found.items()
        if size > budget[name]
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; status 1 when something is over the budget."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the bundle's folder")
    parser.add_argument("--edition", default="standard")
    parser.add_argument("--archive", action="store_true", help="pack it as well: a minute")
    parser.add_argument("--lines", type=int, default=20, help="how many packages and files")
    asked = parser.parse_args(arguments)
    files = sizes(asked.folder)
    if not files:
        parser.error(f"{asked.folder} is no bundle")
    found = {"unpacked": sum(files.values())}
    if asked.archive:
        found["archive"] = archived(asked.folder)
    for title, counted in (
        ("packages", by_owner(files)),
        ("files", Counter(files)),
        ("modules, compressed", by_module(asked.folder / "beartray")),
    ):
        print(f"The largest {title}, MB:")
        for name, size in counted.most_common(asked.lines):
            print(f"{size / MEGA:8.1f}  {name}")
    limits = tomllib.loads(BUDGET.read_text(encoding="utf-8"))[asked.edition]
    for name, size in found.items():
        goal = limits["goal"][name]
        met = "reached" if size <= goal else "NOT REACHED"
        print(f"{name}: {size / MEGA:.1f} MB, goal {goal / MEGA:.0f} MB {met}")
    problems = over(found, limits["budget"])
    print(*problems, sep="\n", end="\n" if problems else "", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
