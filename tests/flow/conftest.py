"""The program with a home of its own, and photos whose label is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import picture
from tests.program import Program

COLOURS = {"grizzly": 0, "black": 1, "teddy": 2}


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "home")


@pytest.fixture
def photo() -> Callable[..., bytes]:
    """Writes a photo that shows `label` ("none": nothing known); no two are alike."""
    count = 0

    def write(path: Path, label: str = "grizzly", size: tuple[int, int] = (64, 48)) -> bytes:
        nonlocal count
        count += 1
        colour = [count // 60 % 60, count % 60, 30]
        if label in COLOURS:
            colour[COLOURS[label]] = 255
        picture(path, size, (colour[0], colour[1], colour[2]))
        return path.read_bytes()

    return write
