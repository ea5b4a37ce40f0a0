"""Beartray at work in this process: its folder and settings change under it."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import make_tree, names, picture, read_tree, wait_until
from tests.program import COLOURS
from trayapp.live import Live
from trayapp.paths import Paths
from trayapp.photo import BeartrayError
from trayapp.tell import Notice

pytestmark = pytest.mark.flow


class Running:
    """A `Live` on a thread of its own, and what it shows."""

    def __init__(self, home: Path, settings: str | None, folder: Path | None) -> None:
        self.notices: list[Notice] = []
        self.paths = Paths.from_environment({"BEARTRAY_HOME": str(home)})
        if settings is not None:
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

    def end(self) -> None:
        self.live.stop()
        self.thread.join(10)

    def wait_for_pause(self, paused: bool) -> None:
        wait_until(lambda: self.live.paused == paused, 10, f"paused: {paused}")
        written = f"paused = {str(paused).lower()}"
        wait_until(lambda: written in self.paths.settings_file.read_text(), 10, written)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def start(settings: str | None = "", folder: Path | None = None) -> Running:
        started.append(Running(tmp_path / "home", settings, folder))
        return started[-1]

    yield start
    for running in started:
        running.end()


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
    run: Callable[..., Running], inbox: Path
) -> None:
    folder = f"[folder]\npath = {json.dumps(str(inbox))}\n"
    running = run(folder)
    running.configure(f"{folder}[sort]\naction = 'copy'\n[startup]\nat_login = true\n")
    wait_until(lambda: running.told("login item cannot be changed"), 10, "the trouble told")
    picture(inbox / "a.jpg", colour="blue")
    wait_until((inbox / "teddy" / "a.jpg").exists, 20, "the photo copied")
    assert (inbox / "a.jpg").exists()


def test_what_was_gathered_is_told_at_the_end(run: Callable[..., Running], inbox: Path) -> None:
    running = run(f"[notify]\nmode = 'digest'\n[folder]\npath = {json.dumps(str(inbox))}")
    picture(inbox / "a.jpg", colour="red")
    wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "the photo filed")
    running.live.stop()
    running.thread.join(10)
    assert [notice.title for notice in running.notices] == ["Photo filed"]


def watching(folder: Path, more: str = "") -> str:
    """Settings with a remark of the person's own."""
    return f"# mine\n[folder]\npath = {json.dumps(str(folder))} # the card\n{more}"


def test_a_pause_for_a_time_comes_back_with_the_program(
    run: Callable[..., Running], inbox: Path
) -> None:
    running = run(watching(inbox))
    until = time.time() + 3600
    running.live.pause(until)
    running.wait_for_pause(True)
    running.end()
    again = run(None)
    again.wait_for_pause(True)
    assert again.live.pausing.until == pytest.approx(until, abs=0.01)
    picture(inbox / "a.jpg", colour="red")
    again.live.resume()
    wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "what came meanwhile was filed")
    again.end()
    assert "# mine" in again.paths.settings_file.read_text()
    assert not (again.paths.private / "paused-until").exists()
    assert not run(None).live.paused


def test_a_pause_that_ended_while_it_was_off_is_over(
    run: Callable[..., Running], inbox: Path
) -> None:
    running = run(watching(inbox))
    running.live.pause(time.time() + 0.2)
    running.wait_for_pause(True)
    running.end()
    picture(inbox / "a.jpg", colour="blue")
    run(None).wait_for_pause(False)
    wait_until((inbox / "teddy" / "a.jpg").exists, 20, "the photo was filed")


@pytest.mark.parametrize("end", ["nan", "inf", "1e300", "-1", "tomorrow"])
def test_a_pause_to_no_moment_at_all_lasts_until_somebody_ends_it(
    run: Callable[..., Running], inbox: Path, end: str
) -> None:
    running = run(watching(inbox))
    running.live.pause(time.time() + 3600)
    running.wait_for_pause(True)
    running.end()
    (running.paths.private / "paused-until").write_text(end)
    again = run(None)
    again.wait_for_pause(True)
    assert again.live.pausing.until is None


def test_a_pause_without_an_end_replaces_one_with_an_end(
    run: Callable[..., Running], inbox: Path
) -> None:
    running = run(watching(inbox))
    running.live.pause(time.time() + 3600)
    running.live.pause()
    running.wait_for_pause(True)
    wait_until(lambda: running.live.pausing.until is None, 10, "no end")
    running.end()
    assert run(None).live.pausing.until is None


def test_pause_and_resume_one_right_after_the_other(
    run: Callable[..., Running], inbox: Path
) -> None:
    running = run(watching(inbox))
    running.live.pause()
    running.live.resume()
    running.live.change("sort.unsure", "folder")
    wait_until(lambda: running.live.settings.sort.unsure == "folder", 10, "the settings followed")
    assert not running.live.paused
    assert "paused = true" not in running.paths.settings_file.read_text()


def test_a_pause_ends_when_the_settings_file_says_so(
    run: Callable[..., Running], inbox: Path
) -> None:
    running = run(watching(inbox))
    running.live.pause(time.time() + 3600)
    running.wait_for_pause(True)
    text = running.paths.settings_file.read_text()
    running.paths.settings_file.write_text(text.replace("paused = true", "paused = false"))
    running.wait_for_pause(False)
    assert running.live.pausing.until is None
    picture(inbox / "a.jpg", colour="red")
    wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "the photo was filed")


def test_settings_that_are_just_being_written_change_nothing_yet(
    run: Callable[..., Running], inbox: Path
) -> None:
    """An editor empties the file first; the folder of the defaults is not meant."""
    running = run(watching(inbox))
    text = running.paths.settings_file.read_text()
    with running.paths.settings_file.open("w") as stream:
        for _ in range(2):  # the second begins when the first has been carried out
            turned = threading.Event()
            running.live._do(turned.set)
            assert turned.wait(10)
        assert running.live.root == inbox
        stream.write(text + "[sort]\naction = 'copy'\n")
    wait_until(lambda: running.live.settings.sort.action == "copy", 10, "the settings followed")
    assert running.live.root == inbox


def test_somebody_asks_what_a_photo_is_while_others_are_filed(
    run: Callable[..., Running], inbox: Path, tmp_path: Path
) -> None:
    album = tmp_path / "album"
    running = run(watching(inbox))
    photo = picture(album / "mine.jpg", colour="blue")
    pid = wait_until(lambda: running.live.engine.pids, 20, "an engine")
    for number in range(40):
        picture(inbox / f"{number}.png", (600, 400), "red")
    verdict = running.live.classify(photo)
    assert (verdict.label, names(album)) == ("teddy", {"mine.jpg"})
    assert running.live.classify(inbox / "no such file.jpg").reason == "unreadable"
    wait_until(lambda: len(names(inbox / "grizzly")) == 40, 30, "all were filed")
    assert running.live.engine.pids == pid, "it was the engine that is there anyway"
    running.live.pause()
    running.wait_for_pause(True)
    assert running.live.classify(photo).label == "teddy"


def test_photos_not_recognised_are_found_where_they_are(
    run: Callable[..., Running], inbox: Path
) -> None:
    running = run(watching(inbox))
    for name in ("b.jpg", "a.jpg"):
        picture(inbox / name, colour="grey")
    picture(inbox / "red.jpg", colour="red")
    wait_until(lambda: running.live.unsure.count() == 2, 20, "two were not recognised")
    assert (running.live.unsure.folder, running.live.unsure.photos()) == (
        *(inbox, [inbox / "a.jpg", inbox / "b.jpg"]),
    )
    running.end()
    (inbox / "a.jpg").unlink()  # nobody watches
    again = run(None)
    wait_until(lambda: again.live.unsure.count() == 1, 10, "the other was forgotten")
    again.live.change("sort.unsure", "folder")
    wait_until(lambda: again.live.settings.sort.unsure == "folder", 10, "the settings followed")
    assert again.live.unsure.count() == 0
    picture(inbox / "c.jpg", colour="grey")
    wait_until(lambda: again.live.unsure.photos() == [inbox / "unsure" / "c.jpg"], 20, "put apart")
    assert again.live.unsure.folder == inbox / "unsure"
    (inbox / "unsure" / ".beartray-x.jpg").touch()  # one that is on its way
    assert again.live.unsure.count() == 1


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the file is looked at every second")
def test_the_settings_are_followed_also_while_it_sleeps(
    run: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but the system's word that the file was written ends the sleep."""
    monkeypatch.setattr("trayapp.live.TICK_SECONDS", 600.0)
    monkeypatch.setattr("trayapp.live.IDLE_SECONDS", 600.0)
    one, other = make_tree(tmp_path / "one", {}), make_tree(tmp_path / "other", {})
    running = run(f"[folder]\npath = {json.dumps(str(one))}")
    running.configure(f"[folder]\npath = {json.dumps(str(other))}")
    running.wait_for_folder(other)


def test_it_wakes_rarely_once_nothing_happens(
    run: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trayapp.live.IDLE_SECONDS", 2.0)
    running = run(f"[folder]\npath = {json.dumps(str(make_tree(tmp_path / 'one', {})))}")
    waits: list[float] = []
    step = running.live.pipeline.step

    def noted(longest: float) -> None:
        waits.append(longest)
        step(longest)

    monkeypatch.setattr(running.live.pipeline, "step", noted)
    wait_until(lambda: 2.0 in waits, 20, "a long wait")
    running.live.pause()
    wait_until(lambda: waits[-1] == 1.0, 5, "short waits again")
