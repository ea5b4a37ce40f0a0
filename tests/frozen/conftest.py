"""The bundles, each built once for all tests and put where a person might put it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import skip
from tests.program import ROOT, Program

BUILT = {"standard": "BEARTRAY_BUNDLE", "fastai": "BEARTRAY_FASTAI_BUNDLE"}
"""Name the folder of an edition's bundle that is there already, to test that one."""


@pytest.fixture(scope="session")
def bundle() -> Iterator[Path]:
    """The standard edition's folder, as `in_place` has it."""
    with in_place("standard") as place:
        yield place


@contextmanager
def in_place(edition: str) -> Iterator[Path]:
    """The bundle's folder, read-only, at a path with spaces and letters of many scripts."""
    if sys.platform != "linux":
        pytest.skip("so far bundles are tested on Linux only")
    with tempfile.TemporaryDirectory(prefix="beartray-bundle-") as name:
        place = Path(name, "Zoë’s 熊 programs", "beartray")
        place.parent.mkdir()
        if built := os.environ.get(BUILT[edition]):
            shutil.copytree(built, place, symlinks=True)
        else:
            _build(edition, Path(name)).rename(place)
        _protect(place, 0o555)
        yield place
        _protect(place, 0o755)  # else nobody but root could remove it


def _build(edition: str, folder: Path) -> Path:
    if importlib.util.find_spec("PyInstaller") is None:
        skip("needs PyInstaller: pip install -c requirements.txt '.[bundle]'")
    command = [sys.executable, str(ROOT / "packaging" / "build.py"), "--edition", edition]
    command += ["--out", str(folder / "dist"), "--work", str(folder / "build")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist" / "beartray"


def _protect(place: Path, mode: int) -> None:
    for folder, _, _ in os.walk(place):
        Path(folder).chmod(mode)


class Bundled(Program):
    """The bundle's program; it inherits nothing but where it keeps its things."""

    def __init__(self, home: Path, bundle: Path) -> None:
        super().__init__(home)
        self.beartray = (str(bundle / "beartray"),)
        self.environ = {"BEARTRAY_HOME": str(home)}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that programs are started in: there is nothing of ours to be found by luck."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def program(tmp_path: Path, bundle: Path, elsewhere: Path) -> Bundled:
    return Bundled(tmp_path / "home", bundle)


@pytest.fixture
def unfrozen(tmp_path: Path) -> Program:
    """The same program as it lies in the checkout."""
    return Program(tmp_path / "unfrozen")
