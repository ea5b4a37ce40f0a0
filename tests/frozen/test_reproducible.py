"""The same sources give the same bundle, whenever and wherever it is built."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frozen.conftest import BUILT
from tests.helpers import make_tree
from tests.program import ROOT

pytestmark = pytest.mark.frozen


def compare(one: Path, other: Path) -> list[str]:
    script = ROOT / "packaging" / "compare.py"
    done = subprocess.run([sys.executable, script, one, other], capture_output=True, text=True)
    assert done.stderr == "" and done.returncode == bool(done.stdout)
    return done.stdout.splitlines()


def test_a_second_build_is_the_same_to_the_last_byte(bundle: Path, tmp_path: Path) -> None:
    if os.environ.get(BUILT["standard"]):
        pytest.skip("nobody knows what the bundle that was given was built from")
    build = [sys.executable, str(ROOT / "packaging" / "build.py"), "--edition", "standard"]
    build += ["--out", str(tmp_path / "Änother plâce"), "--work", str(tmp_path / "w" / "ork")]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert compare(bundle, tmp_path / "Änother plâce" / "beartray") == []


def test_what_differs_is_named(tmp_path: Path) -> None:
    folders = make_tree(tmp_path, {"one": {"a": "1", "b": "2"}, "other": {"a": "1", "b": "3"}})
    (folders / "other" / "c").mkdir()
    assert compare(folders / "one", folders / "one") == []
    assert compare(folders / "one", folders / "other") == ["b", "c"]
