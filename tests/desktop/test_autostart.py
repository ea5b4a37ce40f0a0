"""Login items, written and read back as each system would."""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.desktop.desk import require_programs, wait_until
from trayapp.desktop.autostart import Install, launch_command, login_environment
from trayapp.desktop.autostart_macos import LaunchAgent
from trayapp.desktop.autostart_windows import (
    APPROVED,
    RUN,
    WindowsAutostart,
    split_command_line,
)
from trayapp.desktop.autostart_xdg import XdgAutostart, exec_line, parse_exec

AWKWARD = [
    "/opt/Bear tray/bin",
    "50% off",
    "%f",
    "$HOME",
    'say "hi"',
    "back\\slash",
    "Bär`熊",
    "*;&|",
]
NOTE_IT = """
import json, os, sys
with open(sys.argv[1] + "~", "w") as note:
    json.dump([sys.argv[2:], os.environ.get("BEARTRAY_HOME")], note)
os.rename(sys.argv[1] + "~", sys.argv[1])
"""
COMMANDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


@pytest.fixture
def xdg(tmp_path: Path) -> XdgAutostart:
    return XdgAutostart(tmp_path, ["XFCE"], {})


def test_a_login_item_is_there_after_enable_and_gone_after_disable(
    xdg: XdgAutostart, tmp_path: Path
) -> None:
    assert not xdg.is_enabled() and xdg.command() is None
    xdg.enable(["/usr/bin/beartray"])
    assert xdg.is_enabled() and xdg.command() == ["/usr/bin/beartray"]
    assert xdg.place == str(tmp_path / "autostart" / "beartray.desktop")
    assert [path.name for path in (tmp_path / "autostart").iterdir()] == ["beartray.desktop"]
    xdg.disable()
    xdg.disable()
    assert not xdg.is_enabled()


@given(COMMANDS)
def test_any_command_survives_the_quoting_of_exec(command: list[str]) -> None:
    line = exec_line(command)
    assert "\n" not in line
    assert parse_exec(line) == command


def test_exec_is_quoted_as_the_specification_says() -> None:
    assert exec_line(AWKWARD) == (
        r'"/opt/Bear tray/bin" "50%% off" %%f "\\$HOME" "say \\"hi\\"" "back\\\\slash" '
        r'"Bär\\`熊" "*;&|"'
    )


@pytest.mark.parametrize(
    ("line", "enabled"),
    [
        ("Hidden=true", False),
        ("X-GNOME-Autostart-enabled=false", False),
        ("OnlyShowIn=GNOME;KDE;", False),
        ("OnlyShowIn=GNOME;XFCE;", True),
        ("NotShowIn=XFCE;", False),
        ("NotShowIn=KDE;", True),
    ],
)
def test_what_a_person_switched_off_elsewhere_counts(
    xdg: XdgAutostart, line: str, enabled: bool
) -> None:
    xdg.enable(["beartray"])
    file = Path(xdg.place)
    text = file.read_text().replace("X-GNOME-Autostart-enabled=true\n", "")
    file.write_text(text + line + "\n[Other Group]\nHidden=true\n")
    assert xdg.is_enabled() is enabled
    xdg.enable(["beartray"])
    assert xdg.is_enabled()


def test_beartray_home_travels_with_the_login_item(tmp_path: Path) -> None:
    environment = login_environment({"BEARTRAY_HOME": str(tmp_path / "a b"), "PATH": "/bin"})
    item = XdgAutostart(tmp_path, [], environment)
    item.enable(["/bin/beartray", "run"])
    assert (
        f'Exec=env "BEARTRAY_HOME={tmp_path}/a b" /bin/beartray run\n'
        in Path(item.place).read_text()
    )
    assert item.command() == ["/bin/beartray", "run"]
    assert login_environment({}) == {}


def test_a_desktop_passes_over_the_item_of_a_program_that_was_removed(
    xdg: XdgAutostart, tmp_path: Path
) -> None:
    program = tmp_path / "beartray"
    program.touch(0o755)
    xdg.enable([str(program)])
    assert f"TryExec={program}\n" in Path(xdg.place).read_text()
    program.unlink()  # the package was removed: the person did not switch anything off
    assert xdg.switched_off() is None
    xdg.point(["/opt/beartray"])
    text = Path(xdg.place).read_text()
    assert text.count("TryExec") == 1
    assert "TryExec=/opt/beartray\nExec=/opt/beartray\n" in text
    xdg.point(["/opt/Bear tray"])  # desktops disagree about spaces here
    assert "TryExec" not in Path(xdg.place).read_text()


# dex knows neither escapes inside quotes nor "%%"; GLib, which GNOME and Xfce start with, does.
STARTERS = {
    "dex": (["dex", "-a", "-e", "XFCE"], ["/opt/Bear tray", "Bär 熊", "*;&|", "it's"]),
    "gio": (["gio", "launch", "ITEM"], AWKWARD),
}


@pytest.mark.desktop
@pytest.mark.parametrize("starter", STARTERS)
def test_a_real_starter_starts_the_login_item_with_every_argument_intact(
    tmp_path: Path, starter: str
) -> None:
    require_programs(starter)
    start, words = STARTERS[starter]
    answer = tmp_path / "what was started"
    script = tmp_path / "note it.py"
    script.write_text(NOTE_IT)
    item = XdgAutostart(tmp_path / "config", ["XFCE"], {"BEARTRAY_HOME": "/a b"})
    item.enable([sys.executable, str(script), str(answer), *words])
    places = {"XDG_CONFIG_HOME": tmp_path / "config", "XDG_CONFIG_DIRS": tmp_path, "HOME": tmp_path}
    environ = {**os.environ, **{name: str(place) for name, place in places.items()}}
    command = [item.place if word == "ITEM" else word for word in start]
    subprocess.run(command, env=environ, timeout=20, check=True)
    wait_until(answer.exists, "the login item had run")
    assert json.loads(answer.read_text()) == [words, "/a b"]


@pytest.mark.desktop
def test_a_login_item_that_is_switched_off_is_not_started(tmp_path: Path) -> None:
    require_programs("dex")
    item = XdgAutostart(tmp_path, ["XFCE"], {})
    item.enable(["touch", str(tmp_path / "started")])
    dry = ["dex", "-a", "-d", "-e", "XFCE"]
    environ = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path), "XDG_CONFIG_DIRS": str(tmp_path)}

    def would_start() -> str:
        return subprocess.run(
            dry, env=environ, timeout=20, check=True, capture_output=True, text=True
        ).stdout

    assert "touch" in would_start()
    Path(item.place).write_text(Path(item.place).read_text() + "Hidden=true\n")
    assert "touch" not in would_start()
    assert not item.is_enabled()


class FakeRegistry:
    """`winreg`, as far as login items go: one tree, checked as strictly as Windows does."""

    HKEY_CURRENT_USER, KEY_SET_VALUE, REG_SZ = object(), 2, 1

    def __init__(self) -> None:
        self.keys: dict[str, dict[str, Any]] = {RUN: {}}

    class Key:
        def __init__(self, values: dict[str, Any], writable: bool) -> None:
            self.values, self.writable = values, writable

        def __enter__(self) -> FakeRegistry.Key:
            return self

        def __exit__(self, *_: object) -> None:
            self.values = {}

    def CreateKeyEx(self, root: object, path: str, reserved: int, access: int) -> Key:  # noqa: N802
        assert root is self.HKEY_CURRENT_USER
        assert reserved == 0
        return self.Key(self.keys.setdefault(path, {}), access == self.KEY_SET_VALUE)

    def OpenKey(self, root: object, path: str, reserved: int = 0, access: int = 0) -> Key:  # noqa: N802
        assert root is self.HKEY_CURRENT_USER
        if path not in self.keys:
            raise FileNotFoundError(2, path)
        return self.Key(self.keys[path], access == self.KEY_SET_VALUE)

    def SetValueEx(self, key: Key, name: str, reserved: int, kind: int, value: object) -> None:  # noqa: N802
        assert key.writable and kind == self.REG_SZ and isinstance(value, str)
        key.values[name] = value

    def QueryValueEx(self, key: Key, name: str) -> tuple[Any, int]:  # noqa: N802
        if name not in key.values:
            raise FileNotFoundError(2, name)
        return key.values[name], self.REG_SZ

    def DeleteValue(self, key: Key, name: str) -> None:  # noqa: N802
        assert key.writable
        if name not in key.values:
            raise FileNotFoundError(2, name)
        del key.values[name]


def test_windows_starts_what_stands_under_run() -> None:
    registry = FakeRegistry()
    item = WindowsAutostart(registry, {})
    item.disable()
    assert not item.is_enabled() and item.command() is None
    item.enable([r"C:\Program Files\Beartray\beartray.exe", "run"])
    assert registry.keys[RUN] == {"Beartray": r'"C:\Program Files\Beartray\beartray.exe" run'}
    assert item.is_enabled()
    assert item.command() == [r"C:\Program Files\Beartray\beartray.exe", "run"]
    item.disable()
    assert registry.keys[RUN] == {} and not item.is_enabled()


def test_windows_task_manager_may_switch_it_off_and_the_tray_on_again() -> None:
    registry = FakeRegistry()
    item = WindowsAutostart(registry, {})
    item.enable(["beartray.exe"])
    registry.keys[APPROVED] = {"Beartray": b"\x03" + bytes(11)}
    assert not item.is_enabled()
    item.enable(["beartray.exe"])
    assert item.is_enabled()


def test_windows_carries_beartray_home() -> None:
    registry = FakeRegistry()
    item = WindowsAutostart(registry, {"BEARTRAY_HOME": r"D:\my bears"})
    item.enable([r"C:\a b\beartray.exe"])
    line = registry.keys[RUN]["Beartray"]
    assert line == (
        r'cmd /d /c "set "BEARTRAY_HOME=D:\my bears" && start "" "C:\a b\beartray.exe""'
    )
    assert item.command() == [r"C:\a b\beartray.exe"]


@given(st.lists(st.text(st.sampled_from('ab \t"\\é'), min_size=1), min_size=1))
def test_windows_command_lines_are_read_as_they_were_written(command: list[str]) -> None:
    assert split_command_line(subprocess.list2cmdline(command)) == command


def test_macos_gets_a_launch_agent(tmp_path: Path) -> None:
    agent = LaunchAgent(tmp_path, {"BEARTRAY_HOME": "/a b"})
    assert not agent.is_enabled()
    agent.enable(["/Applications/Bear Tray.app/Contents/MacOS/beartray"])
    plist = plistlib.loads(Path(agent.place).read_bytes())
    assert plist["ProgramArguments"] == ["/Applications/Bear Tray.app/Contents/MacOS/beartray"]
    assert plist["RunAtLoad"] is True and plist["EnvironmentVariables"]["BEARTRAY_HOME"] == "/a b"
    assert Path(agent.place).stem == plist["Label"]
    assert agent.is_enabled() and agent.command() == plist["ProgramArguments"]
    Path(agent.place).write_bytes(plistlib.dumps({**plist, "Disabled": True}))
    assert not agent.is_enabled()
    Path(agent.place).write_text("no property list")
    assert not agent.is_enabled()
    agent.disable()
    assert not Path(agent.place).exists()


def an_install(tmp_path: Path, **changes: Any) -> Install:
    usual: dict[str, Any] = {
        "interpreter": Path(sys.executable),
        "frozen": False,
        "root": tmp_path / "check out's",
        "scripts": tmp_path / "bin",
        "sites": (tmp_path / "site-packages",),
    }
    return Install(**{**usual, **changes})


def test_a_bundle_starts_itself(tmp_path: Path) -> None:
    install = an_install(tmp_path, frozen=True, interpreter=Path("/opt/beartray/beartray"))
    assert launch_command(install) == ["/opt/beartray/beartray"]


def test_a_bundle_started_in_a_terminal_opens_none_at_login(tmp_path: Path) -> None:
    console = tmp_path / "beartray-console.exe"
    install = an_install(tmp_path, frozen=True, interpreter=console)
    assert launch_command(install) == [str(console)]
    (tmp_path / "beartray.exe").touch()
    assert launch_command(install) == [str(tmp_path / "beartray.exe")]


def test_an_installed_beartray_starts_by_its_script_or_else_by_its_module(tmp_path: Path) -> None:
    install = an_install(tmp_path, root=tmp_path / "site-packages")
    assert launch_command(install) == [sys.executable, "-m", "trayapp"]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "beartray").touch()
    assert launch_command(install) == [str(tmp_path / "bin" / "beartray")]


def test_windows_opens_no_console_at_login(tmp_path: Path) -> None:
    (tmp_path / "pythonw.exe").touch()
    install = an_install(
        tmp_path,
        root=tmp_path / "site-packages",
        interpreter=tmp_path / "python.exe",
    )
    assert launch_command(install) == [str(tmp_path / "pythonw.exe"), "-m", "trayapp"]


def test_a_checkout_starts_from_any_folder_and_tells_no_child_where_it_lies(tmp_path: Path) -> None:
    package = tmp_path / "check out's" / "trayapp"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text("def main():\n    print('here')\n    return 7\n")
    command = launch_command(an_install(tmp_path))
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd="/", env=environ, capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.stdout, done.returncode) == ("here\n", 7)


def test_this_very_beartray_can_be_found(tmp_path: Path) -> None:
    assert Path(launch_command()[0]).is_absolute()
