"""The bundle on a real desktop: an icon, a photo filed, a notification, undo, login, the end."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("a virtual desktop is for Linux only", allow_module_level=True)

from tests.desktop.conftest import SHOTS, folder_in_memory
from tests.desktop.desk import Desk
from tests.desktop.real_app import BROWN, RealApp, has

pytestmark = pytest.mark.frozen


@pytest.fixture
def app(bundle: Path) -> Iterator[RealApp]:
    """Not yet started, on a desk of its own."""
    with folder_in_memory() as folder:
        desk = Desk(folder, SHOTS)
        app = RealApp(desk, program=[str(bundle / "beartray")])
        try:
            yield app
        finally:
            app.close()
            desk.close()


def test_it_is_at_home_in_the_tray(app: RealApp) -> None:
    app.start_and_wait()
    assert has(app.desk.icon(), BROWN, 60)
    assert "NOT GOOD" not in app.command("doctor")

    app.drop("IMG_0001.jpg", "grizzly")
    app.wait_for_tree("grizzly/IMG_0001.jpg")
    app.desk.wait_for_notices(1)
    app.desk.press_button_of_notice()
    app.wait_for_tree("IMG_0001.jpg")

    app.command("quit")
    assert app.process is not None
    assert app.process.wait(20) == 0
