"""The real program with the model that it ships, in a folder full of hostile files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.siege import Siege
from tests.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    found = Program(tmp_path / "home")
    found.configure(model=None)
    return found


@pytest.fixture
def siege(program: Program, inbox: Path) -> Siege:
    return Siege(program, inbox)
