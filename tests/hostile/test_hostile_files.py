"""Everything that a folder may hold to harm a program that looks at it, through the real app."""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers import files, picture, require_programs, wait_until
from tests.hostile.bombs import BOMBS, tiff, write_all
from tests.hostile.siege import Siege
from tests.hostile.targets import one_line
from tests.program import COLOURS, Program

pytestmark = [
    pytest.mark.hostile,
    pytest.mark.skipif(sys.platform != "linux", reason="looks at the app through Linux's /proc"),
]

RED = (255, 10, 30)
TERABYTE = 1 << 40

NAMES = (
    "line\nbreak.jpg",
    "tab\there.jpg",
    "\x1b[31mred\x1b[0m.jpg",
    "\x1b]0;title\x07.jpg",
    "carriage\rreturn.jpg",
    'quote\'s "double" `back`.jpg',
    "$(touch x) ; rm -rf ~ | cat & .jpg",
    "-rf --help.jpg",
    "%s%n%x{0}{label}.jpg",
    "<b>bold<i>&amp;.jpg",
    "ends with a space .jpg",
    "🐻 ours\u202egpj.exe.jpg",
    "e\u0301 NFD.jpg",
    "\u2028line.jpg",
    "CON.jpg",
    "back\\slash.jpg",
    "x" * 251 + ".jpg",
    "2026-11-21 00:00:00,000 ERROR trayapp: forged.jpg\n2026-11-21 00:00:00,000 INFO a: b.jpg",
)
BYTES = (b"no text \xff\xfe.jpg", b"half \xc3.jpg")


@pytest.fixture
def colours(siege: Siege) -> Program:
    """The tests' own model: red photos are grizzlies."""
    siege.model = str(COLOURS)
    siege.program.configure(model=siege.model)
    return siege.program


def test_bombs(siege: Siege, inbox: Path) -> None:
    with siege.running():
        made = write_all(inbox)
        siege.settled(len(made), 150)
        picture(inbox / "after.jpg")
        siege.settled(len(made) + 1, 30)
    assert {name: (inbox / name).read_bytes() for name in made} == made
    for name, (_, words) in BOMBS.items():
        if words is not None:
            line = siege.said_of(name)
            assert line.endswith("; it stays in place")
            assert words in line
    print(f"tray {siege.tray >> 20} MB, engine {siege.engine >> 20} MB")


def test_bombs_on_the_command_line(program: Program, inbox: Path) -> None:
    made = write_all(inbox, without=("scans.jpg", "unpacks.png"))  # 30 s of hard work
    rows = program.rows("classify", inbox, status=1)
    assert {Path(row["path"]).name for row in rows} == set(made)
    for row in rows:
        words = BOMBS[Path(row["path"]).name][1]
        if words is not None:
            one_line(row["error"])
            assert words in row["error"]
    assert {row["state"] for row in program.rows("sort", inbox, status=1)} == {"unreadable", "left"}
    assert files(inbox) == made


@contextmanager
def odd_things(folder: Path) -> Iterator[set[str]]:
    """What has a photo's name and is no file, in `folder`; links, and a folder that is its own."""
    outside = folder.parent / "outside"
    secret = picture(outside / "secret.jpg", colour=RED)
    with socket.socket(socket.AF_UNIX) as server:
        os.mkfifo(folder / "pipe.jpg")
        here = os.open(folder, os.O_PATH | os.O_DIRECTORY)
        server.bind(f"/proc/self/fd/{here}/socket.jpg")  # its own path is too long for a socket
        os.close(here)
        if os.geteuid() == 0:
            os.mknod(folder / "zero.jpg", 0o666 | stat.S_IFCHR, os.makedev(1, 5))
            os.mknod(folder / "disk.jpg", 0o666 | stat.S_IFBLK, os.makedev(7, 200))
        (folder / "folder.jpg").mkdir()
        (folder / "link.jpg").symlink_to(secret)
        (folder / "dangling.jpg").symlink_to(folder / "nowhere.jpg")
        (folder / "round.jpg").symlink_to("round.jpg")
        (folder / "outside").symlink_to(outside)
        (folder / "loop").symlink_to(".")
        yield {path.name for path in folder.iterdir()}
    (folder / "socket.jpg").unlink()


def grow(path: Path, head: bytes) -> None:
    """A file of a terabyte that takes no space."""
    with path.open("wb") as stream:
        stream.write(head)
        stream.truncate(TERABYTE)


def sparse_files(folder: Path) -> dict[str, str | None]:
    """Files of a terabyte that take no space, and what is said of each (None: they can be read)."""
    red = picture(folder.parent / "red.jpg", colour=RED).read_bytes()  # not filed meanwhile
    kinds: dict[str, tuple[bytes, str | None]] = {
        "zeros.jpg": (b"", "is not a picture"),
        "zeros.png": (b"\x89PNG\r\n\x1a\n", "cut short"),
        "zeros.tif": (b"II*\0" + b"\xf0\xff\xff\xff", "cut short"),
        "strip.tif": (tiff(8, 8), None),
        "zeros.heic": (b"\0\0\0\x18ftypheic", "more memory"),
        "tail.jpg": (red, None),
    }
    for name, (head, _) in kinds.items():
        grow(folder / name, head)
    return {name: words for name, (_, words) in kinds.items()}


def test_what_is_no_file_and_what_is_a_terabyte(
    siege: Siege, colours: Program, inbox: Path
) -> None:
    with siege.running("recursive = true\n"), odd_things(inbox) as odd:
        sparse = sparse_files(inbox)
        siege.settled(len(sparse), 90)
        picture(inbox / "after.jpg", colour=RED)
        wait_until(lambda: (inbox / "grizzly" / "after.jpg").exists(), 30, "the next one filed")
        assert odd <= {path.name for path in inbox.iterdir()}, "left where they are"
    for name, words in sparse.items():
        if words is not None:
            assert words in siege.said_of(name)
    filed = inbox / "grizzly" / "tail.jpg"
    assert filed.stat().st_size == TERABYTE
    assert (inbox.parent / "outside" / "secret.jpg").exists()
    assert len(siege.problems()) == sum(words is not None for words in sparse.values())


@pytest.mark.parametrize("command", ["classify", "sort"])
def test_the_commands_pass_over_what_is_no_file(
    colours: Program, inbox: Path, command: str
) -> None:
    red = picture(inbox / "red.jpg", colour=RED).read_bytes()
    with odd_things(inbox) as odd:
        (row,) = colours.rows(command, inbox)
        assert row["label"] == "grizzly"
        assert odd - {"red.jpg"} <= {path.name for path in inbox.iterdir()}
        named = [inbox / name for name in odd - {"red.jpg", "outside", "loop", "folder.jpg"}]
        rows = colours.rows("classify", *named, status=1)
        assert len(rows) == len(named) >= 4
        for row in rows:
            one_line(row["error"])
            assert "not a regular file" in row["error"]
    assert {path.name for path in inbox.rglob("red*")} == {"red.jpg"}
    assert (inbox / ("red.jpg" if command == "classify" else "grizzly/red.jpg")).read_bytes() == red


def test_a_photo_that_may_not_be_read_is_one_line(colours: Program, inbox: Path) -> None:
    if os.geteuid() == 0:  # root, but without root's right to read everything
        require_programs("setpriv")
        colours.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    picture(inbox / "secret.jpg", colour=RED).chmod(0)
    picture(inbox / "red.jpg", colour=RED)
    for command in ("classify", "sort"):
        done = colours.try_command(command, inbox)
        assert done.returncode == 1
        (line,) = done.stderr.splitlines()
        assert line == f"{inbox}/secret.jpg may not be read: permission denied"
    assert {path.name for path in inbox.iterdir()} == {"secret.jpg", "grizzly"}


def test_names(siege: Siege, colours: Program, inbox: Path) -> None:
    """All are filed under their own names; none writes a line of its own into log or terminal."""
    names = [*map(os.fsencode, NAMES), *BYTES]
    expected = {}
    with siege.running():
        for number, name in enumerate(names):
            made = picture(inbox.parent / "made.jpg", colour=(255, number, 30))
            expected[b"grizzly/" + name] = made.read_bytes()
            made.rename(inbox / os.fsdecode(name))
            bad = inbox.parent / "bad.jpg"
            bad.write_bytes(b"no photo")
            bad.rename(inbox / os.fsdecode(b"bad " + name[-240:]))
        siege.settled(2 * len(names), 60)
        said = colours.command("status")
        siege.program.command("history", "-n", "100")
    found = {os.fsencode(name): content for name, content in files(inbox).items()}
    assert {name: found.get(name) for name in expected} == expected
    assert len(siege.problems()) == len(names)
    for text in (said, colours.command("history", "-n", "100")):
        for line in text.splitlines():
            one_line(line)
    assert len(colours.rows("history", "-n", "100")) == len(names)
    assert len(colours.command("history", "-n", "100").splitlines()) == len(names)


def test_files_that_change_while_they_are_read(siege: Siege, colours: Program, inbox: Path) -> None:
    """Cut and grown hundreds of times under the reader's eyes, and whole in the end."""
    big = picture(inbox.parent / "big.png", (1500, 1500), RED, compress_level=0).read_bytes()
    stop, path = threading.Event(), inbox / "restless.png"

    def rewrite() -> None:
        while not stop.is_set():
            path.write_bytes(big)
            for size in (len(big) // 2, 100, 0, len(big)):
                os.truncate(path, size)
        path.write_bytes(big)

    writer = threading.Thread(target=rewrite)
    with siege.running():
        writer.start()
        try:
            for number in range(20):
                name = f"calm {number}.jpg"
                picture(inbox.parent / name, colour=(255, number, 30)).rename(inbox / name)
            wait_until(lambda: len(files(inbox / "grizzly")) >= 20, 60, "the others filed")
        finally:
            stop.set()
            writer.join()
        wait_until(lambda: (inbox / "grizzly" / path.name).exists(), 60, "filed in the end")
    assert (inbox / "grizzly" / path.name).read_bytes() == big


SIDECARS: dict[str, Callable[[Path], object]] = {
    "sparse": lambda path: grow(path, b""),
    "pipe": lambda path: os.mkfifo(path),
    "folder": Path.mkdir,
    "link": lambda path: path.symlink_to("/etc/hostname"),
    "laughs": lambda path: path.write_text(
        '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><x>&b;</x>'
    ),
    "reader": lambda path: path.write_text(
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><x>&a;</x>'
    ),
}


def test_hostile_sidecars(siege: Siege, colours: Program, inbox: Path) -> None:
    """A photo with a sidecar that cannot be added to gets one line, and the next gets its tags."""
    with siege.running('[sort]\naction = "tag"\n'):
        for kind, make in SIDECARS.items():
            make(inbox / f"{kind}.jpg.xmp")
            picture(inbox.parent / f"{kind}.jpg", colour=RED).rename(inbox / f"{kind}.jpg")
        wait_until(lambda: len(siege.problems()) >= len(SIDECARS), 60, "a line for each")
        picture(inbox / "after.jpg", colour=RED)
        wait_until(lambda: (inbox / "after.jpg.xmp").exists(), 30, "the next one tagged")
    for kind in SIDECARS:
        assert f"{kind}.jpg.xmp" in siege.said_of(f"{kind}.jpg"), "what is in the way is named"
    assert (inbox / "after.jpg.xmp").read_text().count("<rdf:li>grizzly<") == 3
    assert json.dumps(os.readlink(inbox / "link.jpg.xmp")) == '"/etc/hostname"'  # noqa: PTH115
