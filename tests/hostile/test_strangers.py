"""Other users of the same machine, who read, write and prepare what they can reach."""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.books import Books, plan
from tests.helpers import files, make_tree, picture, require_programs, wait_until
from tests.program import COLOURS, Program
from trayapp import disk
from trayapp.app.log import OneLine, log_to
from trayapp.desktop.control import ControlPaths, ControlServer
from trayapp.files import make_private, write_atomically
from trayapp.filing import PlaceError
from trayapp.photo import Photo

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(sys.platform != "linux", reason="Linux's permissions and places"),
]

STRANGER = 12_345


# What Beartray keeps.


def test_what_it_keeps_is_for_its_user_only_whatever_the_umask(tmp_path: Path, inbox: Path) -> None:
    """The folders of a first start, a log, a journal, settings changed, tags and an undo."""
    program = Program(tmp_path / "unused")
    person = tmp_path / "person"
    person.mkdir(mode=0o700)
    for name in [name for name in program.environ if name.startswith(("XDG_", "BEARTRAY_"))]:
        del program.environ[name]
    program.environ["HOME"] = str(person)
    program.home = person / ".local" / "share" / "beartray"
    program.prefix = ("sh", "-c", 'umask 000; exec "$@"', "sh")
    program.command("config", "set", "model.package", COLOURS)
    with program.running(inbox):
        picture(inbox / "a.jpg", colour=(255, 1, 30))
        wait_until(lambda: (inbox / "grizzly" / "a.jpg").exists(), 30, "filed")
        program.command("config", "set", "sort.action", "tag")
        program.command("undo")
        kept = {path: path.lstat().st_mode for path in person.rglob("*")}
    names = {path.name for path in kept}
    assert {"settings.toml", "journal.sqlite", "beartray.log", "private", "control.json"} <= names
    for path, mode in kept.items():
        assert not mode & 0o077, f"{path}: {stat.filemode(mode)}"


def test_folders_that_are_there_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    make_private(tmp_path / "shared" / "a" / "b")
    write_atomically(tmp_path / "shared" / "a" / "b" / "c" / "file", b"x", 0o600)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in sorted((tmp_path / "shared").rglob("*"))]
    assert modes == [0o700, 0o700, 0o700, 0o600]
    assert stat.S_IMODE((tmp_path / "shared").stat().st_mode) == 0o755


def test_the_logs_next_file_is_private_too(tmp_path: Path) -> None:
    root, before, umask = logging.getLogger(), logging.getLogger().level, os.umask(0)
    handlers = list(root.handlers)
    try:
        log_to(tmp_path / "log" / "beartray.log")
        (handler,) = (one for one in root.handlers if one not in handlers)
        try:
            for _ in range(30):
                logging.getLogger("trayapp").info("x" * 50_000)
        finally:
            root.removeHandler(handler)
            handler.close()
    finally:
        os.umask(umask)
        root.setLevel(before)
    found = sorted((tmp_path / "log").iterdir())
    assert [path.name for path in found] == ["beartray.log", "beartray.log.1"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}


@pytest.mark.parametrize(
    "name", ["a\nb.jpg", "a\r\x1b[2Jb.jpg", "a\u2028b\udcff.jpg", "\u202eb.jpg"]
)
def test_a_name_writes_no_line_of_its_own_into_the_log(name: str) -> None:
    record = logging.LogRecord("trayapp", logging.INFO, "", 1, "%s went away", (name,), None)
    line = OneLine("%(levelname)s: %(message)s").format(record)
    assert line.isprintable()
    assert line.startswith("INFO: a" if name[0] == "a" else "INFO: \\u202eb")


# The control socket.

CONNECT = """
import pathlib, socket, sys
for act in (lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[1]),
            lambda: pathlib.Path(sys.argv[2]).read_bytes()):
    try:
        act()
        print("could")
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two")
def test_another_user_reaches_neither_socket_nor_secret() -> None:
    require_programs("setpriv")
    place = Path(tempfile.mkdtemp())
    umask = os.umask(0)
    try:
        place.chmod(0o755)
        paths = ControlPaths.for_unix(place / "private", {}, place)
        server = ControlServer(paths, lambda request: request)
        server.start()
        try:
            address = json.loads(paths.note.read_bytes())["address"]
            other = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
            python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
            command = [*other, python, "-c", CONNECT, address, str(paths.note)]
            done = subprocess.run(command, capture_output=True, text=True, cwd="/")
            assert done.stdout.split() == ["PermissionError"] * 2, done
        finally:
            server.close()
    finally:
        os.umask(umask)
        shutil.rmtree(place)


# A folder that is shared with others.


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two")
def test_a_link_that_a_stranger_made_is_not_followed(books: Books, tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "photo"})
    trap = make_tree(tmp_path / "trap", {})
    (inbox / "grizzly").symlink_to(trap)
    os.lchown(inbox / "grizzly", STRANGER, STRANGER)
    with pytest.raises(PlaceError, match="grizzly is a link that another user made; remove it"):
        books.filing.file(plan(inbox / "a.jpg"), None)
    assert list(trap.iterdir()) == []
    assert (inbox / "a.jpg").read_text() == "photo"


def test_a_link_of_ones_own_is_followed(books: Books, tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "photo"})
    album = make_tree(tmp_path / "album", {})
    (inbox / "grizzly").symlink_to(album)
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    assert (album / "a.jpg").read_text() == "photo"
    books.filing.undo(entry)
    assert (inbox / "a.jpg").read_text() == "photo"


def test_a_folder_swapped_for_a_link_at_the_last_moment_loses_nothing(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who may write to the folder can still win this race: nothing is overwritten, the journal
    knows, and undo brings the photo back."""
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "photo", "grizzly": {}})
    trap = make_tree(tmp_path / "trap", {"a.jpg": "theirs"})
    rename = disk.rename_exclusively

    def swap(source: Path, target: Path) -> None:
        if not (inbox / "grizzly").is_symlink():
            (inbox / "grizzly").rmdir()
            (inbox / "grizzly").symlink_to(trap)
        rename(source, target)

    monkeypatch.setattr(disk, "rename_exclusively", swap)
    entry = books.filing.file(plan(inbox / "a.jpg"), None)
    assert files(trap) == {"a.jpg": b"theirs", "a (2).jpg": b"photo"}
    assert entry.destination == inbox / "grizzly" / "a (2).jpg"
    books.filing.undo(entry)
    assert files(trap) == {"a.jpg": b"theirs"}
    assert (inbox / "a.jpg").read_text() == "photo"


def test_a_photo_swapped_for_a_link_is_not_touched(books: Books, tmp_path: Path) -> None:
    """Between the look and the move: neither is the link followed nor what it points to moved."""
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "photo"})
    secret = make_tree(tmp_path, {"secret": "mine"}) / "secret"
    decided = plan(inbox / "a.jpg")
    assert decided.photo == Photo.at(inbox / "a.jpg")
    (inbox / "a.jpg").unlink()
    (inbox / "a.jpg").symlink_to(secret)
    with pytest.raises(Exception, match=r"changed since|not a regular file"):
        books.filing.file(decided, None)
    assert secret.read_text() == "mine"
    assert (inbox / "a.jpg").is_symlink()
