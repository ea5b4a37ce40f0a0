"""The recipes for installers: archives that are the same each time, and what each system wants."""

from __future__ import annotations

import plistlib
import stat
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers import make_tree, names
from tests.program import ROOT
from trayapp import __version__

sys.path.append(str(ROOT / "packaging"))
import about
import archives
import icons
import installers
import on_macos
import on_windows
import release

WHEN = 1_700_000_000
WINDOWS = "{http://schemas.microsoft.com/SMI/"


# Archives


def bundle(folder: Path) -> Path:
    make_tree(folder / "beartray", {"beartray": "program", "_internal": {"b.so": "b", "a": "ä"}})
    (folder / "beartray" / "beartray").chmod(0o700)
    (folder / "beartray" / "_internal" / "link.so").symlink_to("b.so")
    return folder / "beartray"


def test_an_archive_of_the_same_files_is_the_same(tmp_path: Path) -> None:
    one = archives.tar_xz(bundle(tmp_path / "1"), tmp_path / "1.tar.xz", WHEN)
    two = archives.tar_xz(bundle(tmp_path / "2"), tmp_path / "2.tar.xz", WHEN)
    assert one.read_bytes() == two.read_bytes()
    with tarfile.open(one) as archive:
        rows = [(row.name, row.mode, row.mtime, row.uname) for row in archive.getmembers()]
    assert rows == [
        ("beartray", 0o755, WHEN, "root"),
        ("beartray/_internal", 0o755, WHEN, "root"),
        ("beartray/_internal/a", 0o644, WHEN, "root"),
        ("beartray/_internal/b.so", 0o644, WHEN, "root"),
        ("beartray/_internal/link.so", 0o777, WHEN, "root"),
        ("beartray/beartray", 0o755, WHEN, "root"),
    ]


def test_what_is_packed_as_it_lies_gets_plain_modes_and_one_time(tmp_path: Path) -> None:
    folder = archives.settle(bundle(tmp_path), WHEN)
    assert {int(path.lstat().st_mtime) for path in [folder, *folder.rglob("*")]} == {WHEN}
    assert stat.S_IMODE((folder / "beartray").stat().st_mode) == 0o755


def test_the_time_in_archives_is_the_last_commit_s_unless_one_is_given() -> None:
    assert archives.moment({"SOURCE_DATE_EPOCH": "17"}) == 17
    assert archives.moment({}) > 315_532_800 or not (ROOT / ".git").exists()


def test_a_bundle_that_nobody_knows_the_contents_of_is_not_packed(tmp_path: Path) -> None:
    make_tree(tmp_path, {"b": {"_internal": {"components.json": "[]", "new.so": ""}}})
    command = [sys.executable, str(ROOT / "packaging" / "installers.py"), str(tmp_path / "b")]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.endswith("nobody knows whose these are: new.so\n")
    assert "Traceback" not in done.stderr


# Icons


@pytest.mark.parametrize("size", [*icons.THEME, *icons.WINDOWS, *icons.MACOS])
def test_the_icon_fills_its_square_at_every_size(tmp_path: Path, size: int) -> None:
    picture = icons._picture(size)
    left, top, right, bottom = picture.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert max(right - left, bottom - top) >= size * 0.8
    assert min(left, top, size - right, size - bottom) >= 0
    colours = picture.convert("RGB").getcolors(size * size) or []
    assert len(colours) >= 3  # a bear, not a blot


def test_linux_finds_the_icon_in_its_theme(tmp_path: Path) -> None:
    icons.write_hicolor(tmp_path)
    assert names(tmp_path) == {f"{size}x{size}/apps/beartray.png" for size in icons.THEME}
    for size in icons.THEME:
        with Image.open(tmp_path / f"{size}x{size}" / "apps" / "beartray.png") as image:
            assert (image.size, image.mode) == ((size, size), "RGBA")


# Windows


def test_windows_shows_name_and_version_of_both_programs(tmp_path: Path) -> None:
    for program, words in (("beartray", "Beartray"), ("beartray-console", "command line")):
        text = on_windows.write_version_information(program, tmp_path).read_text(encoding="utf-8")
        found = read_version(text)
        assert found["FileVersion"] == found["ProductVersion"] == __version__
        assert found["OriginalFilename"] == f"{program}.exe"
        assert words in found["FileDescription"]
        assert found["numbers"] == (*map(int, about.version().split(".")), 0)


def read_version(text: str) -> dict[str, Any]:
    """As PyInstaller reads it: as Python, with its classes for the resource's parts."""
    found: dict[str, Any] = {}

    def part(*_: object, **given: Any) -> None:
        found.update(numbers=given["filevers"]) if "filevers" in given else None

    classes = ("VSVersionInfo", "FixedFileInfo", "StringFileInfo", "StringTable")
    known = dict.fromkeys((*classes, "VarFileInfo", "VarStruct"), part)
    eval(text, {**known, "StringStruct": found.__setitem__})
    return found


def test_windows_is_told_of_sharp_icons_long_paths_and_unicode() -> None:
    root = ET.parse(on_windows.MANIFEST).getroot()
    settings = {element.tag.rpartition("}")[2]: element.text for element in root.iter()}
    assert settings["dpiAwareness"] == "PerMonitorV2, PerMonitor"
    assert settings["longPathAware"] == "true"
    assert settings["activeCodePage"] == "UTF-8"
    levels = {element.get("level") for element in root.iter()} - {None}
    assert levels == {"asInvoker"}  # no administrator is asked for


def test_the_installer_for_windows_is_given_all_that_its_script_asks_for(tmp_path: Path) -> None:
    script = (on_windows.RECIPES / "beartray.iss").read_text(encoding="utf-8")
    command = on_windows.command(
        "ISCC", tmp_path, "fastai", tmp_path / "out", tmp_path / "beartray.ico", "signtool $f"
    )
    assert command[0] == "ISCC"
    assert command[-1] == str(on_windows.RECIPES / "beartray.iss")
    given = {word[2:].partition("=")[0] for word in command if word.startswith("/D")}
    own = {"Program", "Signed"}  # defined by the script itself
    asked = {part.partition("}")[0] for part in script.split("{#")[1:]}
    assert asked - own == given
    assert f"/DVersion={__version__}" in command
    assert f"/DName=beartray-fastai-{__version__}-windows-{about.architecture()}-setup" in command
    assert "/Sbeartray=signtool $f" in command


def test_the_installer_for_windows_leaves_what_is_the_person_s_alone() -> None:
    script = (on_windows.RECIPES / "beartray.iss").read_text(encoding="utf-8")
    assert "PrivilegesRequired=lowest" in script
    assert "[UninstallDelete]" not in script
    for place in ("{localappdata}", "{userappdata}", "{userpf}", "[Registry]"):
        assert place not in script
    assert script.count("AskToQuit;") == 3  # before installing over it, and before removing it


def test_without_inno_setup_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="install Inno Setup 6"):
        on_windows.make(tmp_path, "standard", tmp_path, {"PATH": str(tmp_path)})


# macOS


class Mac:
    """Notes what it is asked to run, and what lies in the folder that becomes a disk image."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.on_disk: set[str] = set()

    def run(self, command: Sequence[str]) -> None:
        self.asked.append(list(command))
        if command[0] == "ditto":
            Path(command[2]).mkdir()
        if command[0] == "hdiutil":
            self.on_disk = {path.name for path in Path(command[-2]).iterdir()}

    @property
    def programs(self) -> list[str]:
        return [" ".join(words[: 2 if words[0] == "xcrun" else 1]) for words in self.asked]


def test_the_disk_image_holds_the_app_and_where_to_drag_it(tmp_path: Path) -> None:
    mac = Mac()
    (image,) = on_macos.make(tmp_path / "Beartray.app", "standard", tmp_path, {}, mac.run)
    assert image.name == f"beartray-{__version__}-macos-{about.architecture()}.dmg"
    assert mac.programs == ["ditto", "hdiutil"]
    assert mac.on_disk == {"Beartray.app", "Applications"}
    assert mac.asked[-1][-1] == str(image)


def test_it_is_signed_and_notarised_only_with_keys(tmp_path: Path) -> None:
    keys = {on_macos.IDENTITY: "Developer ID Application: A B (C)"}
    mac = Mac()
    on_macos.make(tmp_path / "Beartray.app", "standard", tmp_path, keys, mac.run)
    assert mac.programs == ["codesign", "ditto", "hdiutil", "codesign"]
    assert "--verify" in mac.asked[0]
    assert mac.asked[-1][:5] == ["codesign", "--force", "--timestamp", "--sign", *keys.values()]
    mac = Mac()
    keys[on_macos.PROFILE] = "beartray"
    on_macos.make(tmp_path / "Beartray.app", "standard", tmp_path, keys, mac.run)
    assert mac.programs[-3:] == ["codesign", "xcrun notarytool", "xcrun stapler"]
    mac = Mac()
    on_macos.make(tmp_path / "Beartray.app", "standard", tmp_path, {on_macos.IDENTITY: ""}, mac.run)
    assert mac.programs == ["ditto", "hdiutil"]  # as GitHub hands on a secret that is not there


def test_macos_shows_why_it_asks_and_no_icon_in_the_dock() -> None:
    shown = plistlib.loads(plistlib.dumps(on_macos.info_plist()))
    assert shown["LSUIElement"] is True
    assert shown["CFBundleVersion"] == __version__
    places = ("Desktop", "Documents", "Downloads", "RemovableVolumes", "NetworkVolumes")
    for place in places:
        key = f"NS{place}{'' if place.endswith('Volumes') else 'Folder'}UsageDescription"
        assert "photos" in shown[key]
    rights = plistlib.loads(on_macos.ENTITLEMENTS.read_bytes())
    assert rights == {"com.apple.security.cs.allow-unsigned-executable-memory": True}


# All of them


def test_every_edition_that_can_be_built_can_be_packed() -> None:
    import build

    assert installers.EDITIONS == build.EDITIONS
    assert [about.package(edition) for edition in build.EDITIONS] == ["beartray", "beartray-fastai"]
    assert release.CHANGELOG.is_file()
