"""Beartray at work in this process: its folder and settings change under it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import make_tree, picture, read_tree, wait_until
from tests.program import COLOURS
from trayapp.live import Live
from trayapp.paths import Paths
from trayapp.photo import BeartrayError
from trayapp.tell import Notice


class Running:
    """A `Live` on a thread of its own, and what it shows."""

    def __init__(self, home: Path, settings: str, folder: Path | None) -> None:
        self.notices: list[Notice] = []
        self.paths = Paths.from_environment({"BEARTRAY_HOME": str(home)})
        self.configure(settings)
        self.live = Live(self.paths, folder, self.notices.append, set_at_login=self.refuse)
        self.thread = threading.Thread(target=self.live.run)
        self.thread.start()
        self.wait_for_folder(self.live.root)

    def configure(self, settings: str) -> None:
        self.paths.settings_file.parent.mkdir(exist_ok=True)
        model = f"[model]\npackage = {json.dumps(str(COLOURS))}\n"
        self.paths.settings_file.write_text(settings + "\n" + model)

    def refuse(self, wanted: bool) -> None:
        raise BeartrayError("the login item cannot be changed")

    def wait_for_folder(self, folder: Path) -> None:
        live = self.live
        wait_until(lambda: live.inbox.root == folder and live.inbox.watching, 10, f"{folder}")

    def told(self, words: str) -> bool:
        return any(words in notice.body for notice in self.notices)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(settings: str = "", folder: Path | None = None) -> Running:
        started.append(Running(tmp_path / "home", settings, folder))
        return started[-1]

    yield start
    for running in started:
        running.live.stop()
        running.thread.join(10)


def test_another_folder_takes_the_place_of_the_one_given_at_the_start(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    one, other = make_tree(tmp_path / "one", {}), make_tree(tmp_path / "other", {})
    picture(other / "old.jpg", colour="red")
    running = run(f"[folder]\npath = {json.dumps(str(other))}", one)
    assert running.live.root == one
    running.live.change_folder(other)  # the settings say so already; it is a choice all the same
    running.wait_for_folder(other)
    picture(other / "new.jpg", colour="red")
    wait_until((other / "grizzly" / "new.jpg").exists, 20, "the new photo filed")
    assert set(read_tree(other)) == {"grizzly", "old.jpg"}


def test_a_login_item_that_cannot_be_made_is_told_and_the_rest_takes_effect(
    run: Callable[..., Running], tmp_path: Path
) -> None:
    inbox = make_tree(tmp_path / "inbox", {})
    folder = f"[folder]\npath = {json.dumps(str(inbox))}\n"
    running = run(folder)
    running.configure(f"{folder}[sort]\naction = 'copy'\n[startup]\nat_login = true\n")
    wait_until(lambda: running.told("login item cannot be changed"), 10, "the trouble told")
    picture(inbox / "a.jpg", colour="blue")
    wait_until((inbox / "teddy" / "a.jpg").exists, 20, "the photo copied")
    assert (inbox / "a.jpg").exists()


def test_what_was_gathered_is_told_at_the_end(run: Callable[..., Running], tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {})
    running = run(f"[notify]\nmode = 'digest'\n[folder]\npath = {json.dumps(str(inbox))}")
    picture(inbox / "a.jpg", colour="red")
    wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "the photo filed")
    running.live.stop()
    running.thread.join(10)
    assert [notice.title for notice in running.notices] == ["Photo filed"]
