"""The tray on a virtual desktop: how soon it is there, how soon its menu opens, what it costs."""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageChops

from tests.bench.figures import Figure, median, spread
from tests.bench.photos import copies
from tests.bench.running import (
    Running,
    memory,
    resident,
    running,
    set_up,
    switches,
    wait,
)
from tests.desktop.desk import ICON, Desk, Panel
from tests.desktop.desk.desk import PROGRAMS
from tests.program import Program

ICON_GOAL_MS, MENU_GOAL_MS, MEMORY_GOAL_MB, WAKE_UPS_GOAL = 700.0, 100.0, 60.0, 1.5
COLOURS = 20  # an empty place in the panel has fewer
CLICKS = 12
PAUSE_SECONDS = 0.1


def desktop(scratch: Path, photos: Sequence[Path], quick: bool) -> Iterator[Figure]:
    """Nothing where the programs of a virtual desktop are not installed; Linux only."""
    if sys.platform != "linux" or any(shutil.which(name) is None for name in PROGRAMS):
        return
    with tempfile.TemporaryDirectory(prefix="desk") as folder:
        desk = Desk(Path(folder), scratch / "shots")
        try:
            yield from _measure(desk, scratch, photos, quick)
        finally:
            desk.close()


def _measure(desk: Desk, scratch: Path, photos: Sequence[Path], quick: bool) -> Iterator[Figure]:
    inbox = desk.home / "Pictures" / "Inbox"
    program = set_up(scratch / "home", inbox, dict(desk.environ))
    program.environ["DBUS_SESSION_BUS_ADDRESS"] = desk.environ["DBUS_SESSION_BUS_ADDRESS"]
    yield from _icon(desk, program, inbox, 3 if quick else 9)
    made = copies(photos, scratch / "burst", 200 if quick else 500)
    with running(program, inbox) as app:
        wait(lambda: app.is_ready() and app.status()["watching"], "the engine", 0.05)
        desk.wait_for_icon()
        panel = desk.panel()
        yield from _answers("idle", panel)
        yield from _clicks("idle", desk)
        yield from _while_filing(desk, panel, app, made)
        desk.dunst("close-all")
        time.sleep(5)
        yield from _costs(app.process.pid, 10.0 if quick else 60.0)


def _icon(desk: Desk, program: Program, inbox: Path, times: int) -> Iterator[Figure]:
    """From the start of the process until there are colours where the icon belongs."""
    took = []
    for _ in range(times + 1):  # the first is to warm up
        with running(program, inbox) as app:
            seen = wait(lambda: _is_drawn(desk.icon()), "the icon")
            took.append(seen - app.started)
        wait(lambda: not _is_drawn(desk.icon()), "the icon to go")
    note = _goal(1e3 * median(took[1:]), ICON_GOAL_MS, "ms")
    yield from spread("Tray", "icon on the screen after the start", took[1:], note)


def _is_drawn(icon: Image.Image) -> bool:
    return len(icon.getcolors(4096) or ()) > COLOURS


def _answers(when: str, panel: Panel) -> Iterator[Figure]:
    """What a panel asks before it draws the menu."""
    took = []
    for _ in range(CLICKS):
        started = time.monotonic()
        panel.open()
        took.append(time.monotonic() - started)
        time.sleep(PAUSE_SECONDS)
    note = _goal(1e3 * max(took), MENU_GOAL_MS, "ms")
    yield from spread("Tray", f"menu answered, {when}", took, note)


def _clicks(when: str, desk: Desk) -> Iterator[Figure]:
    """From a click with the right button until the menu is on the screen; the shares of Xfce and
    of the program that clicks (some milliseconds) are included."""
    took = []
    desk.point(*ICON)
    for _ in range(CLICKS):
        before = desk.look()
        clicked = time.monotonic()
        desk.start("xdotool", "click", "3")
        drawn = wait(lambda before=before: _has_menu(before, desk.look()), "the menu")  # type: ignore[misc]
        took.append(drawn - clicked)
        desk.keys("Escape")
        wait(lambda before=before: not _has_menu(before, desk.look()), "the menu to close")  # type: ignore[misc]
    note = _goal(1e3 * median(took), MENU_GOAL_MS, "ms")
    yield from spread("Tray", f"menu on the screen after a click, {when}", took, note)


def _has_menu(before: Image.Image, now: Image.Image) -> bool:
    """Below the icon and its tooltip, above where notifications come and go."""
    x, y = ICON
    box = (x - 160, y + 110, x, y + 260)
    return ImageChops.difference(before.crop(box), now.crop(box)).getbbox() is not None


def _while_filing(desk: Desk, panel: Panel, app: Running, made: Sequence[Path]) -> Iterator[Figure]:
    def arrive() -> None:
        for path in made:
            path.rename(app.inbox / path.name)

    when = f"while {len(made)} photos are filed"
    arriving = threading.Thread(target=arrive)
    arriving.start()
    wait(lambda: app.status().get("state") == "busy", "the first photo to be filed", 0.02)
    yield from _answers(when, panel)
    yield from _clicks(when, desk)
    left = len(list(app.inbox.glob("*.jpg")))
    arriving.join()
    wait(lambda: not any(app.inbox.glob("*.jpg")), "all photos to be filed", 0.05)
    yield Figure("Tray", "photos not yet filed when that was measured", left, "photos")


def _costs(pid: int, seconds: float) -> Iterator[Figure]:
    """After all that, with everything on and nothing to do."""
    found = memory(pid)
    note = _goal(resident(pid), MEMORY_GOAL_MB, "MB")
    yield Figure("Tray", "process, resident", resident(pid), "MB", note)
    yield Figure("Tray", "process, proportional share (PSS)", found["Pss"], "MB")
    yield Figure("Tray", "process, its own alone (USS)", found["Uss"], "MB")
    before = switches(pid)
    time.sleep(seconds)
    after = switches(pid)
    woken = {thread: (count - before.get(thread, 0)) / seconds for thread, count in after.items()}
    note = _goal(sum(woken.values()), WAKE_UPS_GOAL, "per second")
    name = f"wake-ups when idle, over {seconds:.0f} s"
    yield Figure("Tray", name, sum(woken.values()), "/s", note)
    yield Figure("Tray", "of these in the busiest thread", max(woken.values()), "/s")


def _goal(value: float, goal: float, unit: str) -> str:
    return f"goal < {goal:g} {unit}: {'holds' if value < goal else 'DOES NOT HOLD'}"
