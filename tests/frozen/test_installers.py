"""What people download, made from the bundle: installed in a clean system, used, removed again."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.frozen.clean import ANN, HOME, Clean, clean_system
from tests.helpers import files, names, require_programs, skip, wait_until
from tests.program import ROOT

if sys.platform != "linux":
    pytest.skip("so far bundles are tested on Linux only", allow_module_level=True)

pytestmark = pytest.mark.frozen

PACKAGING = ROOT / "packaging"
BEARS = ROOT.parent / "shared" / "bears"
WHEN = "1700000000"
FAST = "0"  # packing hard is not what is tested here


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGING))


def make(bundle: Path, out: Path, **environ: str) -> Path:
    """Run the script that makes the installers, as tasks.py does; returns `out`."""
    command = [sys.executable, str(PACKAGING / "installers.py"), str(bundle)]
    done = subprocess.run(
        [*command, "--out", str(out), "--level", FAST],
        env={**os.environ, "SOURCE_DATE_EPOCH": WHEN, **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="session")
def downloads(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everything for Linux, of the standard edition."""
    require_programs("dpkg-deb", "readelf")
    return make(bundle, tmp_path_factory.mktemp("downloads"))


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


# The files themselves


def test_made_again_elsewhere_and_later_they_are_the_same_to_the_last_byte(
    bundle: Path, downloads: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(bundle, tmp_path / "beartray", symlinks=True)
    for path in copy.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o700 if path.is_dir() or os.access(path, os.X_OK) else 0o600)
            os.utime(path, (1, 1))
    again = make(copy, tmp_path / "again", TZ="Asia/Tokyo", LC_ALL="C", HOME=str(tmp_path))
    assert names(again) == names(downloads)
    assert (again / "SHA256SUMS").read_text() == (downloads / "SHA256SUMS").read_text()
    check = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    done = subprocess.run(check, cwd=again, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK") == len(names(downloads)) - 1 == 3


def test_the_archive_holds_everything_and_belongs_to_nobody(bundle: Path, downloads: Path) -> None:
    with tarfile.open(one(downloads, "*.tar.xz")) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(
        ["beartray", *(f"beartray/{path.relative_to(bundle)}" for path in bundle.rglob("*"))],
        key=lambda name: Path(name).parts,
    )
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, int(WHEN))}
    started = {member.name for member in members if member.isfile() and member.mode & 0o111}
    assert started == {"beartray/beartray"}


def test_the_archive_is_unpacked_tried_out_as_for_a_release(downloads: Path) -> None:
    trial = [sys.executable, str(PACKAGING / "trial.py"), str(one(downloads, "*.tar.xz"))]
    done = subprocess.run(trial, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok  model" in done.stdout
    assert "running:" in done.stdout


def test_an_appimage_starts_from_its_folder_and_points_the_login_item_at_itself(
    bundle: Path, tmp_path: Path
) -> None:
    """What appimagetool packs; the runtime that it puts in front sets the two variables."""
    import appdir

    folder = appdir.lay_out(bundle, tmp_path / "AppDir", int(WHEN))
    assert {path.name for path in folder.iterdir()} == {
        *("AppRun", "beartray.desktop", "beartray.png", ".DirIcon", "usr")
    }
    image = tmp_path / "Beartray.AppImage"
    image.symlink_to(folder / "AppRun")
    environ = {
        "BEARTRAY_HOME": str(tmp_path / "home"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "APPDIR": str(folder),
        "APPIMAGE": str(image),
    }
    shown = subprocess.run([image, "autostart", "on"], env=environ, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    entry = (tmp_path / "config" / "autostart" / "beartray.desktop").read_text()
    assert f"TryExec={image}\n" in entry


def test_the_menu_entry_and_the_description_are_valid(bundle: Path, tmp_path: Path) -> None:
    require_programs("desktop-file-validate", "appstreamcli")
    import desktop_files

    share = desktop_files.lay_out(bundle, tmp_path / "root", int(WHEN)) / "usr" / "share"
    for command in (
        ["desktop-file-validate", str(one(share, "applications/*.desktop"))],
        ["appstreamcli", "validate", "--no-net", str(one(share, "metainfo/*.xml"))],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    for size in (16, 48, 256, 512):
        assert one(share, f"icons/hicolor/{size}x{size}/apps/beartray.png")


# What is in it, and whose it is


def modules_in(bundle: Path) -> set[str]:
    """The first parts of the names of all Python modules inside the program."""
    from PyInstaller.archive.readers import CArchiveReader

    program = CArchiveReader(str(bundle / "beartray"))
    packed = program.open_embedded_archive("PYZ.pyz")
    return {name.split(".")[0] for name in packed.toc}


def test_everything_in_the_bundle_has_a_licence_whose_text_is_there(bundle: Path) -> None:
    import inventory
    import libraries

    components = inventory.read(bundle)
    assert inventory.unaccounted(bundle) == []
    assert modules_in(bundle) - {name for item in components for name in item.modules} == set()
    text = (bundle / "_internal" / "THIRD-PARTY-LICENCES.txt").read_text(encoding="utf-8")
    for item in components:
        assert libraries.is_expression(item.licence), item
        assert not libraries.demands_gpl(item.licence), item
        if item.name != inventory.OWN:
            assert f"\n{item.name} {item.version or ''}".rstrip() + "\n" in text
    known = {item.name for item in components}
    assert {"Python", "pillow", "libheif", "SQLite", "pyinstaller", "model bears"} <= known
    for words in ("GNU LESSER GENERAL PUBLIC LICENSE", "Bootloader Exception", "abseil-cpp"):
        assert words in text


def test_the_bill_of_materials_is_valid_and_its_hashes_are_those_of_the_files(
    bundle: Path, downloads: Path
) -> None:
    import archives
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = one(downloads, "*.cdx.json").read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill: dict[str, Any] = json.loads(text)
    assert bill["metadata"]["component"]["name"] == "Beartray"
    listed = {
        file["name"]: file["hashes"][0]["content"]
        for part in bill["components"]
        for file in part.get("components", [])
    }
    assert len(listed) > 50
    for name, digest in listed.items():
        assert archives.digest(bundle / "_internal" / name) == digest
    pillow = next(part for part in bill["components"] if part["name"] == "pillow")
    assert pillow["purl"] == f"pkg:pypi/pillow@{pillow['version']}"
    assert all(part["licenses"] for part in bill["components"])


# Installed in a clean system


@pytest.fixture
def clean(tmp_path: Path) -> Iterator[Clean]:
    with clean_system(tmp_path / "clean") as system:
        yield system


def bear() -> Path:
    """A photo that shows a grizzly beyond doubt."""
    if not BEARS.is_dir():
        skip("needs the bear photos beside the checkout (../shared/bears)")
    with (BEARS / "labels.csv").open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            sure = float(row["label_confidence"] or 0) > 0.99
            if row["label"] == "grizzly" and row["kind"] == "web" and sure:
                return BEARS / row["file"]
    raise AssertionError("there is no such photo")


def test_the_package_is_installed_used_and_removed_without_a_trace(
    clean: Clean, downloads: Path, tmp_path: Path
) -> None:
    before = clean.tree()
    clean.put(one(downloads, "*.deb"), "beartray.deb")
    clean.run("dpkg", "--install", f"/{HOME}/beartray.deb")  # with all that it depends on there
    assert clean.run("dpkg", "--audit") == ""

    clean.put(bear(), "bear.jpg")
    assert clean.run("beartray", "--version", user=ANN).startswith("beartray ")
    found = clean.run("beartray", "doctor", "--json", user=ANN, status=None).splitlines()
    good = {row["check"] for row in map(json.loads, found) if row["ok"]}
    assert {"settings", "space", "journal", "model", "log"} <= good
    row = json.loads(clean.run("beartray", "classify", "--json", f"/{HOME}/bear.jpg", user=ANN))
    assert row["label"] == "grizzly", row
    # Nothing is measured, remembered or sent by what the program is made of.
    assert {name.split("/")[0] for name in names(clean.home)} <= {
        *("bear.jpg", "beartray.deb", ".config", ".local")
    }

    inbox = f"/{HOME}/Pictures/Beartray"
    clean.run("mkdir", "-p", inbox, user=ANN)
    clean.run("beartray", "autostart", "on", user=ANN)
    command = clean.command("beartray", "run", "--headless", "--folder", inbox, user=ANN)
    with subprocess.Popen(command) as process:
        try:
            filed = clean.home / "Pictures/Beartray/grizzly/bear.jpg"
            wait_until(lambda: is_up(clean), 30, "Beartray to run")
            clean.put(bear(), "Pictures/Beartray/bear.jpg")
            wait_until(filed.exists, 30, "the photo to be filed")
            clean.run("dpkg", "--remove", "beartray")  # while it runs
            assert process.wait(30) == 0, "ended in order"
        finally:
            process.kill()
    mine = files(clean.home)
    clean.run("dpkg", "--purge", "beartray")
    assert clean.tree() == before
    assert files(clean.home) == mine
    assert filed.read_bytes() == bear().read_bytes()
    assert ".config/beartray/settings.toml" in mine
    assert journal(clean, tmp_path) == ["done"]


def is_up(clean: Clean) -> bool:
    said = clean.run("beartray", "status", "--json", user=ANN, status=None)
    return bool(said) and json.loads(said).get("engine") == "ready"


def journal(clean: Clean, folder: Path) -> list[str]:
    """The states of what the person's journal tells."""
    for file in (clean.home / ".local/share/beartray").glob("journal.sqlite*"):
        shutil.copy(file, folder)
    copy = folder / "journal.sqlite"
    with closing(sqlite3.connect(copy)) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        return [state for (state,) in database.execute("select state from entries")]


def test_the_other_edition_takes_the_place_of_this_one(downloads: Path) -> None:
    shown = subprocess.run(
        ["dpkg-deb", "--field", str(one(downloads, "*.deb")), "Depends", "Conflicts", "Replaces"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Conflicts: beartray-fastai" in shown
    assert "Replaces: beartray-fastai" in shown
    (depends,) = [line for line in shown.splitlines() if line.startswith("Depends:")]
    assert re.fullmatch(r"Depends: libc6 \(>= 2\.\d+\), zlib1g", depends)  # no X, no Python
