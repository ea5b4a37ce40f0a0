"""Beartray moves, is deleted, or is tried out beside another: what becomes of its login item."""

from __future__ import annotations

import errno
import os
import plistlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.desktop.desk import require_programs, wait_until
from tests.desktop.test_autostart import FakeRegistry
from trayapp.desktop.autostart import Install, launch_command, login_environment
from trayapp.desktop.autostart_macos import LABEL, LaunchAgent
from trayapp.desktop.autostart_windows import APPROVED, RUN, WindowsAutostart
from trayapp.desktop.autostart_xdg import XdgAutostart
from trayapp.desktop.login import Login, LoginItem, what_to_do
from trayapp.photo import BeartrayError

CHECKOUT = Install(Path("/usr/bin/python3"), False, Path("/src"), Path("/bin"), (Path("/lib"),))
INSTALLED = replace(CHECKOUT, root=Path("/lib"))
BUNDLE = replace(CHECKOUT, frozen=True, interpreter=Path("/opt/beartray/beartray"))
ELSEWHERE = LoginItem("/item", ("/old/beartray",), True, None, True, False)
GONE = replace(ELSEWHERE, program_there=False)


@pytest.mark.parametrize(
    ("item", "wanted", "install", "was_there", "done"),
    [
        (GONE, False, BUNDLE, True, "point"),
        (GONE, True, CHECKOUT, True, "point"),
        (ELSEWHERE, True, BUNDLE, True, "point"),
        (ELSEWHERE, True, INSTALLED, True, "point"),
        (ELSEWHERE, True, CHECKOUT, True, "leave"),  # somebody only tries the source
        (replace(GONE, enabled=False, switched_off="x"), True, BUNDLE, True, "point"),
        (replace(GONE, same_home=False), True, BUNDLE, True, "leave"),  # a portable one's
        (replace(ELSEWHERE, own=True), True, BUNDLE, True, "leave"),
        (LoginItem("/item"), True, BUNDLE, False, "make"),  # the settings came from elsewhere
        (LoginItem("/item"), True, BUNDLE, True, "leave"),  # the person took it away
        (LoginItem("/item"), False, BUNDLE, False, "leave"),
        (GONE, True, replace(BUNDLE, interpreter=Path("/x/AppTranslocation/1/b")), True, "leave"),
    ],
)
def test_what_a_start_does_about_it(
    item: LoginItem, wanted: bool, install: Install, was_there: bool, done: str
) -> None:
    assert what_to_do(item, wanted, install, was_there) == done


class Home:
    """A Linux user with bundles in several places; each writes down that it was started."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.memory = folder, folder / "private" / "login-item"
        self.config = folder / "config"
        self.autostart = XdgAutostart(self.config, ["XFCE"], {})
        self.environ = {"PATH": os.environ["PATH"]}

    def bundle(self, place: str) -> Install:
        program = self.folder / place / "beartray"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\necho "{place}" > "{self.folder}/started"\n')
        program.chmod(0o755)
        return replace(BUNDLE, interpreter=program)

    def login(self, install: Install) -> Login:
        return Login(self.autostart, self.memory, self.environ, install)

    def item_file(self) -> Path:
        return Path(self.autostart.place)

    def add(self, line: str) -> None:
        """As the desktop's settings program does."""
        text = self.item_file().read_text().replace("X-GNOME-Autostart-enabled=true\n", "")
        self.item_file().write_text(f"{text}{line}\n")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_bundle_that_moved_is_started_from_its_new_place(home: Home) -> None:
    old = home.bundle("Bear tray 1")
    home.login(old).switch(True)
    assert home.login(old).item().words == "yes"
    home.add("X-GNOME-Autostart-Delay=20")
    new = home.bundle("opt/Bär “2” 100%")
    old.interpreter.unlink()
    login = home.login(new)
    assert f"{old.interpreter} is not there any more" in login.item().words
    assert not login.item().starts
    assert login.repair(wanted=True) and login.item().words == "yes"
    assert login.item().row()["command"] == [str(new.interpreter)]
    assert "X-GNOME-Autostart-Delay=20" in home.item_file().read_text(), "the person's own line"
    assert not login.repair(wanted=True), "once is enough"


@pytest.mark.desktop
def test_after_the_move_a_real_starter_starts_the_new_one(home: Home) -> None:
    require_programs("dex")
    old, new = home.bundle("one place"), home.bundle("another place")
    home.login(old).switch(True)
    old.interpreter.unlink()
    environ = {**os.environ, "XDG_CONFIG_HOME": str(home.config), "XDG_CONFIG_DIRS": "/nowhere"}

    def log_in() -> None:
        subprocess.run(["dex", "-a", "-e", "XFCE"], env=environ, timeout=20, check=False)

    log_in()
    assert home.login(new).repair(wanted=True)
    log_in()
    started = home.folder / "started"
    wait_until(lambda: started.exists() and started.read_text(), "it was started")
    assert started.read_text() == "another place\n"


@pytest.mark.parametrize("line", ["Hidden=true", "X-GNOME-Autostart-enabled=false"])
def test_what_was_switched_off_is_repaired_and_stays_off(home: Home, line: str) -> None:
    old, new = home.bundle("old"), home.bundle("new")
    home.login(old).switch(True)
    home.add(line)
    login = home.login(new)
    assert login.repair(wanted=True)
    item = login.item()
    assert item.own and not item.starts and "switched off in the desktop's own" in item.words
    login.switch(True)
    assert login.item().starts, "until the person says yes in Beartray"


def test_an_item_that_the_person_took_away_does_not_come_back_by_itself(home: Home) -> None:
    login = home.login(home.bundle("here"))
    assert login.repair(wanted=True), "the setting was written by hand, before the first start"
    assert login.item().starts
    home.item_file().unlink()
    assert not login.repair(wanted=True) and not home.item_file().exists()
    login.switch(True)
    login.switch(False)
    assert not home.memory.exists()
    assert login.repair(wanted=True), "and once more by hand"


def test_another_beartray_home_is_another_persons_affair(home: Home) -> None:
    portable = XdgAutostart(home.config, ["XFCE"], {"BEARTRAY_HOME": "/stick"})
    portable.enable(["/stick/beartray"])
    assert portable.home() == "/stick" and portable.command() == ["/stick/beartray"]
    assert not home.login(home.bundle("here")).repair(wanted=True)
    assert "/stick/beartray" in home.item_file().read_text()


def test_an_item_that_cannot_be_written_says_where(home: Home) -> None:
    home.config.write_text("a file is in the way")
    with pytest.raises(BeartrayError, match=r"beartray.desktop: the login item cannot be changed"):
        home.login(home.bundle("here")).switch(True)


def test_a_mac_app_that_was_not_moved_yet_is_asked_to_be(home: Home) -> None:
    place = "/private/var/folders/x/AppTranslocation/1/d/Beartray.app/Contents/MacOS/beartray"
    login = home.login(replace(BUNDLE, interpreter=Path(place)))
    with pytest.raises(BeartrayError, match="Applications folder"):
        login.switch(True)
    assert not home.item_file().exists()


def test_an_appimage_starts_itself_and_not_the_place_where_it_is_mounted(tmp_path: Path) -> None:
    mount, image = tmp_path / ".mount_Bear", tmp_path / "Bear tray.AppImage"
    inside = replace(BUNDLE, interpreter=mount / "usr" / "bin" / "beartray", image=image)
    assert launch_command(inside) == [str(image)]
    # Started in a terminal that is itself an AppImage: those variables are not about us.
    environ = {"APPIMAGE": str(image), "APPDIR": str(mount)}
    assert Install.current(environ).image is None


def test_windows_keeps_what_task_manager_switched_off(tmp_path: Path) -> None:
    registry = FakeRegistry()
    autostart = WindowsAutostart(registry, {})
    autostart.enable([r"C:\old\beartray.exe"])
    registry.keys[APPROVED] = {"Beartray": b"\x03" + bytes(11)}
    install = replace(BUNDLE, interpreter=tmp_path / "beartray.exe")
    login = Login(autostart, tmp_path / "memory", {}, install)
    assert login.repair(wanted=True)
    assert registry.keys[APPROVED] and not autostart.is_enabled()
    assert autostart.command() == [str(install.interpreter)]
    assert "Task Manager" in login.item().words


@pytest.mark.parametrize(
    ("environment", "command", "number"),
    [
        ({}, [rf"C:\{'long folder ' * 25}\beartray.exe"], errno.ENAMETOOLONG),
        ({"BEARTRAY_HOME": r"D:\%TEMP%"}, ["beartray.exe"], errno.EINVAL),
    ],
)
def test_windows_is_given_nothing_that_it_would_pass_over(
    environment: dict[str, str], command: list[str], number: int
) -> None:
    registry = FakeRegistry()
    with pytest.raises(OSError) as failed:
        WindowsAutostart(registry, environment).enable(command)
    assert failed.value.errno == number and registry.keys[RUN] == {}


def test_windows_tells_whose_home_an_item_has() -> None:
    autostart = WindowsAutostart(FakeRegistry(), {"BEARTRAY_HOME": r"D:\50% of bears"})
    autostart.enable([r"C:\a b\beartray.exe", "run"])
    assert autostart.home() == r"D:\50% of bears"
    assert autostart.command() == [r"C:\a b\beartray.exe", "run"]


class Launchd:
    """`launchctl`: what it is asked, and what it says is switched off."""

    def __init__(self, printed: str) -> None:
        self.printed = printed
        self.asked: list[list[str]] = []

    def __call__(self, arguments: object) -> str:
        words = list(arguments)  # type: ignore[call-overload]
        self.asked.append(words)
        if words[0] == "enable":
            self.printed = ""
        return self.printed


@pytest.mark.parametrize("word", ["true", "disabled"])
def test_macos_knows_by_itself_what_was_switched_off(tmp_path: Path, word: str) -> None:
    launchd = Launchd(f'disabled services = {{\n\t"{LABEL}" => {word}\n\t"x" => false\n}}')
    agent = LaunchAgent(tmp_path, {}, launchd, user=501)
    assert agent.switched_off() is None and launchd.asked == [], "there is no item to ask about"
    agent.point(["/old"])
    assert "launchctl enable gui/501/" in str(agent.switched_off()) and not agent.is_enabled()
    assert launchd.asked == [["print-disabled", "gui/501"]], "asked once for a while"
    agent.enable(["/Applications/Beartray.app/Contents/MacOS/beartray"])
    assert ["enable", f"gui/501/{LABEL}"] in launchd.asked and agent.is_enabled()


def test_macos_keeps_the_persons_own_keys(tmp_path: Path) -> None:
    agent = LaunchAgent(tmp_path, {"BEARTRAY_HOME": "/stick"})
    agent.enable(["/old"])
    file = Path(agent.place)
    written = plistlib.loads(file.read_bytes())
    file.write_bytes(plistlib.dumps({**written, "Nice": 5, "Disabled": True}))
    agent.point(["/new"])
    kept = plistlib.loads(file.read_bytes())
    assert (kept["ProgramArguments"], kept["Nice"], kept["Disabled"]) == (["/new"], 5, True)
    assert agent.home() == "/stick" and not agent.is_enabled()


def test_home_is_compared_as_the_item_would_set_it(home: Home, tmp_path: Path) -> None:
    environ = {**home.environ, "BEARTRAY_HOME": str(tmp_path / "stick")}
    autostart = XdgAutostart(home.config, ["XFCE"], login_environment(environ))
    old, new = home.bundle("old"), home.bundle("new")
    Login(autostart, home.memory, environ, old).switch(True)
    old.interpreter.unlink()
    assert Login(autostart, home.memory, environ, new).repair(wanted=False)
    assert autostart.command() == [str(new.interpreter)]
    assert autostart.home() == str(tmp_path / "stick")
