"""Starts other people's programs: file managers, dialogs."""

from __future__ import annotations

import shutil
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SETTLE_SECONDS = 2.0  # an opener that cannot do it says so within this time


@dataclass(frozen=True)
class Answer:
    """How a program ended and what it said."""

    status: int
    output: str
    error: str


class Children:
    """Runs programs. `flags` are subprocess's creation flags (Windows: no console window)."""

    def __init__(self, environ: Mapping[str, str], flags: int = 0) -> None:
        self._environ = dict(environ)
        self._flags = flags
        self._asking: set[subprocess.Popen[bytes]] = set()

    def find(self, program: str) -> str | None:
        """Where `program` lies on the search path, or None."""
        return shutil.which(program, path=self._environ.get("PATH"))

    def ask(self, command: Sequence[str], extra: Mapping[str, str] | None = None) -> Answer:
        """Run to the end, however long a person takes, and return what it said.

        Raises `OSError` when it cannot be started.
        """
        with subprocess.Popen(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**self._environ, **(extra or {})},
            creationflags=self._flags,
        ) as child:
            self._asking.add(child)
            try:
                said = child.communicate()
            finally:
                self._asking.discard(child)
        # A folder's name may be any bytes; surrogateescape brings them back unchanged.
        output, error = (text.decode("utf-8", "surrogateescape") for text in said)
        return Answer(child.returncode, output, error)

    def close(self) -> None:
        """Take away the dialogs that are still open: nobody will hear the answer."""
        for child in tuple(self._asking):
            child.terminate()

    def launch(self, command: Sequence[str] | str) -> bool:
        """Start something that outlives us; False when it fails within two seconds.

        Raises `OSError` when it cannot be started.
        """
        child = subprocess.Popen(
            command if isinstance(command, str) else list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environ,
            creationflags=self._flags,
            start_new_session=True,
        )
        try:
            return child.wait(SETTLE_SECONDS) == 0
        except subprocess.TimeoutExpired:
            threading.Thread(target=child.wait, name="reaper", daemon=True).start()
            return True
