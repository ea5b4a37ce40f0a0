"""The real program on a real screen, from the first photo to Quit, as a person uses it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.desktop.desk import PrivateBus, wait_until
from tests.desktop.real_app import (
    BLUE,
    BROWN,
    RED,
    RealApp,
    cpu_share,
    has,
    memory,
)
from tests.helpers import SLOWNESS, picture
from tests.program import BEARTRAY, Program

pytestmark = pytest.mark.desktop


def test_photos_are_filed_told_and_taken_back(app: RealApp) -> None:
    app.start_and_wait()
    assert has(app.desk.icon(), BROWN, 60)
    app.wait_for_line("Recent")
    assert "Nothing filed yet" in app.labels()

    app.drop("IMG_0001.jpg", "grizzly")
    app.wait_for_tree("grizzly/IMG_0001.jpg")
    app.desk.wait_for_notices(1)
    app.desk.screenshot("real-notification")
    app.wait_for_line("IMG_0001.jpg → grizzly")
    app.wait_for_line("Watching ~/Pictures/Inbox · 1 filed today")

    app.desk.press_button_of_notice()
    app.wait_for_tree("IMG_0001.jpg")
    app.desk.wait_for_notices(0)  # it would be untrue by now
    assert app.notices_so_far() == ["Photo filed: IMG_0001.jpg → grizzly, 99 %"]
    app.wait_for_line("Nothing filed yet")

    opened = app.desk.stub("xdg-open")
    app.drop("IMG_0009.jpg", "black")
    app.desk.wait_for_notices(1)
    app.desk.press_button_of_notice("Show")
    wait_until(lambda: opened() == [str(app.inbox / "black")], "the photo was shown")
    app.command("undo", "--last")
    app.notices()
    (app.inbox / "IMG_0009.jpg").unlink()

    app.drop("IMG_0002.jpg", "teddy")
    app.wait_for_tree("IMG_0001.jpg", "teddy/IMG_0002.jpg")  # the one taken back stays

    # An Undo that is no longer possible says why, and touches nothing.
    app.desk.wait_for_notices(1)
    (app.inbox / "teddy" / "IMG_0002.jpg").write_bytes(b"edited")
    app.desk.press_button_of_notice()
    app.wait_for_words("changed")
    said = app.notices_until("changed")
    assert [line.startswith("Photo filed") for line in said] == [True, False], said
    assert "IMG_0002.jpg" in said[1]
    assert (app.inbox / "teddy" / "IMG_0002.jpg").read_bytes() == b"edited"

    # `beartray undo` is another process; the icon's menu follows all the same.
    app.drop("IMG_0003.jpg", "black")
    app.wait_for_line("Undo last: IMG_0003.jpg")
    app.command("undo", "--last")
    app.wait_for_line("IMG_0003.jpg", there=False)
    app.wait_for_line("Watching ~/Pictures/Inbox · 1 filed today")
    app.desk.wait_for_notices(1)
    app.notices()
    app.wait_for_tree("IMG_0001.jpg", "IMG_0003.jpg", "teddy/IMG_0002.jpg")


def test_a_burst_is_one_digest_and_costs_little(app: RealApp) -> None:
    app.start_and_wait()
    assert app.process is not None
    app.drop_many(40, (2400, 1800))  # a PNG cannot be decoded at a smaller size: work to be seen
    app.wait_for_icon(BLUE)
    app.desk.screenshot("real-busy")
    wait_until(lambda: app.status()["filed_today"] == 40, "all were filed", 60.0)
    app.wait_for_line("Watching ~/Pictures/Inbox · 40 filed today")
    assert app.notices() == ["40 photos filed: 40 grizzly"]
    wait_until(lambda: not has(app.desk.icon(), BLUE), "the mark was gone")
    assert len(app.tree()) == 40
    assert memory(app.process.pid) < 60
    assert cpu_share(app.process.pid, 3.0) < 0.01
    app.end()


def test_what_is_wrong_is_shown_and_heals(app: RealApp) -> None:
    app.configure(app.inbox / "card")
    app.start_and_wait()
    app.wait_for_icon(RED)
    missing = f"{app.inbox / 'card'} is not there"
    app.wait_for_line(f"⚠ {missing}"[:60])
    assert missing in app.command("status") and missing in app.log()
    assert missing in app.notices()[0]
    app.desk.screenshot("real-problem")
    (app.inbox / "card").mkdir()
    app.wait_for_icon(BROWN, 60)
    app.wait_for_line("⚠", there=False)
    app.drop("a.jpg", "black", app.inbox / "card")
    app.wait_for_tree("card/black/a.jpg")
    app.notices()

    # A second start is no second watcher: the first one shows itself.
    assert "running already" in app.command(status=3)
    assert app.notices()[0].startswith("Beartray is running already: Watching ")

    app.end(signal.SIGINT)
    app.drop("b.jpg", "grizzly", app.inbox / "card")

    # Broken settings: no photo is touched before it is clear what is wanted.
    good = app.settings.read_text()
    app.settings.write_text(good.replace("[model]", '[sort]\naction = "burn"\n[model]'))
    app.start()
    app.wait_for_icon(RED)
    app.wait_for_line("Not watching")
    assert 'sort.action: found "burn"'.replace('"', "'") in app.notices()[0]
    assert app.tree() == ["card/b.jpg", "card/black/a.jpg"]
    app.settings.write_text(good)
    app.wait_for_icon(BROWN, 60)
    app.wait_for_tree("card/grizzly/b.jpg", "card/black/a.jpg")
    app.notices()

    # A model that cannot be loaded.
    app.settings.write_text(good.replace("colours", "nowhere"))
    app.wait_for_icon(RED)
    app.settings.write_text(good)
    app.wait_for_icon(BROWN, 60)
    app.end()


def test_without_any_desktop_it_says_so_and_works(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    program = Program(tmp_path / "home")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"):
        program.environ.pop(name, None)
    program.configure(f'[folder]\npath = "{inbox}"')
    process = subprocess.Popen(
        BEARTRAY, env=program.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    wait_until(lambda: program.try_command("status").returncode == 0, "it was up", 20.0)
    picture(inbox / "a.jpg", colour=(255, 0, 0))
    wait_until((inbox / "grizzly" / "a.jpg").exists, "the photo was filed", 20.0)
    said = program.end(process)
    assert process.returncode == 0
    assert "No tray icon: there is no desktop session here" in said


def test_a_journal_that_cannot_be_used_is_told_on_the_screen(app: RealApp) -> None:
    (app.home / "journal.sqlite").write_text("not a database, and long enough to be looked at" * 9)
    assert app.start().wait(20 * SLOWNESS) == 1
    app.desk.wait_for_notices(1)
    (told,) = app.notices()
    assert told.startswith("Beartray cannot start: ")
    assert "journal.sqlite" in told and "rename the file to start a new one" in told


def test_its_terminal_may_go_away(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    program = Program(tmp_path / "home")
    process = program.start(inbox)
    assert process.stdout is not None
    process.stdout.close()
    for name in ("a.jpg", "b.jpg"):  # the first one's message is the first that nobody reads
        picture(inbox / name, colour=(255, 0, 0))
        wait_until((inbox / "grizzly" / name).exists, f"{name} was filed")
        wait_until(lambda: program.status()["state"] == "watching", "it was at peace")
    process.send_signal(signal.SIGHUP)
    assert process.wait(2.0 * SLOWNESS) == 0
    log = (program.home / "log" / "beartray.log").read_text()
    assert "Traceback" not in log, log


def test_plyer_speaks_where_no_notification_service_answers(
    private_bus: PrivateBus, tmp_path: Path
) -> None:
    inbox, programs, said = tmp_path / "inbox", tmp_path / "bin", tmp_path / "said"
    inbox.mkdir()
    programs.mkdir()
    stub = programs / "notify-send"
    stub.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{said}"\n')
    stub.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    program = Program(tmp_path / "home", {"PATH": path, "DISPLAY": ":no-such-screen"})
    program.environ["DBUS_SESSION_BUS_ADDRESS"] = private_bus.address
    program.configure(f'[folder]\npath = "{inbox}"')
    process = subprocess.Popen(
        [sys.executable, "-m", "trayapp"],
        env=program.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: program.try_command("status").returncode == 0, "it was up", 20.0)
        picture(inbox / "a.jpg", colour=(255, 0, 0))
        wait_until(said.exists, "notify-send was called")
        assert "a.jpg → grizzly, 99 %" in said.read_text().splitlines()
    finally:
        program.end(process)
