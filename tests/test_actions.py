"""What a click in the tray's menu does to the running Beartray, and what the menu then shows."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import make_tree, names, picture, wait_until
from tests.models.pickles import harmful
from tests.program import COLOURS
from tests.test_live import Running, watching
from trayapp.app.actions import TrayActions
from trayapp.app.face import Face
from trayapp.desktop.login import Login, LoginItem
from trayapp.desktop.view import Batch, View
from trayapp.photo import BeartrayError

pytestmark = pytest.mark.flow

ITEM = LoginItem("/home/ann/.config/autostart/beartray.desktop")


class NoLogin(Login):
    """Login items that are switched nowhere but here."""

    def __init__(self) -> None:
        self.found = ITEM

    def item(self) -> LoginItem:
        return self.found

    def switch(self, wanted: bool) -> None:
        self.found = replace(ITEM, command=("beartray",), enabled=wanted, program_there=wanted)


class Menu:
    """The actions and the face of a running Beartray."""

    def __init__(self, running: Running) -> None:
        self.live, self.settings = running.live, running.paths.settings_file
        login = NoLogin()
        self.face = Face(running.live, login, ITEM.place, running.paths)
        self.actions = TrayActions(
            *(running.live, self.face, login, running.paths),
            show=running.notices.append,
            end=running.live.stop,
        )

    @property
    def view(self) -> View:
        return self.actions.view()

    def wait_for(self, shown: Callable[[View], object], what: str) -> None:
        wait_until(lambda: shown(self.view), 20, what)


@pytest.fixture
def running(tmp_path: Path, inbox: Path) -> Iterator[Running]:
    shutil.copytree(COLOURS, tmp_path / "home" / "models" / "mine")
    running = Running(tmp_path / "home", watching(inbox), None)
    yield running
    running.end()


@pytest.fixture
def menu(running: Running) -> Menu:
    return Menu(running)


def test_what_is_chosen_is_written_and_takes_effect(menu: Menu, inbox: Path) -> None:
    menu.actions.set_action("copy")
    menu.actions.set_notify("off")
    menu.actions.set_at_login(True)
    menu.wait_for(lambda view: (view.action, view.notify) == ("copy", "off"), "both in force")
    assert menu.view.at_login
    text = menu.settings.read_text()
    assert text.startswith("# mine\n") and text.count("# the card") == 1
    picture(inbox / "a.jpg", colour="red")
    wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "it was copied")
    assert (inbox / "a.jpg").exists()
    menu.settings.write_text("[sort]\naction = 1\n")
    with pytest.raises(BeartrayError, match=r"settings\.toml: sort\.action: found 1; allowed: "):
        menu.actions.set_notify("each")


def test_a_pause_says_until_when(menu: Menu) -> None:
    menu.actions.pause(3600.0)
    menu.wait_for(lambda view: view.headline.startswith("Paused until "), "paused")
    menu.actions.pause_until_tomorrow()
    menu.wait_for(lambda view: "06:00 ~/" in view.headline or "06:00 /" in view.headline, "6:00")
    status = menu.face.status()
    assert str(status["paused_until"])[10:16] == "T06:00"
    menu.actions.resume()
    menu.wait_for(lambda view: view.headline.startswith("Watching "), "on its way again")
    assert menu.face.status()["paused_until"] is None


def test_who_only_looks_does_not_wait_for_a_slow_disk(menu: Menu) -> None:
    """While a row is written and flushed."""
    answers: list[object] = []

    def look() -> None:
        answers.extend([menu.view.recent, menu.face.status()["not_recognised"]])

    with menu.live.database.writing():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(10)
        assert answers == [(), 0]
    thread.join()


def test_one_photo_or_the_batch_is_taken_back(menu: Menu, inbox: Path) -> None:
    colours = {"a.jpg": "red", "b.jpg": "red", "c.jpg": "blue"}
    menu.actions.pause(None)
    wait_until(lambda: menu.live.paused, 10, "paused")
    for name, colour in colours.items():
        picture(inbox / name, colour=colour)
    menu.actions.resume()
    menu.wait_for(lambda view: view.batch is not None and view.batch.count == 3, "all were filed")
    shown = menu.view
    assert shown.today == (("grizzly", 2), ("teddy", 1))
    assert "3 filed today" in shown.headline
    assert shown.undoable is not None and isinstance(shown.batch, Batch)
    menu.actions.undo(shown.undoable.id)
    assert menu.view.batch == replace(shown.batch, count=2)
    menu.actions.undo_batch(shown.batch.id)
    assert names(inbox) == set(colours)
    assert menu.view.batch is None and not menu.view.today
    with pytest.raises(BeartrayError, match="were taken back already"):
        menu.actions.undo_batch(shown.batch.id)


def test_another_model_is_used_once_it_has_shown_that_it_works(menu: Menu, inbox: Path) -> None:
    assert menu.view.models == ("bears", "mine")
    menu.actions.use_model("mine")
    menu.wait_for(lambda view: view.model == "mine", "the model was changed")
    assert "# the card" in menu.settings.read_text()
    picture(inbox / "a.jpg", colour="red")
    wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "the photo was filed with it")


def test_a_model_that_does_not_work_or_is_a_program_is_not_used(
    menu: Menu, running: Running, tmp_path: Path
) -> None:
    mine = running.paths.models / "mine"
    before = menu.settings.read_text()
    with pytest.raises(BeartrayError, match="there is no model package 'gone'"):
        menu.actions.use_model("gone")
    learner = harmful(tmp_path / "it-ran", mine)
    menu.settings.write_text(before.replace("[model]\n", "[model]\nengine = 'fastai'\n"))
    with pytest.raises(BeartrayError) as refused:
        menu.actions.use_model("mine")
    assert str(learner) in str(refused.value)
    assert "`beartray model use mine --engine fastai --trust`" in str(refused.value)
    menu.settings.write_text(before)
    with (mine / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BeartrayError, match="is damaged"):
        menu.actions.use_model("mine")
    assert not (tmp_path / "it-ran").exists()
    assert menu.settings.read_text() == before


def test_a_long_path_leaves_the_count_in_sight(
    menu: Menu, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = make_tree(tmp_path / "home of ann" / ("pictures " * 9).strip() / "inbox", {})
    monkeypatch.setenv("HOME", str(tmp_path / "home of ann"))
    menu.actions.change_folder(deep)
    menu.wait_for(lambda view: view.folder == deep, "the folder was changed")
    headline = menu.face.headline()
    assert headline.startswith("Watching ~/pictures") and headline.endswith(" · 0 filed today")
    assert len(headline) < 80
    assert f"path = {json.dumps(str(deep))} # the card" in menu.settings.read_text()


def test_the_view_is_quick_with_a_long_history(menu: Menu, inbox: Path) -> None:
    """It is asked ten times a second while photos are filed."""
    database = menu.live.database
    with database.writing() as db:
        db.executemany(
            "INSERT INTO notes VALUES (?, 1, 1, '1:1', ?, 0)",
            [(f"{inbox}/{n}.jpg".encode(), "filed" if n % 50 else "unsure") for n in range(50_000)],
        )
        db.executemany(
            "INSERT INTO entries (time, batch, action, path, destination, label, confidence,"
            " state, owner) VALUES (0, ?, 'move', x'2f61', x'2f62', 'teddy', 1, 'begun', '')",
            [(n // 500,) for n in range(50_000)],
        )
        db.execute("UPDATE entries SET state = 'done'")
    assert (menu.view.unsure, menu.view.batch) == (1000, Batch(99, 500))
    took = []
    for _ in range(5):
        start = time.perf_counter()
        menu.actions.view()
        took.append(time.perf_counter() - start)
    assert min(took) < 0.02, took
