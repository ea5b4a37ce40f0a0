"""Tests that train, convert or import: only where torch and fastai are, and only when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Pass over the modules here unless their tests would run: importing torch takes seconds.

    Where the extra is missing, test_extra.py stays and says so.
    """
    if collection_path.name == "test_extra.py":
        return None
    marked = config.option.markexpr or "learning"
    asked_for = "learning" in marked and "not learning" not in marked
    return not asked_for or find_spec("fastai") is None or None


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny networks: on a busy machine two threads wait for each other longer than they work."""
    if find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
