"""The real program on a virtual desktop, and what a person sees of it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tests.desktop.desk import Desk, wait_until
from tests.helpers import SLOWNESS, picture
from tests.program import BEARTRAY, COLOURS, status_now

BROWN, GREY = (0x8A, 0x5A, 0x33), (0x8D, 0x8D, 0x92)
BLUE, RED = (0x1F, 0x6F, 0xD6), (0xD9, 0x2B, 0x1F)
LABELS = {"grizzly": (255, 0, 0), "black": (0, 255, 0), "teddy": (0, 0, 255), "none": (9, 9, 9)}
COMMENT = "# my own words"
MOMENT = 0.3  # seconds


class RealApp:
    """Beartray with a home of its own on a desk; its model knows red, green and blue pictures."""

    def __init__(
        self, desk: Desk, model: str | Path = COLOURS, program: Sequence[str] = BEARTRAY
    ) -> None:
        self.desk = desk
        self.program = program
        self.inbox = desk.home / "Pictures" / "Inbox"
        self.inbox.mkdir(parents=True)
        self.home = Path(tempfile.mkdtemp(prefix="beartray", dir=desk.folder))
        self.settings = self.home / "settings.toml"
        self.configure(self.inbox, model)
        desk.environ["BEARTRAY_HOME"] = str(self.home)
        self.process: subprocess.Popen[bytes] | None = None
        self._opened = 0.0
        self._heard = max((one.id for one in desk.closed_notices()), default=0)

    def configure(self, folder: Path, model: str | Path = COLOURS) -> None:
        written = f"{COMMENT}\n[folder]\npath = {json.dumps(str(folder))} # the card\n"
        self.settings.write_text(f"{written}[model]\npackage = {json.dumps(str(model))}\n")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start it; `said` gives what it says."""
        self.process = self.desk.start(*self.program, *arguments, log=self.home.name)
        return self.process

    def start_and_wait(self) -> None:
        """Start it and wait until there is an icon, a menu and an engine."""
        process = self.start()
        self.desk.wait_for_icon()
        self.wait_for_engine()
        assert process.poll() is None

    def wait_for_engine(self) -> None:
        what = f"the engine was ready; {self.said()}"
        wait_until(lambda: self.status().get("engine") == "ready", what, 20.0)

    def said(self) -> str:
        """What it has written to its terminal."""
        return self.desk.log(self.home.name)

    def close(self) -> None:
        """Leave the desk as it was."""
        self.desk.keys("Escape", "Escape")
        if self.process is not None:
            self.desk.stop(self.process)
        if pid := self.status().get("pid"):  # one that was started by a login
            os.kill(int(pid), signal.SIGTERM)
        self.desk.environ.pop("XDG_CONFIG_DIRS", None)
        wait_until(lambda: not drawn(self.desk.icon()), "the icon was gone")
        self.desk.dunst("close-all")
        for folder in (self.desk.home, self.desk.config / "autostart", self.home):
            shutil.rmtree(folder, ignore_errors=True)
        self.desk.home.mkdir()
        for stub in self.desk.folder.glob("*.noted"):
            stub.unlink()
            (self.desk.programs / stub.stem).unlink()

    def command(self, *arguments: str, status: int = 0) -> str:
        """Run one command on this desktop; its output, both streams."""
        done = self.desk.run(*self.program, *arguments)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        return status_now(self.home, self.desk.environ)

    def history(self, state: str) -> list[str]:
        """The names of the photos that the journal has in this state."""
        lines = self.command("history", "-n", "1000", "--json").splitlines()
        rows = [json.loads(line) for line in lines]
        return [Path(row["path"]).name for row in rows if row["state"] == state]

    def log(self) -> str:
        return (self.home / "log" / "beartray.log").read_text()

    def drop(self, name: str, label: str = "grizzly", folder: Path | None = None) -> Path:
        """A photo of `label` appears in the inbox, as if moved there."""
        path = (folder or self.inbox) / name
        made = picture(self.desk.folder / "camera" / name, (64, 48), LABELS[label])
        return made.replace(path)

    def drop_many(self, count: int, size: tuple[int, int] = (64, 48)) -> None:
        """So many photos of grizzlies, called 0.png and so on, appear all at once."""
        one = picture(self.desk.folder / "camera" / "one.png", size, LABELS["grizzly"])
        for number in range(count):
            shutil.copy(one, self.inbox / f".{number}.part")
        for number in range(count):
            (self.inbox / f".{number}.part").rename(self.inbox / f"{number}.png")

    def tree(self, folder: Path | None = None) -> list[str]:
        """The files in the inbox."""
        place = folder or self.inbox
        files = (path for path in place.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(place)) for path in files)

    def wait_for_tree(self, *files: str, folder: Path | None = None) -> None:
        what = f"the files were {sorted(files)}; {self.said()}"
        wait_until(lambda: self.tree(folder) == sorted(files) or None, what)

    def labels(self) -> list[str]:
        """The lines of the menu, those of submenus among them, at most a moment old."""
        panel = self.desk.panel()
        if time.monotonic() - self._opened > MOMENT:  # each opening is some work for the app
            panel.about_to_show()
            self._opened = time.monotonic()
        lines = panel.lines()
        return [line.label for top in lines for line in (top, *top.lines) if not line.separator]

    def wait_for_line(self, start: str, there: bool = True) -> None:
        what = f"a line “{start}…” was {'' if there else 'not '}in the menu"
        wait_until(lambda: any(line.startswith(start) for line in self.labels()) is there, what)

    def wait_for_icon(self, colour: tuple[int, int, int], at_least: int = 12) -> None:
        wait_until(lambda: has(self.desk.icon(), colour, at_least), f"{colour} was in the icon")

    def notices(self) -> list[str]:
        """Wait for a notification and close what is shown; as `notices_so_far`."""
        wait_until(lambda: int(self.desk.dunst("count", "displayed")), "a notification was seen")
        self.desk.dunst("close-all")
        wait_until(lambda: not int(self.desk.dunst("count", "displayed")), "they were closed")
        return self.notices_so_far()

    def notices_until(self, word: str) -> list[str]:
        """Close what is shown until one with `word` was among it; all since the last look."""
        heard: list[str] = []

        def listen() -> bool:
            self.desk.dunst("close-all")
            heard.extend(self.notices_so_far())
            return any(word in line for line in heard)

        wait_until(listen, f"a notification with “{word}” was shown")
        return heard

    def notices_so_far(self) -> list[str]:
        """Each notification that was closed since the last look, as "title: body"."""
        new = [one for one in self.desk.closed_notices() if one.id > self._heard]
        self._heard = new[-1].id if new else self._heard
        return [f"{one.title}: {one.body}" for one in new]

    def choose_photo(self, title: str, photo: Path) -> None:
        """Type a photo's path into a GTK file dialog and confirm it."""
        window = self.desk.window(title)
        self.desk.type(str(photo))  # GTK opens a line to type in at the first slash

        def closed() -> bool:
            if window in self.desk.windows(title):
                self.desk.keys("Return")
            return window not in self.desk.windows(title)

        wait_until(closed, "the photo was chosen")

    def read_message(self, title: str) -> str:
        """What a message window says; closes it."""
        window = self.desk.window(title)
        pid = self.desk.run("xdotool", "getwindowpid", window).stdout.strip()
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        self.desk.screenshot(f"real-{title.split()[0].lower()}")
        self.desk.keys("Return")
        wait_until(lambda: not self.desk.windows(title), "the message was closed")
        return next(word.removeprefix("--text=") for word in words if word.startswith("--text="))

    def wait_for_setting(self, line: str) -> None:
        """Until the settings file says so, with the person's own words still in it."""
        what = f"{line} was in the settings"
        wait_until(lambda: line in self.settings.read_text().splitlines(), what)
        assert COMMENT in self.settings.read_text() and "# the card" in self.settings.read_text()

    def wait_for_words(self, words: str) -> None:
        """Until it has said so, on its terminal at least."""
        wait_until(lambda: words in self.said(), f"it said “{words}”; {self.said()}")

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send a signal; fails unless it is gone within two seconds, with all its processes."""
        assert self.process is not None
        family = descendants(self.process.pid)
        self.process.send_signal(number)
        self.wait_for_the_end(family)

    def wait_for_the_end(self, family: set[int]) -> None:
        assert self.process is not None
        assert self.process.wait(2.0 * SLOWNESS) == 0, self.said()
        wait_until(lambda: not alive(family), "its processes were gone", 2.0)
        assert "Traceback" not in self.log() + self.said(), self.log() + self.said()


def descendants(pid: int) -> set[int]:
    """The process ids of all children, and theirs."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found |= {child} | descendants(child)
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that still run; what has ended and only waits for a parent to ask does not."""
    return {pid for pid in pids if _state(pid) not in ("", "Z")}


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def memory(pid: int) -> float:
    """MB of memory that are resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def cpu_share(pid: int, seconds: float) -> float:
    """The share of one processor that a process uses during the next seconds."""
    before, start = _ticks(pid), time.monotonic()
    time.sleep(seconds)  # the span that is measured
    used = (_ticks(pid) - before) / os.sysconf("SC_CLK_TCK")
    return used / (time.monotonic() - start)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def drawn(icon: Image.Image) -> bool:
    """Whether there is something besides the panel in the icon's place."""
    return len(icon.getcolors(4096) or ()) > 20


def has(image: Image.Image, colour: tuple[int, int, int], at_least: int = 12) -> bool:
    """Whether that many points of an RGB picture are of about this colour."""
    data = image.tobytes()
    points = zip(data[::3], data[1::3], data[2::3], strict=True)
    near = (all(abs(a - b) < 12 for a, b in zip(one, colour, strict=True)) for one in points)
    return sum(near) >= at_least
