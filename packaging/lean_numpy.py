"""Compiles the pinned NumPy without what the bundle does not use, for Linux.

NumPy's wheel has OpenBLAS in it and, for that, GNU Fortran's library: 28 MB of linear algebra. We
multiply no matrices; a photo's numbers are scaled one by one, and onnxruntime does the rest. The
code for newer processors goes too: for one multiplication and one subtraction a number it
answers the same to the last bit, since IEEE 754 leaves no choice in those.
https://numpy.org/doc/stable/building/blas_lapack.html
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

from filelock import FileLock

TOOLS = Path(__file__).with_name("numpy-build.txt")
OPTIONS = (
    # Its own plain C instead of a library for linear algebra.
    *("-Dblas=none", "-Dlapack=none", "-Dallow-noblas=true"),
    # One kind of code for all processors, without the libraries that only the others need.
    *("-Dcpu-dispatch=none", "-Ddisable-svml=true", "-Ddisable-intel-sort=true"),
    "-Ddisable-highway=true",
    # More would take longer to compile; what we use is written for the processor's vectors as is.
    "-Doptimization=2",
)
FLAGS = "-g0 -ffile-prefix-map={folder}=."  # nothing about this machine in what is compiled


class CompileError(Exception):
    """NumPy could not be compiled: one line that says what to do."""


def ready(cache: Path) -> Path:
    """A folder with the compiled NumPy, to be put on the search path before the installed one.

    It is compiled once for each version, Python and set of options, and kept in `cache`: that
    takes some minutes. Raises `CompileError`.
    """
    place = cache / f"numpy-{_key()}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):
        if not place.exists():
            _check()
            _make(place)
    return place


def _key() -> str:
    facts = "\n".join([FLAGS, *OPTIONS, TOOLS.read_text(encoding="utf-8")])
    digest = hashlib.sha256(facts.encode()).hexdigest()[:12]
    python = sysconfig.get_config_var("SOABI")
    return f"{metadata.version('numpy')}-{python}-{platform.machine()}-{digest}"


def _check() -> None:
    header = Path(sysconfig.get_path("include"), "Python.h")
    if not shutil.which("c++") or not shutil.which("cc") or not header.exists():
        raise CompileError(
            "a small bundle needs NumPy compiled without BLAS, and there is no C++ compiler or no "
            f"{header}; on Debian and Ubuntu: sudo apt install g++ python3-dev"
        )


def _make(place: Path) -> None:
    print("Compiling NumPy without BLAS (once; takes some minutes) …", flush=True)
    log = place.with_name(f"{place.name}.log")
    with tempfile.TemporaryDirectory(prefix="beartray-numpy-") as name, log.open("wb") as said:
        folder = Path(name)
        tools = folder / "tools" / "bin"
        environ = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
        environ["CFLAGS"] = environ["CXXFLAGS"] = FLAGS.format(folder=folder)
        environ["TMPDIR"] = name
        pip = [str(tools / "python"), "-m", "pip"]
        commands = (
            [sys.executable, "-m", "venv", str(tools.parent)],
            [*pip, "install", "--requirement", str(TOOLS)],
            [*pip, "wheel", *_pip_options(), "--wheel-dir", name],
        )
        try:
            for command in commands:
                subprocess.run(
                    command, env=environ, stdout=said, stderr=subprocess.STDOUT, check=True
                )
            (wheel,) = folder.glob("numpy-*.whl")
            _unpack(wheel, place)
        except (subprocess.CalledProcessError, OSError) as error:
            raise CompileError(f"NumPy could not be compiled without BLAS; see {log}") from error


def _pip_options() -> list[str]:
    cores = len(os.sched_getaffinity(0))
    return [
        # pip would take a wheel that it once compiled with other options from its cache.
        *("--no-deps", "--no-build-isolation", "--no-binary=numpy", "--no-cache-dir"),
        *(f"--config-settings=setup-args={option}" for option in OPTIONS),
        f"--config-settings=compile-args=-j{cores}",
        f"numpy=={metadata.version('numpy')}",
    ]


def _unpack(wheel: Path, place: Path) -> None:
    half = place.with_name(f"{place.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(half)
    config = half / "numpy" / "__config__.py"  # tells which Python compiled it, and where that was
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(str(wheel.parent), "."), encoding="utf-8")
    half.rename(place)
