"""The system drops events, or has none to give: nothing is missed, and it is said."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.flow.watching.conftest import StartWork, drop
from tests.helpers import files, make_tree, require_programs, skip, wait_until
from tests.program import Program, status_now
from tests.test_actions import NoLogin
from trayapp.app.face import Face
from trayapp.paths import Paths

pytestmark = pytest.mark.flow

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


@contextmanager
def tiny_queue() -> Iterator[None]:
    """Watchers that are made meanwhile, by any program, may have two events waiting."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip(f"only root may change {QUEUE}")
    before = QUEUE.read_text()
    QUEUE.write_text("2")
    try:
        yield
    finally:
        QUEUE.write_text(before)


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One word for each time the system said that it had dropped events."""
    from trayapp.watch import Watcher

    said: list[str] = []
    notice = Watcher._on_overflow

    def noted(watcher: Watcher) -> None:
        said.append("lost")
        notice(watcher)

    monkeypatch.setattr(Watcher, "_on_overflow", noted)
    return said


@pytest.mark.parametrize("recursive", [False, True])
def test_dropped_events_lead_to_a_look_at_once(
    start_work: StartWork, tmp_path: Path, lost: list[str], recursive: bool
) -> None:
    inbox = make_tree(tmp_path / "inbox", {"trip": {}})
    with tiny_queue():
        work = start_work(inbox, f"recursive = {str(recursive).lower()}")
    names = [f"{number}.jpg" for number in range(300)]
    expected = drop(inbox, *names)
    if recursive:
        expected |= drop(inbox / "trip", *(f"trip {name}" for name in names))
        expected |= drop(make_tree(inbox / "new" / "newer", {}), "deep.jpg")
    wait_until(lambda: lost, 5, "events to be lost")
    work.wait_until_filed(expected)


def test_a_sidecar_whose_event_was_dropped_follows_its_photo(
    start_work: StartWork, inbox: Path, lost: list[str]
) -> None:
    with tiny_queue():
        work = start_work(inbox)
    work.wait_until_filed(drop(inbox, "a.jpg"))
    for number in range(300):
        (inbox / f"{number}.txt").touch()
    (inbox / "a.xmp").write_text("late")
    for number in range(300):
        (inbox / f"{number}.txt").unlink()
    wait_until(lambda: lost, 5, "events to be lost")
    wait_until((inbox / "grizzly" / "a.xmp").exists, 20, "the sidecar to follow")


LIMITED = {
    "max_user_watches": ("max_inotify_watches", 20),
    "max_user_instances": ("max_inotify_instances", 0),
}


@pytest.mark.parametrize("limit", LIMITED)
def test_a_limit_of_the_system_is_said_and_polling_takes_over(
    program: Program, inbox: Path, photo: Callable[..., bytes], limit: str
) -> None:
    """In a user namespace, whose limits are its own."""
    require_programs("unshare")
    name, value = LIMITED[limit]
    for number in range(30):
        (inbox / f"trip {number}").mkdir()
    program.configure(f"[folder]\npath = {json.dumps(str(inbox))}\nrecursive = true\n")
    set_limit = f'echo {value} >/proc/sys/user/{name} && exec "$@"'
    program.prefix = ("unshare", "--user", "--map-root-user", "sh", "-c", set_limit, "sh")
    if program.try_command("--version").returncode:
        skip("needs a user namespace of its own")
    with program.running(None):
        program.prefix = ()
        status = status_now(program.home, program.environ)
        assert f"sudo sysctl fs.inotify.{limit}=" in str(status["degraded"])
        assert limit in program.command("status")
        photo(inbox / "trip 29" / "a.jpg", "teddy")
        photo(inbox / "b.jpg", "black")
        wait_until(lambda: status_now(program.home, program.environ)["filed_today"] == 2, 20, "two")
    assert set(files(inbox)) == {"teddy/a.jpg", "black/b.jpg"}


def test_a_new_folder_that_cannot_be_watched_any_more(
    program: Program, inbox: Path, photo: Callable[..., bytes]
) -> None:
    """The limit is reached only while Beartray runs."""
    require_programs("unshare")
    program.configure(f"[folder]\npath = {json.dumps(str(inbox))}\nrecursive = true\n")
    set_limit = 'echo 20 >/proc/sys/user/max_inotify_watches && exec "$@"'
    program.prefix = ("unshare", "--user", "--map-root-user", "sh", "-c", set_limit, "sh")
    if program.try_command("--version").returncode:
        skip("needs a user namespace of its own")
    with program.running(None):
        program.prefix = ()
        assert status_now(program.home, program.environ)["degraded"] is None
        for number in range(30):
            (inbox / f"trip {number}").mkdir()
        wait_until(lambda: status_now(program.home, program.environ)["degraded"], 20, "it is said")
        photo(inbox / "trip 29" / "a.jpg", "teddy")
        wait_until((inbox / "teddy" / "a.jpg").exists, 20, "the photo filed")


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A folder, and another one that shows it through FUSE as a network share would: what is
    written to the first is not told to whoever watches the second."""
    require_programs("bindfs")
    there, here = make_tree(tmp_path / "server", {}), make_tree(tmp_path / "share", {})
    done = subprocess.run(["bindfs", str(there), str(here)], capture_output=True, text=True)
    if done.returncode:
        skip(f"bindfs cannot mount: {done.stderr.strip()}")
    try:
        yield there, here
    finally:
        subprocess.run(["umount", "--lazy", str(here)], check=True)


def test_a_share_that_tells_of_nothing_is_polled_and_that_is_said(
    start_work: StartWork, mirror: tuple[Path, Path]
) -> None:
    there, here = mirror
    work = start_work(here, "recursive = true")
    assert "file system (fuse) does not tell" in str(work.live.inbox.degraded)
    assert work.live.problem is None
    expected = drop(there, "a.jpg", "b.jpg")
    (there / "trip").mkdir()
    expected |= drop(there / "trip", "c.jpg")
    work.wait_until_filed(expected)


def test_polling_because_the_settings_say_so(start_work: StartWork, inbox: Path) -> None:
    work = start_work(inbox, 'observer = "polling"')
    assert work.live.inbox.degraded is None
    work.wait_until_filed(drop(inbox, "a.jpg", "b.jpg"))


def test_five_thousand_folders_below(start_work: StartWork, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    folders = [inbox / str(number % 70) / str(number) for number in range(5000)]
    for folder in folders:
        folder.mkdir(parents=True)
    work = start_work(inbox, "recursive = true")
    expected: dict[str, bytes] = {}
    for number in random.Random(5).sample(range(5000), 60):
        expected |= drop(folders[number], f"{number}.jpg")
    elsewhere = make_tree(tmp_path / "elsewhere", {"one": {"two": {}}})
    expected |= drop(elsewhere / "one" / "two", "moved in with its folders.jpg")
    elsewhere.rename(inbox / "moved in")
    shutil.copytree(inbox / "69", inbox / "copy")
    expected |= drop(inbox / "copy" / "69", "in a copied folder.jpg")
    work.wait_until_filed(expected)


def test_the_tray_says_that_it_only_looks_now_and_then(
    start_work: StartWork, mirror: tuple[Path, Path], tmp_path: Path
) -> None:
    work = start_work(mirror[1])
    face = Face(work.live, NoLogin(), "", Paths.from_environment({"BEARTRAY_HOME": str(tmp_path)}))
    assert face.headline().startswith("Watching (every 2 s) /")
    assert "does not tell" in str(face.status()["degraded"])
