"""A short look with the fuzzer at everything that reads what others wrote; by hand it runs long."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.hostile import fuzz
from tests.hostile.targets import targets

pytestmark = pytest.mark.hostile

FILES = {"photo": 400, "control": 300, "settings": 300, "engine": 5000, "pickle": 1000}
"""How many files, where it is not 1,500; together some 30 seconds."""


@pytest.mark.parametrize("name", targets())
def test_spoiled_files_do_no_harm(name: str, tmp_path: Path) -> None:
    if name == "control" and not hasattr(socket, "AF_UNIX"):
        pytest.skip("no Unix sockets here")
    count = FILES.get(name, 1500)
    found, counts, notes = fuzz.run([name], tmp_path / "found", first=0, count=count)
    assert not found, "\n".join(f"{one.number}: {one.problem}" for one in found)
    assert counts[name] == count
    assert len(notes[name]) > 1, "some are refused, some are not"


def test_a_file_is_the_same_each_time() -> None:
    known = targets()["sidecar"]
    assert fuzz.spoiled("sidecar", known, 7) == fuzz.spoiled("sidecar", known, 7)
    assert fuzz.spoiled("sidecar", known, 7) != fuzz.spoiled("sidecar", known, 8)
