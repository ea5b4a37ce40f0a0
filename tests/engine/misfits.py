"""Engine processes that misbehave on purpose; a photo's name says how."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from trayapp.engine.wire import Broken, Connection, Ready, Shown, hear_parent, send
from trayapp.engine.worker import Options, behave, serve
from trayapp.photo import Verdict

Main = Callable[[Any, Options], None]


class Misfit:
    """Answers "good", but for photos with a certain name."""

    labels = ("good",)

    def classify(self, path: Path) -> Verdict:
        marker = path.with_suffix(".seen")
        if path.stem == "crash" or (path.stem == "crash-once" and not marker.exists()):
            marker.touch()
            os._exit(3)
        if path.stem == "hang":
            time.sleep(600)
        if path.stem == "slow":
            time.sleep(0.3)
        if path.stem == "stranger":
            return Verdict("../../elsewhere", 1.0)
        return Verdict("good", 1.0, {"good": 1.0})


class Babbler(Misfit):
    """Says, unasked, what is no message at all."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def classify(self, path: Path) -> Verdict:
        if path.stem == "babble":
            self._connection.send_bytes(b"\x80\x04pickle?")
            time.sleep(600)
        return super().classify(path)


def misfit(connection: Connection, options: Options) -> None:
    behave(options)
    serve(connection, Babbler(connection), options)


def stillborn(connection: Connection, options: Options) -> None:
    os._exit(7)


def late(connection: Connection, options: Options) -> None:
    time.sleep(600)


def mortal(connection: Connection, options: Options) -> None:
    send(connection, Ready(("x",)))
    hear_parent(connection)
    os._exit(7)


def painter(connection: Connection, options: Options) -> None:
    """Shows a picture, with a name that does things to terminals, whatever it is asked."""
    send(connection, Ready(("x",)))
    while True:
        hear_parent(connection)
        send(connection, Shown(b"", "a.jpg\x1b[2J"))


def broken_unless_mended(connection: Connection, options: Options) -> None:
    if not (options.folder / "mended").exists():
        send(connection, Broken("the model is broken: mend it"))
        return
    misfit(connection, options)


class Starter:
    """Starts real processes with `main`, and counts them."""

    def __init__(self, main: Main) -> None:
        self.main = main
        self.count = 0

    def __call__(self, connection: Any, options: Options) -> BaseProcess:
        self.count += 1
        process = multiprocessing.get_context("spawn").Process(
            target=self.main, args=(connection, options), daemon=True
        )
        process.start()
        return process
