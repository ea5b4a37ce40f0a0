"""The bundle on a real desktop: an icon, real photos filed, notices, dialogs, login, the end."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

if sys.platform != "linux":
    pytest.skip("a virtual desktop is for Linux only", allow_module_level=True)

from tests.desktop.conftest import SHOTS
from tests.desktop.desk import Desk, wait_until
from tests.desktop.real_app import BROWN, RealApp, has
from tests.frozen.test_bundle import SHARED, children
from tests.frozen.test_surroundings import TRACE, asked_of_the_network, is_from_a_network
from tests.helpers import folder_in_memory, require_programs, skip

pytestmark = pytest.mark.frozen

WHAT = "What is this photo"


@pytest.fixture(scope="module")
def frozen_desk() -> Iterator[Desk]:
    with folder_in_memory() as folder, closing(Desk(folder, SHOTS)) as desk:
        yield desk


@pytest.fixture
def app(bundle: Path, frozen_desk: Desk) -> Iterator[RealApp]:
    """Not yet started, on a desk that others have used and will use."""
    with closing(RealApp(frozen_desk, program=[str(bundle / "beartray")])) as app:
        yield app


def test_it_is_at_home_in_the_tray(app: RealApp) -> None:
    app.start_and_wait()
    assert has(app.desk.icon(), BROWN, 60)

    app.drop("IMG_0001.jpg", "grizzly")
    app.wait_for_tree("grizzly/IMG_0001.jpg")
    app.desk.wait_for_notices(1)
    app.desk.press_button_of_notice()
    app.wait_for_tree("IMG_0001.jpg")

    app.command("run", status=3)  # a second start: there is one already
    app.desk.choose("Quit")
    assert app.process is not None
    assert app.process.wait(20) == 0


def test_real_photos_are_filed_also_after_its_engine_died(app: RealApp) -> None:
    if not SHARED.is_dir():
        skip("needs the bear photos beside the checkout (../shared/bears)")
    app.configure(app.inbox, "bears")
    app.start_and_wait()
    assert app.process is not None
    photos = {label: some_web_photos(label) for label in ("grizzly", "black", "teddy")}
    for turn in range(2):
        for label, found in photos.items():
            shutil.copyfile(found[turn], app.inbox / f"{label} {turn}.jpg")
        wait_until(lambda: not list(app.inbox.glob("*.jpg")), "all were filed", 30.0)
        for engine in children(app.process.pid):
            os.kill(engine, signal.SIGKILL)
    app.wait_for_tree(*(f"{label}/{label} {turn}.jpg" for label in photos for turn in range(2)))
    app.end()


def some_web_photos(label: str) -> list[Path]:
    """Two that nobody doubts."""
    with (SHARED / "labels.csv").open(encoding="utf-8", newline="") as stream:
        sure = {"label": label, "kind": "web", "label_confidence": "1.000"}
        rows = [row for row in csv.DictReader(stream) if {**row, **sure} == row]
    return [SHARED / row["file"] for row in rows[:2]]


def test_nothing_of_it_talks_to_a_network(bundle: Path, frozen_desk: Desk, tmp_path: Path) -> None:
    """With icon, notices and menu: X, the session bus and our own socket are all of AF_UNIX."""
    require_programs("strace")
    program = [*TRACE, "-o", f"{tmp_path}/call", str(bundle / "beartray")]
    with closing(RealApp(frozen_desk, program=program)) as app:
        app.start_and_wait()
        app.drop("IMG_0001.jpg", "grizzly")
        app.wait_for_tree("grizzly/IMG_0001.jpg")
        app.desk.wait_for_notices(1)
        app.desk.choose("Quit")
        assert app.process is not None
        assert app.process.wait(30) == 0
    calls = "".join(trace.read_text() for trace in tmp_path.iterdir())
    assert calls.count("connect(") > 1
    assert [line for line in asked_of_the_network(tmp_path) if is_from_a_network(line)] == []


def test_the_self_check_tells_by_its_status_what_is_not_good(app: RealApp, bundle: Path) -> None:
    app.configure(app.inbox, "bears")
    (app.home / "photos").mkdir()
    told = [json.loads(line) for line in app.command("doctor", "--json").splitlines()]
    assert [row for row in told if not row["ok"]] == []
    app.drop("c.jpg", "teddy", app.home / "photos")
    app.command("sort", str(app.home / "photos"))  # which makes the journal
    told = [json.loads(line) for line in app.command("doctor", "--json").splitlines()]
    details = {row["check"]: row["detail"] for row in told}
    assert details["model"].startswith("bears answers (") and str(bundle) in details["model"]
    assert "whole" in details["journal"] and str(app.home) in details["journal"]
    assert details["tray"].endswith("shows icons")
    assert details["notifications"].startswith("dunst")

    spoilt = Path(shutil.copytree(bundle / "_internal" / "models" / "bears", app.home / "spoilt"))
    with (spoilt / "model.onnx").open("r+b") as model:
        model.seek(1000)
        model.write(b"?")
    app.configure(app.inbox, spoilt)
    assert "NOT GOOD  model" in app.command("doctor", status=1)
    app.configure(app.inbox)
    (app.home / "journal.sqlite").write_bytes(b"no journal at all " * 100)
    assert "NOT GOOD  journal" in app.command("doctor", status=1)


def test_dialogs_are_the_systems_own_programs(app: RealApp, bundle: Path) -> None:
    """They find their own libraries, not ours, and what was said to them comes to us."""
    require_programs("zenity")
    desk, noted = app.desk, app.desk.folder / "zenity.noted"
    through = desk.programs / "zenity"
    through.write_text(f'#!/bin/sh\nenv > "{noted}"\nexec {shutil.which("zenity")} "$@"\n')
    through.chmod(0o755)
    opened = desk.stub("xdg-open")
    photo = app.drop("b.jpg", "black", desk.home)
    app.start_and_wait()
    desk.choose(WHAT)
    window = desk.window(WHAT)
    pid = desk.run("xdotool", "getwindowpid", window).stdout.strip()
    assert str(bundle) not in Path(f"/proc/{pid}/maps").read_text()
    assert not [line for line in noted.read_text().splitlines() if is_of_the_bundle(line, bundle)]
    app.choose_photo(WHAT, photo)
    assert app.read_message(WHAT) == "b.jpg: black, 99 %\nNothing was moved."
    desk.choose("Open folder")
    wait_until(lambda: opened() == [str(app.inbox)], "the folder was opened")
    app.end()


def is_of_the_bundle(line: str, bundle: Path) -> bool:
    """Whether a line of `env` tells of the bundle's libraries, or of PyInstaller's notes."""
    return line.startswith(("LD_LIBRARY_PATH", "_PYI")) or str(bundle / "_internal") in line


def test_it_needs_neither_input_nor_output(app: RealApp) -> None:
    """Python has no sys.stdin, stdout and stderr then, as in a windowed program on Windows."""
    app.process = app.desk.start("sh", "-c", 'exec "$0" <&- >&- 2>&-', app.program[0])
    app.desk.wait_for_icon()
    app.wait_for_engine()
    app.drop("IMG_0001.jpg", "grizzly")
    app.wait_for_tree("grizzly/IMG_0001.jpg")
    app.desk.wait_for_notices(1)
    assert "Traceback" not in app.log()
    app.end()


def test_it_starts_at_login(app: RealApp) -> None:
    require_programs("dex")
    desk, item = app.desk, app.desk.config / "autostart" / "beartray.desktop"
    app.start_and_wait()
    desk.choose("Settings", "Start at login")
    wait_until(item.exists, "the login item was there")
    app.end()
    assert app.program[0] in item.read_text(encoding="utf-8")
    desk.environ["XDG_CONFIG_DIRS"] = str(desk.folder)  # this machine's own items are not meant
    desk.start("dex", "-a", "-e", "XFCE")
    desk.wait_for_icon()
    wait_until(lambda: app.status().get("engine") == "ready", "the engine was ready", 20.0)
    program = Path(f"/proc/{app.status()['pid']}/exe").resolve()
    assert program == Path(app.program[0])
    app.drop("IMG_0002.jpg", "teddy")
    app.wait_for_tree("teddy/IMG_0002.jpg")
    app.command("quit")
