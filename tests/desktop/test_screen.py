"""The tray on a real screen: seen in pixels, used with mouse and keyboard."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from tests.desktop.desk import ICON, Desk, require_programs, wait_until
from tests.desktop.real_app import RealApp
from tests.helpers import SLOWNESS

pytestmark = pytest.mark.desktop

BROWN, GREY = (0x8A, 0x5A, 0x33), (0x8D, 0x8D, 0x92)
BADGES = {"busy": (0x1F, 0x6F, 0xD6), "paused": GREY, "problem": (0xD9, 0x2B, 0x1F)}


class App:
    """The stand-in app on a desk."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.folder = desk.home / "Pictures"
        self.folder.mkdir()
        self._log = desk.folder / "actions"
        self._log.touch()
        self.process = desk.python("-m", "tests.desktop.stand_in", str(self._log), str(self.folder))
        desk.wait_for_icon()

    def did(self) -> list[str]:
        return self._log.read_text().splitlines()[1:]

    def wait_for(self, effect: str) -> None:
        wait_until(lambda: effect in self.did(), f"{effect} was done; {self.desk.log()}")

    def resident(self) -> int:
        """MB of memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) // 1024

    def cpu(self) -> int:
        """Clock ticks used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])


@pytest.fixture
def app(desk: Desk) -> Iterator[App]:
    app = App(desk)
    yield app
    if app.process.poll() is None:
        desk.stop(app.process)


def has(picture: Image.Image, colour: tuple[int, int, int], at_least: int = 12) -> bool:
    pixels = picture.tobytes()
    near = [
        all(abs(pixels[at + band] - colour[band]) < 12 for band in range(3))
        for at in range(0, len(pixels), 3)
    ]
    return sum(near) >= at_least


def test_a_bear_sits_in_the_panel_and_its_menu_opens(app: App) -> None:
    assert has(app.desk.icon(), BROWN, 60)
    app.desk.open_menu()
    app.desk.screenshot("menu")
    app.desk.keys("Escape")
    assert app.resident() < 60


def test_the_state_can_be_seen(app: App) -> None:
    for state, colour in BADGES.items():
        app.process.send_signal(signal.SIGUSR1)
        wait_until(lambda colour=colour: has(app.desk.icon(), colour), f"{state} was seen")  # type: ignore[misc]
        app.desk.screenshot(f"icon-{state}")
    app.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: not has(app.desk.icon(), BADGES["problem"]), "the mark was gone")


def test_pausing_with_mouse_and_keyboard(app: App) -> None:
    app.desk.choose("Pause")
    app.wait_for("pause None")
    wait_until(lambda: has(app.desk.icon(), GREY, 60), "the bear was grey")
    app.desk.open_menu()
    app.desk.screenshot("menu-paused")
    app.desk.keys("Escape")
    assert [line.checked for line in app.desk.menu() if line.label == "Pause"] == [True]
    app.desk.choose("Pause")
    app.wait_for("resume")
    wait_until(lambda: has(app.desk.icon(), BROWN, 60), "the bear was brown again")


def test_a_recent_photo_is_shown_by_the_file_manager(app: App) -> None:
    opened = install_file_manager(app.desk)
    photo = app.folder / "black" / "IMG_0003.jpg"
    photo.parent.mkdir()
    photo.touch()
    app.desk.choose("Recent", "IMG_0003")
    wait_until(lambda: opened.exists(), "the file manager was started")
    assert opened.read_text().splitlines() == [str(photo.parent)]


def test_a_left_click_opens_the_folder(app: App) -> None:
    opened = install_file_manager(app.desk)
    app.desk.click(*ICON)
    wait_until(lambda: opened.exists(), "the file manager was started")
    assert opened.read_text().splitlines() == [str(app.folder)]


def test_a_middle_click_pauses_and_resumes(app: App) -> None:
    app.desk.click(*ICON, button=2)
    app.wait_for("pause None")
    app.desk.click(*ICON, button=2)
    app.wait_for("resume")


def test_hovering_tells_what_was_filed_today(app: App) -> None:
    bare = app.desk.look()
    app.desk.point(*ICON)
    wait_until(
        lambda: ImageChops.difference(bare, app.desk.look()).crop((0, 40, 1024, 90)).getbbox(),
        "the tooltip was seen",
    )
    app.desk.screenshot("tooltip")


def test_another_folder_is_chosen_in_a_real_dialog(app: App) -> None:
    require_programs("zenity")
    bears = app.desk.home / "My Bears"
    bears.mkdir()
    app.desk.choose("Settings", "Change folder")
    app.desk.window("Choose the folder")
    app.desk.screenshot("choose-folder")
    app.desk.keys("Escape")
    wait_until(lambda: not app.desk.windows("Choose the folder"), "the dialog was closed")
    assert app.did() == []
    app.desk.choose("Settings", "Change folder")
    window = app.desk.window("Choose the folder")
    app.desk.type(f"{bears}/")  # GTK opens a line to type in at the first slash

    def chosen() -> bool:
        if window in app.desk.windows("Choose the folder"):
            app.desk.keys("Return")
        return f"change_folder {bears}" in app.did()

    wait_until(chosen, "the folder was changed")
    assert app.desk.menu()[0].label == "Watching My Bears"


def test_sorting_what_was_there_asks_first(app: App) -> None:
    require_programs("zenity")
    app.desk.choose("Sort the 214")
    app.desk.window("Beartray")
    app.desk.screenshot("sort-existing")
    app.desk.keys("Escape")
    wait_until(lambda: not app.desk.windows("Beartray"), "the question was closed")
    assert app.did() == []
    app.desk.choose("Sort the 214")
    app.desk.window("Beartray")
    app.desk.keys("Return")
    app.wait_for("sort_existing")


def test_undo_in_a_real_notification(app: App) -> None:
    empty = app.desk.look()
    app.process.send_signal(signal.SIGUSR2)
    wait_until(
        lambda: ImageChops.difference(empty, app.desk.look()).getbbox(), "the notification was seen"
    )
    app.desk.screenshot("notification")
    assert app.desk.run("dunstctl", "action", "0").returncode == 0
    app.wait_for("undo (5,)")


def test_plyer_is_understood_by_a_real_service(desk: Desk) -> None:
    require_programs("notify-send", "dunstctl")
    empty = desk.look()
    done = desk.run(
        sys.executable,
        "-c",
        "import threading\n"
        "from trayapp.desktop.notify import LogNotifier, Manners, plyer_notifier\n"
        "from trayapp.tell import Notice\n"
        "notifier = plyer_notifier(Manners(markup=True, options=True), LogNotifier())\n"
        "notifier.show(Notice('-Filed <1> photo', '--help is a <b>grizzly</b>'))\n"
        "notifier.close()\n"
        "[thread.join() for thread in threading.enumerate() if thread.name == 'notify']\n",
    )
    assert (done.returncode, done.stderr) == (0, "")
    wait_until(
        lambda: ImageChops.difference(empty, desk.look()).getbbox(), "the notification was seen"
    )
    desk.screenshot("notification-plyer")
    desk.run("dunstctl", "close")
    wait_until(lambda: any("help is a" in one.body for one in desk.closed_notices()), "it was kept")


def test_the_icon_comes_back_each_time_the_panel_crashed(app: App) -> None:
    for _ in range(10):
        app.desk.restart_panel()
        app.desk.wait_for_icon()
    app.desk.choose("Settings", "Start at login")
    app.wait_for("set_at_login True")


def test_the_app_outlives_its_session_bus(app: App) -> None:
    app.desk.lose_bus()
    with pytest.raises(subprocess.TimeoutExpired):
        app.process.wait(2)
    app.desk.bring_bus_back()
    app.desk.wait_for_icon()
    app.desk.click(*ICON, button=2)
    app.wait_for("pause None")


def test_photos_are_filed_while_the_session_bus_is_gone(desk: Desk) -> None:
    real = RealApp(desk)
    real.start_and_wait()
    desk.lose_bus()
    real.drop("one.jpg")
    real.wait_for_tree("grizzly/one.jpg")
    desk.bring_bus_back()
    desk.wait_for_icon()
    real.wait_for_line("one.jpg → grizzly")
    real.drop("two.jpg", "teddy")
    real.wait_for_tree("grizzly/one.jpg", "teddy/two.jpg")
    assert real.notices_until("teddy")  # of its own, or in a digest with the first one
    real.end()


def test_quit_ends_the_app_and_takes_the_bear_away(app: App) -> None:
    app.desk.choose("Quit")
    assert app.process.wait(5 * SLOWNESS) == 0
    wait_until(lambda: not has(app.desk.icon(), BROWN), "the bear was gone")


def test_a_logout_ends_the_app(app: App) -> None:
    app.desk.logout()
    assert app.process.wait(10) == 0
    assert app.did()[-1] == "threads left: ['MainThread']"


def test_quit_takes_open_dialogs_away(app: App) -> None:
    require_programs("zenity")
    app.desk.choose("Settings", "Change folder")
    app.desk.window("Choose the folder")
    app.desk.choose("Quit")
    assert app.process.wait(5 * SLOWNESS) == 0
    wait_until(lambda: not app.desk.windows("Choose the folder"), "the dialog was gone")


def test_idle_costs_nothing(app: App) -> None:
    before = app.cpu()
    with pytest.raises(subprocess.TimeoutExpired):
        app.process.wait(2 * SLOWNESS)
    assert app.cpu() - before <= 1


def install_file_manager(desk: Desk) -> Path:
    """A program in the place of xdg-open that notes what it is asked to show."""
    opened = desk.folder / "opened"
    program = desk.programs / "xdg-open"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{opened}~"; mv "{opened}~" "{opened}"\n')
    program.chmod(0o755)
    return opened
