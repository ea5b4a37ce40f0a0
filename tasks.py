#!/usr/bin/env python3
"""Sets up a virtual environment beside this file and runs the app, its tests and its benchmark.

Only the standard library is used, so that `python3 tasks.py run` works on a fresh machine with
Python 3.11 or later. The environment is `.venv`; it is made anew when it is broken, was moved or
belongs to another Python, and brought up to date when what it is made from has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
USAGE = """\
usage: python3 tasks.py run [ARG…]                    the app, with its own arguments
       python3 tasks.py test [--quick] [PYTEST ARG…]  lint and tests; quick: a minute or two
       python3 tasks.py lint                          ruff and mypy only
       python3 tasks.py bench [ARG…]                  how fast it is on this machine
       python3 tasks.py bundle [--edition NAME] [--installers]    the app to give away, in dist/"""

# For the tests on a virtual desktop; exiftool reads the tags that we write, strace shows what is
# asked of the system, bindfs and exFAT are disks of other kinds, binutils strips the bundle, g++
# and Python's headers compile NumPy for it, mmdebstrap makes the clean system that it is installed
# in.
APT_PACKAGES = (
    *("adwaita-icon-theme", "appstream", "bindfs", "binutils", "dbus", "dbus-x11"),
    *("desktop-file-utils", "dex", "dosfstools", "dunst", "exfat-fuse", "exfatprogs"),
    *("fonts-dejavu-core", "g++", "imagemagick", "libglib2.0-bin"),
    *("libimage-exiftool-perl", "libnotify-bin", "mmdebstrap", "openbox", "python3-dev"),
    *("shellcheck", "strace", "x11-apps", "x11-utils", "xauth", "xdotool", "xfce4-panel", "xvfb"),
    "zenity",
)

# The review page is tried in one of these; Debian has the first.
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# Marked tests start whole programs, or train. Two groups beside each other fill two cores; the
# longest begin.
FAST = (
    "not flow and not crash and not desktop and not browser and not frozen and not learning"
    " and not hostile"
)
SLOW = {
    "flow and crash": "(flow or crash) and not learning",
    "frozen": "frozen",
    "learning": "learning",
    "hostile": "hostile",
    "browser": "browser",
    "desktop": "desktop",
}
AT_ONCE = 2
EDITIONS = {"standard": ("bundle",), "fastai": ("bundle", "fastai")}  # and what they need here


class TaskError(Exception):
    """Something that the person at the keyboard can put right: one line."""


@dataclass(frozen=True)
class Counts:
    """How many tests went which way."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def main(arguments: Sequence[str]) -> int:
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        print(f"Beartray needs Python 3.11 or later; this is {found}.", file=sys.stderr)
        return 2
    verbs = {"run": run, "test": test, "lint": lint, "bench": bench, "bundle": bundle}
    if not arguments or arguments[0] not in verbs:
        asked = bool({"-h", "--help", "help"} & set(arguments[:1]))
        print(USAGE, file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return verbs[arguments[0]](list(arguments[1:]))
    except TaskError as error:
        print(f"tasks.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


class Terminated(KeyboardInterrupt):
    """SIGTERM: unlike Ctrl-C, it reaches this process only."""


def _terminate(*_: object) -> NoReturn:
    raise Terminated


# The verbs


def run(arguments: list[str]) -> int:
    python = Environment(ROOT).ready()
    program = python.with_name("beartray" + python.suffix)
    if os.name == "posix":  # become the app: signals, terminal and memory are all its own
        sys.stdout.flush()
        os.execv(program, [str(program), *arguments])
    with child([program, *arguments]) as process:
        return process.wait()


def test(arguments: list[str]) -> int:
    quick = "--quick" in arguments
    arguments = [argument for argument in arguments if argument != "--quick"]
    if not quick:
        install_packages()
    python = Environment(ROOT).ready("dev", *(() if quick else ("bundle", "fastai")))
    failed = lint_failures(python)
    with tempfile.TemporaryDirectory(prefix="beartray-test-") as folder:
        counts = pytest_now(python, FAST, arguments, Path(folder))
        if not quick:
            counts += pytest_side_by_side(python, SLOW, arguments, Path(folder))
    if not counts.passed and not counts.failed:
        print("No test was run.", file=sys.stderr)
        failed += 1
    print(f"\n{counts + Counts(failed=failed)}")
    return 1 if counts.failed or failed else 0


def lint(_arguments: list[str]) -> int:
    return 1 if lint_failures(Environment(ROOT).ready("dev")) else 0


def bench(arguments: list[str]) -> int:
    python = Environment(ROOT).ready("dev", "fastai")
    with child([python, "-m", "tests.bench", *arguments], cwd=ROOT) as process:
        return process.wait()


def bundle(arguments: list[str]) -> int:
    """The bundle, what takes the space in it, and installers; status 1 when over its budget."""
    pack = "--installers" in arguments
    arguments = [argument for argument in arguments if argument != "--installers"]
    edition = arguments[-1].removeprefix("--edition=") if arguments else "standard"
    known = arguments in ([], ["--edition", edition], [f"--edition={edition}"])
    if not known or edition not in EDITIONS:
        raise TaskError(f"bundle knows --edition {' or '.join(EDITIONS)}, and --installers")
    python = Environment(ROOT).ready(*EDITIONS[edition])
    tools, made = ROOT / "packaging", ROOT / "dist" / edition / "beartray"
    build: list[str | Path] = [python, tools / "build.py", "--edition", edition]
    weigh: list[str | Path] = [python, tools / "report.py", made, "--edition", edition]
    out = ROOT / "dist" / "installers"
    install: list[str | Path] = [python, tools / "installers.py", made, "--out", out]
    install += ["--edition", edition]
    for command in (build, weigh, *([install] if pack else [])):
        with child(command, cwd=ROOT) as process:
            status = process.wait()
        if status and (command is not weigh or sys.platform == "linux"):  # the budget is Linux's
            return status
    return 0


# The environment


class Environment:
    """The virtual environment `.venv` in the checkout `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".venv"
        self.stamp = self.folder / "beartray.json"  # ours, and what is in it
        scripts = "Scripts/python.exe" if os.name == "nt" else "bin/python"
        self.python = self.folder / scripts

    def ready(self, *extras: str) -> Path:
        """The environment's Python, with the app and `extras` installed at the pinned versions."""
        found = self._found()
        if found and found["built_from"] == self._source() and set(extras) <= set(found["extras"]):
            return self.python
        if not found:
            self._make()
        extras = tuple(sorted({*extras, *(found["extras"] if found else ())}))
        self._install(extras)
        self._write({**self._origin(), "built_from": self._source(), "extras": extras})
        return self.python

    def _origin(self) -> dict[str, Any]:
        """An environment works in its own place and for its own Python only."""
        return {"root": str(self.root), "python": list(sys.version_info[:2])}

    def _source(self) -> str:
        digest = hashlib.sha256()
        for name in ("pyproject.toml", "requirements.txt"):
            digest.update((self.root / name).read_bytes())
        return digest.hexdigest()

    def _found(self) -> dict[str, Any] | None:
        """What the stamp says of an environment that works, else None."""
        try:
            found = json.loads(self.stamp.read_text(encoding="utf-8"))
            if {**found, **self._origin()} != found or "built_from" not in found:
                return None
            subprocess.run([self.python, "-c", ""], check=True, capture_output=True)
        except (OSError, ValueError, TypeError, subprocess.CalledProcessError):
            return None
        return dict(found)

    def _make(self) -> None:
        if any(importlib.util.find_spec(name) is None for name in ("venv", "ensurepip")):
            raise TaskError(
                "this Python cannot make virtual environments; on Debian and Ubuntu: "
                "sudo apt install python3-venv"
            )
        if self.folder.exists() and not self.stamp.exists():
            raise TaskError(f"{self.folder} was not made by tasks.py; move it away and try again")
        print(f"Making {self.folder} (once; takes a minute) …", flush=True)
        try:
            if self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir()
            self._write(self._origin())  # half-made from here, and known to be ours
        except OSError as error:
            raise TaskError(f"cannot make {self.folder}: {error}") from None
        self._call("cannot make a virtual environment", sys.executable, "-m", "venv", self.folder)

    def _install(self, extras: tuple[str, ...]) -> None:
        what = f".[{','.join(extras)}]" if extras else "."
        print(f"Installing the packages that requirements.txt pins for {what} …", flush=True)
        self._call(
            "pip could not install the packages; is this machine online?",
            *(self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--constraint", "requirements.txt", "--editable", what),
        )

    def _call(self, failure: str, *command: str | Path) -> None:
        done = subprocess.run(
            command,
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:
            tail = done.stdout.decode(errors="replace").strip().splitlines()[-15:]
            raise TaskError("\n    ".join([f"{failure} It ended with:", *tail]))

    def _write(self, facts: dict[str, Any]) -> None:
        self.stamp.write_text(json.dumps(facts), encoding="utf-8")


def install_packages() -> None:
    """On Debian and its like: the programs that the desktop tests drive. Elsewhere nothing."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-query"):
        return
    browser = () if any(map(shutil.which, BROWSERS)) else BROWSERS[:1]
    missing = [name for name in (*APT_PACKAGES, *browser) if not _is_installed(name)]
    if not missing:
        return
    if getattr(os, "geteuid", lambda: None)() != 0:
        print(f"For the desktop tests: sudo apt-get install {' '.join(missing)}", flush=True)
        return
    print(f"Installing {' '.join(missing)} …", flush=True)
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "--yes", *missing]):
        done = subprocess.run(
            ["apt-get", "--quiet", *arguments],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if done.returncode:  # the tests that need them say so themselves
            print(done.stdout.decode(errors="replace"), f"apt-get {arguments[0]} failed.", sep="\n")


def _is_installed(package: str) -> bool:
    query = ["dpkg-query", "--show", "--showformat", "${db:Status-Status}", package]
    return subprocess.run(query, capture_output=True).stdout == b"installed"


# Lint and tests


def lint_failures(python: Path) -> int:
    """How many of the checks failed; each prints what it found."""
    checks = (
        ["ruff", "check"],
        ["ruff", "format", "--check"],
        ["mypy"],
    )
    failed = 0
    for check in checks:
        print(f"\n== {' '.join(check)}", flush=True)
        with child([python, "-m", *check], cwd=ROOT) as process:
            failed += process.wait() != 0
    return failed


def pytest_command(
    python: Path, name: str, marked: str, arguments: list[str], folder: Path
) -> tuple[list[str | Path], Path]:
    """The command for one group of tests, and the file that its counts come in."""
    report = folder / f"{name}.xml"
    # A cache of its own for each group: two processes must not write to one.
    cache = f"cache_dir=.pytest_cache/{name.replace(' ', '-')}"
    options = ["-m", marked, f"--junit-xml={report}", "-o", cache]
    return [python, "-m", "pytest", *options, *arguments], report


def pytest_now(python: Path, marked: str, arguments: list[str], folder: Path) -> Counts:
    """Run one group of tests, its output seen as it comes."""
    print("\n== fast tests", flush=True)
    command, report = pytest_command(python, "fast", marked, arguments, folder)
    with child(command, cwd=ROOT) as process:
        return read_counts(report, process.wait())


def pytest_side_by_side(
    python: Path, groups: dict[str, str], arguments: list[str], folder: Path
) -> Counts:
    """Run groups of tests, two at once; the output of each is printed whole when it has ended."""
    counts, waiting = Counts(), list(groups.items())
    with contextlib.ExitStack() as stack:
        running: dict[str, tuple[subprocess.Popen[bytes], IO[bytes], Path]] = {}
        while running or waiting:
            while waiting and len(running) < AT_ONCE:
                name, marked = waiting.pop(0)
                command, report = pytest_command(python, name, marked, arguments, folder)
                output: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
                process = stack.enter_context(child(command, cwd=ROOT, output=output))
                running[name] = process, output, report
            ended = [name for name, (process, *_) in running.items() if process.poll() is not None]
            for name in ended:
                process, output, report = running.pop(name)
                output.seek(0)
                print(f"\n== {name} tests", flush=True)
                sys.stdout.buffer.write(output.read())
                sys.stdout.flush()
                counts += read_counts(report, process.returncode)
            time.sleep(0 if ended else 0.1)
    return counts


def read_counts(report: Path, status: int) -> Counts:
    """The counts in pytest's JUnit report; a run that broke off counts as one failure more."""
    counts = Counts()
    with contextlib.suppress(OSError, ET.ParseError):
        for suite in ET.parse(report).iter("testsuite"):
            of = {key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")}
            failed = of["failures"] + of["errors"]
            counts += Counts(of["tests"] - failed - of["skipped"], failed, of["skipped"])
    no_tests = 5  # pytest's status when none was selected
    if status not in (0, no_tests) and not counts.failed:
        counts += Counts(failed=1)
    return counts


@contextlib.contextmanager
def child(
    command: Sequence[str | Path], cwd: Path | None = None, output: IO[bytes] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive this block; interrupted first, so that it can tidy up."""
    apart: dict[str, Any] = {}
    if output is not None:
        apart = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        if os.name == "posix":
            apart["process_group"] = 0  # Ctrl-C does not reach it: it is told once, by us
    with subprocess.Popen(command, cwd=cwd, **apart) as process:
        try:
            yield process
        except BaseException as error:
            knows = isinstance(error, KeyboardInterrupt) and not isinstance(error, Terminated)
            _end(process, told=knows and "process_group" not in apart)
            raise


def _end(process: subprocess.Popen[bytes], told: bool) -> None:
    if os.name == "posix" and not told:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
