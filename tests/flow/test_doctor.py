"""doctor: a person asks what is wrong, with everything there, with nothing there, and meanwhile."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import files, picture, wait_until
from tests.program import COLOURS, Program

pytestmark = pytest.mark.flow

CHECKS = (
    *("settings", "folder", "destination", "space", "journal", "model", "watching"),
    *("tray", "notifications", "login", "log", "running"),
)
DESKTOP = {"tray", "notifications"}  # there is none where these tests run


@pytest.fixture(autouse=True)
def no_desktop(program: Program, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"):
        program.environ.pop(name, None)
    program.environ["XDG_CONFIG_HOME"] = str(tmp_path / "config")


@pytest.fixture
def mine(program: Program) -> Path:
    """A model package of the person's own, called "mine"."""
    return shutil.copytree(COLOURS, program.home / "models" / "mine")


def found(program: Program) -> dict[str, dict[str, Any]]:
    """Every check by its name."""
    rows = program.rows("doctor", status=None)
    assert [list(row) for row in rows] == [["check", "ok", "detail", "advice"]] * len(CHECKS)
    assert [row["check"] for row in rows] == list(CHECKS)
    return {row["check"]: row for row in rows}


def bad(program: Program) -> set[str]:
    return {name for name, row in found(program).items() if not row["ok"]}


def watch(program: Program, inbox: Path, more: str = "") -> None:
    program.configure(f"[folder]\npath = {json.dumps(str(inbox))}\n{more}")


def test_all_is_looked_at_and_nothing_is_left_behind(program: Program, inbox: Path) -> None:
    watch(program, inbox)
    before = files(program.home)
    assert bad(program) == DESKTOP
    assert files(program.home) == before and list(inbox.iterdir()) == []
    text = program.command("doctor", status=1)
    assert f"good      folder: {inbox}, can be written to" in text
    assert "NOT GOOD  tray: there is no desktop session here" in text
    assert "good      running: Beartray does not run now" in text


def test_each_line_says_what_to_do(program: Program, mine: Path, inbox: Path) -> None:
    inbox.rmdir()
    (mine / "model.onnx").unlink()
    watch(program, inbox)
    program.configure(f"[folder]\npath = {json.dumps(str(inbox))}", model="mine")
    text = program.command("doctor", status=1)
    assert f"NOT GOOD  folder: {inbox} is not there; make it, or" in text
    assert f"NOT GOOD  model: {mine}/model.onnx is missing: copy the model package again" in text
    assert "good      journal: " in text


def test_settings_with_a_mistake_hide_nothing_else(program: Program) -> None:
    program.settings.write_text("[sort]\naction = 1\n")
    rows = found(program)
    assert "sort.action: found 1; allowed" in rows["settings"]["detail"]
    assert rows["folder"]["detail"] == "not looked at" and not rows["folder"]["ok"]
    assert rows["journal"]["ok"] and rows["log"]["ok"] and rows["running"]["ok"]


def test_a_login_item_that_would_start_nothing_is_found(program: Program, inbox: Path) -> None:
    watch(program, inbox)
    program.command("autostart", "on")
    item = Path(program.environ["XDG_CONFIG_HOME"]) / "autostart" / "beartray.desktop"
    good = item.read_text()
    lines = [("Exec=/gone/beartray" if line[:5] == "Exec=" else line) for line in good.split("\n")]
    item.write_text("\n".join(lines))
    login = found(program)["login"]
    assert not login["ok"] and "/gone/beartray is not there any more" in login["detail"]
    assert "beartray autostart on" in login["advice"]
    item.write_text(f"{good}Hidden=true\n")
    assert "switched off in the desktop's own settings" in found(program)["login"]["detail"]
    program.command("autostart", "on")
    assert program.rows("autostart", "status")[0]["enabled"] is True


def test_a_journal_that_cannot_be_used_is_found_and_left_as_it_is(
    program: Program, inbox: Path
) -> None:
    watch(program, inbox)
    picture(inbox / "a.jpg", colour=(255, 0, 0))
    program.command("sort", inbox)
    journal = program.home / "journal.sqlite"
    row = found(program)["journal"]
    assert row["ok"] and "1 entries, whole, all settled" in row["detail"]
    with closing(sqlite3.connect(journal)) as db, db:
        db.execute("UPDATE entries SET state = 'begun', owner = 'killed'")
    row = found(program)["journal"]
    assert not row["ok"] and "1 photos wait to be put right" in row["detail"]
    journal.write_bytes(b"no database at all, and long enough to be looked at" * 20)
    before = journal.read_bytes()
    row = found(program)["journal"]
    assert not row["ok"] and "rename the file" in row["advice"]
    assert journal.read_bytes() == before


def test_the_running_one_is_not_disturbed_and_a_stopped_one_is_found(
    program: Program, inbox: Path
) -> None:
    with program.running(inbox) as process:
        watch(program, inbox)
        before = program.status()
        rows = found(program)
        assert f"process {process.pid} watches {inbox}" in rows["running"]["detail"]
        assert {name for name, row in rows.items() if not row["ok"]} == DESKTOP
        after = program.status()
        assert (after["state"], after["pid"]) == (before["state"], before["pid"])
        process.send_signal(signal.SIGSTOP)
        try:
            row = found(program)["running"]
            assert not row["ok"] and f"process {process.pid}" in row["detail"]
        finally:
            process.send_signal(signal.SIGCONT)
        picture(inbox / "a.jpg", colour=(255, 0, 0))
        wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "it went on filing")


def test_a_session_bus_that_never_answers_holds_up_nothing_else(
    program: Program, inbox: Path, tmp_path: Path
) -> None:
    watch(program, inbox)
    address = tmp_path / "bus"
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(address))
        deaf.listen(5)
        program.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={address}"
        rows = found(program)
    assert not rows["tray"]["ok"] and not rows["notifications"]["ok"]
    assert rows["folder"]["ok"] and rows["running"]["ok"]
