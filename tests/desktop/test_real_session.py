"""The real program from login to logout: panels that come late, come back, and go."""

from __future__ import annotations

import pytest

from tests.desktop.desk import Desk, wait_until
from tests.desktop.real_app import BROWN, RealApp, descendants

pytestmark = pytest.mark.desktop


def test_the_desktop_comes_and_goes(desk: Desk) -> None:
    app = RealApp(desk)
    desk.stop_panel()
    app.start()
    app.wait_for_words("Watching")
    app.end()  # at once, while it still waits for a panel

    app.start()
    app.wait_for_words("No tray icon yet")
    app.drop("a.jpg", "black")
    app.wait_for_tree("black/a.jpg")
    desk.start_panel()
    desk.wait_for_icon()
    app.wait_for_line("a.jpg → black")
    desk.restart_panel()
    desk.wait_for_icon()
    app.wait_for_icon(BROWN, 60)
    app.drop("b.jpg", "teddy")
    app.wait_for_line("b.jpg → teddy")
    desk.choose("Undo last: b.jpg")  # the new panel's menu works too
    app.wait_for_tree("b.jpg", "black/a.jpg")

    # Logging out, with a question still open on the screen, in the middle of work.
    desk.choose("Settings", "Change folder")
    desk.window("Choose the folder")
    app.drop_many(50)
    wait_until(lambda: len(app.history("done")) > 1, "it was at work")
    assert app.process is not None
    family = descendants(app.process.pid)
    assert family
    desk.logout()
    app.wait_for_the_end(family)
    kept = app.tree()
    assert len(kept) == 52 and not [name for name in kept if name.rpartition("/")[2][0] == "."]
    assert app.history("begun") == []
