"""Scenes on real disks of each kind, and how often the program was killed in all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.crash.disks import disk
from tests.crash.scene import Scene
from tests.crash.supervisor import require_supervision
from trayapp.photo import Action

SetScene = Callable[[str, str, Action], Scene]


@pytest.fixture(scope="session")
def kills() -> Counter[str]:
    """How often something was killed, by what it was doing."""
    return Counter()


@pytest.fixture
def set_scene(tmp_path: Path) -> Iterator[SetScene]:
    """Photos on a disk of one kind, the album on one of another kind (on the same one if it is
    the same kind); the journal is on a third, in memory."""
    require_supervision()
    with ExitStack() as disks:

        def on(kind: str, name: str) -> Path:
            return disks.enter_context(disk(kind, tmp_path / name))

        def make(kind: str, other: str, action: Action) -> Scene:
            first = on(kind, "first")
            second = first if other == kind else on(other, "second")
            return Scene(on("tmpfs", "books") / "home", first, second, action)

        yield make
