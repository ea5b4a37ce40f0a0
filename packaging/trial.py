#!/usr/bin/env python3
"""Installs what people download, as they do, and asks the program in it whether it is well."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import about

# Of what `doctor` looks at, that which must be good on a machine without a desktop too.
MUST_BE_GOOD = ("settings", "space", "journal", "model", "log")
START_SECONDS = 60.0


class TrialError(Exception):
    """What was installed does not work: one line."""


@contextmanager
def installed(download: Path, folder: Path) -> Iterator[list[str]]:
    """The command that starts the program in `download`, for as long as it is installed.

    `folder` is for what has to be unpacked. Raises `TrialError` for an unknown kind.
    """
    name = download.name
    if name.endswith(".tar.xz"):
        with tarfile.open(download) as archive:
            archive.extractall(folder, filter="data")
        yield [str(folder / "beartray" / "beartray")]
    elif name.endswith(".deb"):
        package = name.partition("_")[0]
        run([*as_root(), "dpkg", "--install", str(download)])
        yield ["/usr/bin/beartray"]
        run([*as_root(), "dpkg", "--purge", package])
    elif name.endswith(".AppImage"):
        yield [str(download), "--appimage-extract-and-run"]
    elif name.endswith(".exe"):
        quiet = ["/VERYSILENT", "/SUPPRESSMSGBOXES", "/NORESTART", "/CURRENTUSER"]
        run([str(download), *quiet, f"/DIR={folder / 'Beartray'}"])
        yield [str(folder / "Beartray" / "beartray-console.exe")]
        run([str(folder / "Beartray" / "unins000.exe"), *quiet[:3]])
    elif name.endswith(".dmg"):
        disk = folder / "disk"
        run(
            ["hdiutil", "attach", "-nobrowse", "-readonly", "-mountpoint", str(disk), str(download)]
        )
        try:
            run(["ditto", str(disk / "Beartray.app"), str(folder / "Beartray.app")])
        finally:
            run(["hdiutil", "detach", str(disk)])
        yield [str(folder / "Beartray.app" / "Contents" / "MacOS" / "beartray")]
    else:
        raise TrialError(f"{download}: nobody knows how to install this")


def try_out(program: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """Start the program and ask it; what it said, in lines. Raises `TrialError`."""
    said = ask(program, ["--version"], environ).strip()
    if about.version() not in said:
        raise TrialError(f"{program[0]} is {said!r}, not version {about.version()}")
    rows = [json.loads(line) for line in ask(program, ["doctor", "--json"], environ).splitlines()]
    return [said, *check(rows), *start_and_quit(program, environ)]


def check(rows: Sequence[Mapping[str, object]]) -> list[str]:
    """A line for every finding of `doctor --json`; raises `TrialError` when one must not be."""
    found = {str(row["check"]): row for row in rows}
    for name in MUST_BE_GOOD:
        if name not in found:
            raise TrialError(f"doctor says nothing of {name}")
        if not found[name]["ok"]:
            raise TrialError(f"{name} is not good: {found[name]['detail']}")
    return [
        f"{'ok ' if row['ok'] else '-- '} {name}: {row['detail']}" for name, row in found.items()
    ]


def start_and_quit(program: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The app comes up, answers, and ends when asked to. Raises `TrialError`."""
    with subprocess.Popen([*program, "run"], env=dict(environ)) as process:
        try:
            end = time.monotonic() + START_SECONDS
            while not (status := _status(program, environ)):
                if process.poll() is not None:
                    raise TrialError(f"it ended by itself, with status {process.returncode}")
                if time.monotonic() > end:
                    raise TrialError(f"it did not answer within {START_SECONDS:g} s")
                time.sleep(0.2)
            ask(program, ["quit"], environ)
            if process.wait(30) != 0:
                raise TrialError(f"it ended with status {process.returncode}")
        except BaseException:
            process.kill()
            raise
    return [f"running: {status}"]


def _status(program: Sequence[str], environ: Mapping[str, str]) -> str:
    asked = [*program, "status", "--json"]
    done = subprocess.run(asked, env=dict(environ), capture_output=True, text=True)
    ready = done.returncode == 0 and json.loads(done.stdout).get("engine") == "ready"
    return done.stdout.strip() if ready else ""


def ask(program: Sequence[str], words: Sequence[str], environ: Mapping[str, str]) -> str:
    """What a command prints; `doctor` may end with 1, which says that something is not good."""
    command = [*program, *words]
    done = subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=120)
    if done.returncode not in ((0, 1) if "doctor" in words else (0,)):
        raise TrialError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def run(command: Sequence[str]) -> None:
    subprocess.run(command, check=True)


def as_root() -> list[str]:
    return [] if getattr(os, "geteuid", lambda: 0)() == 0 else ["sudo", "--non-interactive"]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("downloads", type=Path, nargs="+")
    asked = parser.parse_args(arguments)
    for download in asked.downloads:
        folder = Path(tempfile.mkdtemp(prefix="beartray-trial-"))
        environ = {**os.environ, "BEARTRAY_HOME": str(folder / "home"), "PYTHONUTF8": "1"}
        try:
            with installed(download.resolve(), folder) as program:
                print(download.name, *try_out(program, environ), sep="\n    ", flush=True)
        except (TrialError, OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"trial.py: {download.name}: {error}", file=sys.stderr)
            return 1
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
