#!/usr/bin/env python3
"""Builds the bundle of an edition: OUT/beartray, with PyInstaller, by the Python that runs this.

From the same sources, with the same packages, Python and compiled NumPy, every build has the same
files with the same bytes and permissions, wherever it is made and whenever; only their times
differ. tests/frozen/test_reproducible.py holds that, compare.py tells what differs between two.
On Linux the bundle asks for the C library of the machine that it is built on, or a newer one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import needs

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
EDITIONS = tuple(needs.EXTRAS)


def build(edition: str, out: Path, work: Path) -> Path:
    """Make the bundle; returns its folder, `out`/beartray.

    Raises lean_numpy.CompileError, and subprocess.CalledProcessError when PyInstaller fails; it
    has said why.
    """
    import lean_numpy  # not before it is known that these are installed
    import platformdirs

    command: list[str | Path] = [
        *(sys.executable, "-m", "PyInstaller", "--noconfirm", "--log-level", "WARN"),
        *("--distpath", out, "--workpath", work, HERE / "beartray.spec"),
        *("--", "--edition", edition),
    ]
    cache = platformdirs.user_cache_path("beartray-build", appauthor=False)
    first = [lean_numpy.ready(cache)] if sys.platform == "linux" else []
    subprocess.run(command, cwd=ROOT, env=surroundings(os.environ, first), check=True)
    return out / "beartray"


def surroundings(environ: Mapping[str, str], first: Sequence[Path]) -> dict[str, str]:
    """The environment for PyInstaller, in which the same input gives the same bundle.

    Modules are taken from the folders `first` before all others.
    """
    return {
        "SOURCE_DATE_EPOCH": "0",  # Windows: when the program was made
        **environ,
        "PYTHONPATH": os.pathsep.join(map(str, first)),
        "PYTHONHASHSEED": "0",  # the order of sets
        # Importing pystray to see what it is made of wants an X display, or GTK, but for this.
        "PYSTRAY_BACKEND": "dummy",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--edition", choices=EDITIONS, default=EDITIONS[0])
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: dist/EDITION")
    parser.add_argument("--work", type=Path, metavar="DIR", help="default: build/EDITION")
    asked = parser.parse_args(arguments)
    out: Path = asked.out or ROOT / "dist" / asked.edition
    work: Path = asked.work or ROOT / "build" / asked.edition
    if absent := needs.missing(needs.needed(asked.edition)):
        print(f"build.py: {needs.words(absent, asked.edition)}", file=sys.stderr)
        return 1
    from lean_numpy import CompileError

    try:
        folder = build(asked.edition, out.resolve(), work.resolve())
    except CompileError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return int(error.returncode) or 1
    print(f"The bundle is {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
