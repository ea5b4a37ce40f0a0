"""Logout and SIGTERM at a bad moment: notices that hang, an open dialog, an engine hard at work."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.desktop.desk import Panel, PrivateBus, wait_until
from tests.desktop.desk.bus import own
from tests.desktop.desk.services import WATCHER, Watcher
from tests.desktop.real_app import alive, descendants
from tests.desktop.test_notify_dbus import Service
from tests.helpers import SLOWNESS, picture
from tests.program import BEARTRAY, Program, status_now
from trayapp.commands.checks import records
from trayapp.desktop.notify_dbus import SERVER

pytestmark = pytest.mark.desktop

SECONDS = 2.0  # what a logout gives every program
PHOTOS = 6


class Session:
    """The real program on a bus where the test plays the panel and the notification service."""

    def __init__(self, bus: PrivateBus, folder: Path) -> None:
        self.bus, self.inbox, self.programs = bus, folder / "inbox", folder / "bin"
        self.inbox.mkdir()
        self.programs.mkdir()
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        self.program = Program(folder / "home", {"PATH": path, "DISPLAY": ":no-such-screen"})
        self.program.environ["DBUS_SESSION_BUS_ADDRESS"] = bus.address
        self.program.configure(f'[folder]\npath = "{self.inbox}"\nsettle_seconds = 0.1')
        self.service, self.watcher = Service(), Watcher()
        self.desktop = bus.connect()
        self.desktop.export(SERVER.path, self.service)
        self.desktop.export("/StatusNotifierWatcher", self.watcher)
        own(self.desktop, SERVER.name)
        own(self.desktop, WATCHER)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.program.home / "said").open("wb")
        with log:
            self.process = subprocess.Popen(
                BEARTRAY, env=self.program.environ, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(lambda: self.watcher.registered, "the icon was there", 20.0)
        wait_until(self._is_ready, "the engine was ready", 20.0)

    def panel(self) -> Panel:
        return Panel(self.desktop, self.watcher.registered[-1].split("/")[0])

    def drop(self, name: str, size: tuple[int, int] = (64, 48)) -> None:
        """A photo appears, as if moved there."""
        camera = self.inbox.parent / "camera"
        picture(camera / name, size, (255, 0, 0)).replace(self.inbox / name)

    def end(self, act: Callable[[], object]) -> float:
        """Seconds until it is gone, with all its processes."""
        assert self.process is not None
        family = descendants(self.process.pid)
        started = time.monotonic()
        act()
        assert self.process.wait(30) == 0, self.said()
        took = time.monotonic() - started
        wait_until(lambda: not alive(family), "its processes were gone", SECONDS)
        assert "Traceback" not in self.said(), self.said()
        return took

    def said(self) -> str:
        log = self.program.home / "log" / "beartray.log"
        return (self.program.home / "said").read_text() + log.read_text()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.desktop.close()

    def _is_ready(self) -> bool:
        done = self.program.try_command("status", "--json")
        return '"engine": "ready"' in done.stdout


@pytest.fixture
def session(private_bus: PrivateBus, in_memory: Path) -> Iterator[Session]:
    session = Session(private_bus, in_memory)
    yield session
    session.close()


def large_photos(folder: Path) -> list[str]:
    """Photos that keep the engine busy for a while each."""
    first = folder / "large-0.jpg"
    noise = Image.effect_noise((1500, 1000), 60).convert("RGB")
    noise.resize((6000, 4000), Image.Resampling.NEAREST).save(first, quality=80)
    names = [f"large-{number}.jpg" for number in range(PHOTOS)]
    for name in names[1:]:
        shutil.copy(first, folder / name)
    return names


@pytest.mark.parametrize("way", ["logout", "signal"])
def test_it_ends_in_time_with_nothing_half_done(session: Session, way: str) -> None:
    dialog = session.programs / "zenity"
    opened = session.inbox.parent / "dialog"
    dialog.write_text(f'#!/bin/sh\ntouch "{opened}"\nexec sleep 600\n')
    dialog.chmod(0o755)
    camera = session.inbox.parent / "camera"
    camera.mkdir()
    names = large_photos(camera)
    session.start()
    session.desktop.post(session.service.hang)
    session.drop("a.jpg")
    wait_until(lambda: session.service.calls == 1, "a notice hangs", 20.0)
    session.panel().click("Change folder")
    wait_until(opened.exists, "the dialog is open", 20.0)
    for name in names:
        (camera / name).replace(session.inbox / name)
    home, environ = session.program.home, session.program.environ
    wait_until(lambda: status_now(home, environ).get("pending"), "there is work", 20.0)

    assert session.process is not None
    process = session.process

    def end() -> None:
        if way == "logout":  # the bus goes, and whoever is left gets the signal
            session.bus.kill()
        process.send_signal(signal.SIGTERM)

    assert session.end(end) < SECONDS * SLOWNESS

    left = sorted(path.name for path in session.inbox.rglob("*") if path.is_file())
    assert left == sorted(["a.jpg", *names]), "each photo is there once"
    found = records.look(home / "journal.sqlite", home / "private")
    assert (found.damage, found.half_done, found.whole) == (None, 0, True)
    assert not (home / "private" / "control.json").exists()
