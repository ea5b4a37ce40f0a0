"""Fixtures: a bare session bus, and a whole virtual desktop."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.helpers import folder_in_memory

HERE = Path(__file__).resolve().parent
DESK = re.compile(r"from tests\.desktop\.(desk|real_app|stage) import")  # need D-Bus and X
collect_ignore = []
if sys.platform == "linux":
    from tests.desktop.desk import Desk, PrivateBus, Processes, require_programs
    from tests.desktop.real_app import RealApp
    from tests.desktop.stage import Stage, a_stage
else:
    tests = {path.name: path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py")}
    collect_ignore += [name for name, text in tests.items() if DESK.search(text)]
if not os.environ.get("BEARTRAY_TEST_SYSTEM"):  # it changes what this user starts at login
    collect_ignore.append("test_real_system.py")

# As the Linux desktop does, before anything imports pystray: no X display is looked for.
os.environ["PYSTRAY_BACKEND"] = "dummy"

SHOTS = HERE.parents[1] / "test-output"


@pytest.fixture
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tray that shows each change at once; the rest between two is for the sake of panels."""
    monkeypatch.setattr("trayapp.desktop.tray.REFRESH_SECONDS", 0.01)


@pytest.fixture
def private_bus(in_memory: Path) -> Iterator[PrivateBus]:
    """A session bus on which nobody is."""
    require_programs("dbus-daemon")
    with closing(Processes(dict(os.environ), in_memory / "logs")) as processes:
        yield PrivateBus(in_memory, processes)


@pytest.fixture
def stage(private_bus: PrivateBus, tmp_path: Path) -> Iterator[Stage]:
    """A bus with room for a tray, and for a panel of the test's own."""
    with a_stage(private_bus, tmp_path) as stage:
        yield stage


@pytest.fixture
def desk(in_memory: Path) -> Iterator[Desk]:
    """A desktop with a real panel, notification service, mouse and keyboard."""
    with closing(Desk(in_memory, SHOTS)) as desk:
        yield desk


@pytest.fixture(scope="module")
def shared_desk() -> Iterator[Desk]:
    """One for all tests of a module, which leave it as they found it; a new one takes seconds."""
    with folder_in_memory() as folder, closing(Desk(folder, SHOTS)) as desk:
        yield desk


@pytest.fixture
def app(shared_desk: Desk) -> Iterator[RealApp]:
    """Beartray, not yet started, on a desk that others have used and will use."""
    with closing(RealApp(shared_desk)) as app:
        yield app
