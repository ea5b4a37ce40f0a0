"""Every item of the real program's menu, by mouse and keyboard, and what comes of it."""

from __future__ import annotations

import re
import shutil
import time

import pytest

from tests.desktop.desk import require_programs, wait_until
from tests.desktop.real_app import BROWN, GREY, RealApp, descendants
from tests.helpers import SLOWNESS
from tests.program import COLOURS
from trayapp import times

pytestmark = pytest.mark.desktop

WHAT = "What is this photo"


def test_photos_are_found_and_taken_back(app: RealApp) -> None:
    desk, opened = app.desk, app.desk.stub("xdg-open")
    app.start_and_wait()
    app.drop("IMG_0001.jpg", "grizzly")
    app.drop("IMG_0002.jpg", "teddy")
    app.drop("IMG_0003.jpg", "none")
    app.wait_for_line("Photos not recognised (1)")
    app.wait_for_line("Undo last batch (2 photos)")
    app.wait_for_line("Watching ~/Pictures/Inbox · 2 filed today")
    app.notices()
    desk.open_menu()
    desk.screenshot("real-menu")
    desk.keys("Escape")

    desk.choose("Open folder")
    wait_until(lambda: opened() == [str(app.inbox)], "the folder was opened")
    desk.choose("Recent", "IMG_0002.jpg")
    wait_until(lambda: opened()[1:] == [str(app.inbox / "teddy")], "the photo's folder was opened")
    desk.choose("Photos not recognised")
    wait_until(lambda: opened()[2:] == [str(app.inbox)], "where it lies was opened")
    desk.choose("Settings", "Settings file")
    wait_until(lambda: opened()[3:] == [str(app.settings)], "the settings were opened")
    desk.choose("Settings", "Log")
    log = str(app.home / "log" / "beartray.log")
    wait_until(lambda: opened()[4:] == [log], "the log was opened")

    desk.choose("Undo last batch")
    app.wait_for_tree("IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg")
    app.drop("IMG_0004.jpg", "black")
    app.wait_for_line("Undo last: IMG_0004.jpg")
    desk.choose("Undo last: IMG_0004.jpg")
    app.wait_for_tree(*(f"IMG_000{number}.jpg" for number in (1, 2, 3, 4)))
    app.wait_for_line("Nothing filed yet")

    desk.choose("Quit")
    assert app.process is not None
    app.wait_for_the_end(descendants(app.process.pid))


def test_pauses(app: RealApp) -> None:
    desk = app.desk
    app.start_and_wait()
    desk.choose("Pause")
    app.wait_for_icon(GREY, 60)
    app.wait_for_line("Paused ~/Pictures/Inbox")
    app.drop("IMG_0001.jpg", "teddy")
    desk.choose("Pause for one hour")
    app.wait_for_line("Paused until ")
    assert app.status()["pause_seconds_left"] > 3500
    desk.choose("Pause until tomorrow")
    now = times.local_now()  # after midnight, that is the coming morning
    morning = f"Paused until {times.until_words(times.tomorrow(now), now)}"
    app.wait_for_line(morning)
    desk.screenshot("real-paused")

    # It comes back where it was.
    app.end()
    app.start_and_wait()
    app.wait_for_icon(GREY, 60)
    app.wait_for_line(morning)
    assert app.tree() == ["IMG_0001.jpg"]
    desk.choose("Pause")  # a tick that is taken away
    app.wait_for_tree("teddy/IMG_0001.jpg")
    app.wait_for_icon(BROWN, 60)
    app.end()


def test_how_photos_are_sorted(app: RealApp) -> None:
    desk = app.desk
    other = app.home / "models" / "paints"
    shutil.copytree(COLOURS, other)
    app.start_and_wait()

    desk.choose("Action: move", "Copy")
    app.wait_for_setting('action = "copy"')
    app.wait_for_line("Action: copy")
    app.drop("IMG_0001.jpg", "grizzly")
    app.wait_for_tree("IMG_0001.jpg", "grizzly/IMG_0001.jpg")
    assert app.notices() == ["Photo copied: IMG_0001.jpg → grizzly, 99 %"]
    desk.choose("Action: copy", "Tag")
    app.wait_for_line("Action: tag")
    app.drop("IMG_0002.jpg", "black")
    sidecar = "IMG_0002.jpg.xmp"
    app.wait_for_tree("IMG_0001.jpg", "grizzly/IMG_0001.jpg", "IMG_0002.jpg", sidecar)
    assert "black" in (app.inbox / sidecar).read_text()
    app.notices()
    desk.choose("Action: tag", "Move")
    app.wait_for_setting('action = "move"')

    desk.choose("Model: colours", "paints")
    app.wait_for_setting('package = "paints"')
    app.wait_for_line("Model: paints")
    app.wait_for_engine()
    app.drop("IMG_0003.jpg", "teddy")
    app.wait_for_line("IMG_0003.jpg → teddy")
    app.notices()

    desk.choose("Notifications: each photo", "Off")
    app.wait_for_setting('mode = "off"')
    app.drop("IMG_0004.jpg", "teddy")
    app.wait_for_line("IMG_0004.jpg → teddy")
    desk.choose("Notifications: off", "Problems only")
    app.wait_for_setting('mode = "problems"')
    app.drop("IMG_0005.jpg", "teddy")
    app.wait_for_line("IMG_0005.jpg → teddy")
    desk.choose("Notifications: problems only", "Digest")
    app.wait_for_setting('mode = "digest"')
    desk.choose("Notifications: digest", "Each")
    app.wait_for_setting('mode = "each"')
    app.drop("IMG_0006.jpg", "teddy")
    assert app.notices() == ["Photo filed: IMG_0006.jpg → teddy, 99 %"]
    app.end()


def test_questions_and_answers(app: RealApp) -> None:
    require_programs("zenity")
    desk = app.desk
    album = desk.home / "Old album"
    album.mkdir()
    for name, label in (("a.jpg", "grizzly"), ("b.jpg", "black")):
        app.drop(name, label, album)
    app.start_and_wait()

    desk.choose(WHAT)
    app.choose_photo(WHAT, album / "b.jpg")
    assert app.read_message(WHAT) == "b.jpg: black, 99 %\nNothing was moved."
    assert app.tree(album) == ["a.jpg", "b.jpg"] and app.notices_so_far() == []
    desk.choose("About Beartray")
    assert "Beartray" in app.read_message("About Beartray")

    desk.choose("Settings", "Change folder")
    desk.answer_folder_dialog("Choose the folder", album)
    app.wait_for_line("Watching ~/Old album")
    app.wait_for_setting(f'path = "{album}" # the card')
    desk.choose("Sort the 2 photos already here")
    desk.window("Beartray")
    desk.screenshot("real-question")
    desk.keys("Return")
    app.wait_for_tree("grizzly/a.jpg", "black/b.jpg", folder=album)
    app.wait_for_line("Sort the", there=False)
    app.notices()
    app.drop("c.jpg", "teddy", album)
    app.wait_for_line("c.jpg → teddy")
    app.end()


def test_starting_at_login(app: RealApp) -> None:
    require_programs("dex")
    desk, item = app.desk, app.desk.config / "autostart" / "beartray.desktop"
    app.start_and_wait()
    desk.choose("Settings", "Start at login")
    wait_until(item.exists, "the login item was there")
    app.wait_for_setting("at_login = true")
    assert "Starts at login: yes" in app.command("autostart", "status")
    app.end()
    desk.environ["XDG_CONFIG_DIRS"] = str(desk.folder)  # this machine's own items are not meant
    desk.start("dex", "-a", "-e", "XFCE")
    desk.wait_for_icon()
    assert app.status()["login_item"]
    desk.choose("Settings", "Start at login")
    wait_until(lambda: not item.exists(), "the item was gone")
    app.wait_for_setting("at_login = false")
    app.command("quit")


def test_the_menu_opens_and_does_what_it_says_while_500_photos_are_filed(app: RealApp) -> None:
    desk = app.desk
    app.start_and_wait()
    # Panels report clicks with Event or with EventGroup.
    monitor = desk.start("dbus-monitor", "--session", "interface='com.canonical.dbusmenu'")
    wait_until(lambda: "NameAcquired" in desk.log("dbus-monitor"), "clicks were listened to")
    app.drop_many(500)
    app.wait_for_line("Undo last: ")
    said: dict[int, str] = {}  # what each item has been called; its id is for one photo only

    def clicked() -> list[str]:
        said.update({line.id: line.label for line in desk.menu()})
        return re.findall(r'int32 (\d+)\n *string "clicked"', desk.log("dbus-monitor"))

    clicked()
    before = time.monotonic()
    desk.open_menu()
    took = time.monotonic() - before
    desk.screenshot("real-menu-500")
    clicked()
    desk.choose_in_open_menu("Undo last: ")
    assert app.status()["pending"] > 50, "too few photos to keep it busy"
    (item,) = wait_until(clicked, "the click came to the app")
    desk.stop(monitor)
    undone = wait_until(lambda: app.history("undone"), "a photo was taken back")
    assert [f"Undo last: {name}" for name in undone] == [said[int(item)]]
    assert took < 1.5 * SLOWNESS  # with what it takes to see that it stands still
    wait_until(lambda: app.status()["filed_today"] == 499, "the others were filed", 60.0)
    assert app.history("undone") == undone
    app.end()


def test_a_dialog_goes_with_the_program(app: RealApp) -> None:
    desk = app.desk
    app.start_and_wait()
    before = app.settings.read_text()
    desk.choose("Settings", "Change folder")
    desk.window("Choose the folder")
    app.end()
    wait_until(lambda: not desk.windows("Choose the folder"), "the dialog was gone")
    assert app.settings.read_text() == before
