"""Fixtures: a bare session bus, and a whole virtual desktop."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.desktop.desk import Desk, PrivateBus, Processes, require_programs

# As the Linux desktop does, before anything imports pystray: no X display is looked for.
os.environ["PYSTRAY_BACKEND"] = "dummy"

SHOTS = Path(__file__).resolve().parents[2] / "test-output"


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder whose name leaves room for sockets, whose paths are 104 bytes at most.

    In memory where that can be: the panel must not wait for a disk that other tests keep busy.
    """
    memory = Path("/dev/shm")
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="desk", dir=place) as folder:
        yield Path(folder)


@pytest.fixture
def private_bus(short_folder: Path) -> Iterator[PrivateBus]:
    """A session bus on which nobody is."""
    require_programs("dbus-daemon")
    processes = Processes(dict(os.environ), short_folder / "logs")
    try:
        yield PrivateBus(short_folder, processes)
    finally:
        processes.close()


@pytest.fixture
def desk(short_folder: Path) -> Iterator[Desk]:
    """A desktop with a real panel, notification service, mouse and keyboard."""
    desk = Desk(short_folder, SHOTS)
    try:
        yield desk
    finally:
        desk.close()
