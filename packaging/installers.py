#!/usr/bin/env python3
"""Makes from a bundle what people download, for the system that this runs on."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import about
import appdir
import archives
import debian
import inventory
import on_macos
import on_windows
import release
import sbom

EDITIONS = tuple(debian.KINDS)


@dataclass(frozen=True)
class Order:
    """What to make: of which bundle, where, and how hard to pack (0 to 9)."""

    bundle: Path
    edition: str
    out: Path
    when: int
    level: int = 9

    @property
    def name(self) -> str:
        """The beginning of the names of what is made."""
        return f"{about.package(self.edition)}-{about.version()}"


def for_linux(order: Order, environ: Mapping[str, str]) -> list[Path]:
    """.tar.xz and .deb; an AppImage where $APPIMAGETOOL names the program that makes one."""
    bundle, when = order.bundle, order.when
    target = order.out / f"{order.name}-linux-{about.architecture()}.tar.xz"
    made = [archives.tar_xz(bundle, target, when, order.level)]
    made.append(debian.make(bundle, order.edition, order.out, when, order.level))
    if appdir.TOOL in environ:
        with tempfile.TemporaryDirectory(prefix="beartray-appdir-") as folder:
            laid_out = appdir.lay_out(bundle, Path(folder, "AppDir"), when)
            made.append(appdir.make(laid_out, order.edition, order.out, when, environ))
    return made


def for_this_system(order: Order, environ: Mapping[str, str]) -> list[Path]:
    """Everything that is made here, in the folder `order.out`, with the list of what is in it.

    Raises `ValueError` when the bundle is not whole, `OSError` and
    `subprocess.CalledProcessError` when a tool is missing or fails.
    """
    bundle = order.bundle
    if sys.platform == "darwin":
        bundle = order.bundle.with_name("Beartray.app")
    if nobodys := inventory.unaccounted(bundle):
        raise ValueError(f"{bundle}: nobody knows whose these are: {', '.join(nobodys)}")
    order.out.mkdir(parents=True, exist_ok=True)
    if sys.platform == "win32":
        made = on_windows.make(bundle, order.edition, order.out, environ)
    elif sys.platform == "darwin":
        made = on_macos.make(bundle, order.edition, order.out, environ, on_macos.run)
    else:
        made = for_linux(order, environ)
    system = {"win32": "windows", "darwin": "macos"}.get(sys.platform, "linux")
    listed = order.out / f"{order.name}-{system}-{about.architecture()}.cdx.json"
    return [*made, sbom.write(bundle, order.edition, listed, order.when)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="the bundle's folder")
    parser.add_argument("--edition", choices=EDITIONS, default=EDITIONS[0])
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--level", type=int, default=9, help="how hard to pack, 0 to 9")
    asked = parser.parse_args(arguments)
    when = archives.moment(os.environ)
    order = Order(asked.bundle.resolve(), asked.edition, asked.out.resolve(), when, asked.level)
    try:
        made = for_this_system(order, os.environ)
        release.sums(order.out)
    except (OSError, ValueError, subprocess.CalledProcessError) as error:
        print(f"installers.py: {error}", file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.stat().st_size / 1_000_000:8.1f} MB  {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
