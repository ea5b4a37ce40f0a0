"""The real watcher on a real folder: what it reports of each way a file comes and goes."""

from __future__ import annotations

import errno
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import make_tree, wait_until
from trayapp.watch import Gone, Seen, Watcher, WatchError, file_system, is_wanted, scan

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of closed files")
Events = list[Seen | Gone]


@contextmanager
def watching(root: Path, kind: str = "auto", recursive: bool = False) -> Iterator[Events]:
    events: Events = []
    watcher = Watcher(root, recursive=recursive, kind=kind, report=events.append)
    try:
        assert not watcher.trouble()
        yield events
    finally:
        watcher.stop()


@pytest.fixture(params=["native", "polling"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("trayapp.watch.POLL_SECONDS", 0.1)
    return str(request.param)


def soon(condition: Callable[[], object], what: str) -> None:
    wait_until(condition, 15, what)


def test_a_new_file_is_seen_and_a_deleted_one_is_gone(tmp_path: Path, kind: str) -> None:
    with watching(tmp_path, kind) as events:
        file = tmp_path / "a.jpg"
        file.write_text("photo")
        soon(lambda: file in {event.path for event in events}, "the new file")
        file.unlink()
        soon(lambda: Gone(file) in events, "the deleted file")


@linux
def test_a_closed_file_and_one_that_was_moved_in_are_complete(tmp_path: Path) -> None:
    root = make_tree(tmp_path / "root", {})
    make_tree(tmp_path, {"outside.jpg": "photo"})
    with watching(root) as events:
        with (root / "a.jpg").open("w") as stream:
            soon(lambda: Seen(root / "a.jpg") in events, "a file that was begun")
            assert Seen(root / "a.jpg", complete=True) not in events
            stream.write("photo")
        soon(lambda: Seen(root / "a.jpg", complete=True) in events, "a closed file")
        (tmp_path / "outside.jpg").rename(root / "b.jpg")
        soon(lambda: Seen(root / "b.jpg", complete=True) in events, "a file moved in")
        (root / "b.jpg").rename(root / "c.jpg")
        soon(lambda: Seen(root / "c.jpg", complete=True) in events, "a renamed file")
        (root / "c.jpg").rename(tmp_path / "outside.jpg")
        soon(lambda: Gone(root / "c.jpg") in events, "a file moved away")


@linux
def test_a_folder_behind_a_link_is_watched_under_the_links_name(tmp_path: Path) -> None:
    make_tree(tmp_path / "real", {})
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with watching(link) as events:
        (tmp_path / "real" / "a.jpg").write_text("photo")
        soon(lambda: Seen(link / "a.jpg", complete=True) in events, "the file")


@linux
def test_below_the_folder_too_if_wanted(tmp_path: Path) -> None:
    with watching(tmp_path, recursive=True) as events:
        (tmp_path / "trip").mkdir()
        make_tree(tmp_path / "trip", {"a.jpg": "photo"})
        soon(lambda: tmp_path / "trip" / "a.jpg" in {e.path for e in events}, "the file below")


@pytest.mark.parametrize("change", ["deleted", "renamed", "replaced"])
def test_a_folder_that_is_no_longer_the_same_is_noticed(tmp_path: Path, change: str) -> None:
    root = make_tree(tmp_path / "root", {})
    watcher = Watcher(root, recursive=False, kind="auto", report=lambda _: None)
    try:
        if change == "deleted":
            shutil.rmtree(root)
        else:
            root.rename(tmp_path / "old")
        if change == "replaced":
            root.mkdir()
        soon(watcher.trouble, "the trouble")
    finally:
        watcher.stop()


@linux
@pytest.mark.parametrize(
    ("number", "call", "limit"),
    [
        (errno.EMFILE, "_create_inotify_fd", "max_user_instances"),
        (errno.ENOSPC, "add_callback", "max_user_watches"),
    ],
)
def test_a_limit_of_the_system_is_named_and_polling_takes_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, call: str, limit: str
) -> None:
    from watchdog.observers.inotify_c import InotifyFD

    def refuse(*_: object) -> None:
        raise OSError(number, "inotify limit reached")

    monkeypatch.setattr(InotifyFD, call, refuse)
    with pytest.raises(WatchError, match=limit):  # and no thread and no instance is left
        Watcher(tmp_path, recursive=False, kind="native", report=lambda _: None)
    watcher = Watcher(tmp_path, recursive=False, kind="auto", report=lambda _: None)
    watcher.stop()
    assert watcher.degraded is not None
    assert f"sudo sysctl fs.inotify.{limit}" in watcher.degraded


@linux
def test_looking_through_the_folder_is_no_event(tmp_path: Path) -> None:
    """Or a look through some thousand folders would fill the system's queue."""
    make_tree(tmp_path, {"trip": {"a.jpg": "photo"}})
    heard: list[object] = []
    watcher = Watcher(tmp_path, recursive=True, kind="native", report=heard.append)
    try:
        inotify = watcher._inotify
        handle = inotify.handle_event

        def note(event: object) -> None:
            heard.append(event)
            handle(event)

        inotify.handle_event = note
        assert (tmp_path / "trip" / "a.jpg").read_text() == "photo"
        assert [path.name for path in scan(tmp_path, True, lambda _: False)] == ["a.jpg"]
        (tmp_path / "b.jpg").touch()
        soon(lambda: Seen(tmp_path / "b.jpg", complete=True) in heard, "the new file")
        about = {event.name for event in heard if not isinstance(event, Seen)}  # type: ignore[attr-defined]
        assert about == {b"b.jpg"}
    finally:
        watcher.stop()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("a.jpg", True),
        ("A.JPEG", True),
        ("a.heic", True),
        (".a.jpg", False),
        ("a.jpg.part", False),
        ("a.txt", False),
        ("draft 1.jpg", False),
        ("DRAFT.png", False),
        ("jpg", False),
    ],
)
def test_which_names_are_photos(name: str, wanted: bool) -> None:
    assert is_wanted(Path("/x") / name, ["draft*"]) == wanted


def test_a_scan_follows_no_link_and_skips_what_is_filed(tmp_path: Path) -> None:
    tree = {"a.jpg": "", "trip": {"b.jpg": ""}, "grizzly": {"c.jpg": ""}, ".git": {"d.jpg": ""}}
    make_tree(tmp_path, tree)
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "e.jpg").symlink_to(tmp_path / "a.jpg")
    found = scan(tmp_path, True, lambda folder: folder.name == "grizzly")
    assert sorted(path.name for path in found) == ["a.jpg", "b.jpg"]
    assert [path.name for path in scan(tmp_path, False, lambda _: False)] == ["a.jpg"]


@linux
def test_the_file_system_of_an_oddly_named_folder_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = (
        "27 1 0:25 / / rw - ext4 /dev/root rw\n"
        "42 27 0:39 / /mnt/Zoë\\040s\\011share\\134 rw,nosuid shared:1 - cifs //nas/photos rw\n"
    )
    monkeypatch.setattr(Path, "read_text", lambda *_: lines)
    assert file_system(Path("/mnt/Zoë s\tshare\\/2024")) == "cifs"
    assert file_system(Path("/mnt")) == "ext4"
