"""Lets a second start, and `beartray status` and friends, talk to the Beartray that runs.

A socket that only this user reaches, with a shared secret on top (multiprocessing.connection's
HMAC handshake, both ways). Messages are JSON, never pickles: nothing that arrives is code.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener, answer_challenge, deliver_challenge
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from trayapp.desktop.sockets import (
    FAMILIES,
    ControlPaths,
    clear_away,
    limit_waiting,
    listen,
    make_private,
    read_note,
)
from trayapp.files import write_atomically
from trayapp.photo import BeartrayError

__all__ = [
    "ControlPaths",
    "ControlServer",
    "NotAnsweringError",
    "NotRunningError",
    "SingleInstance",
    "hand_over",
    "send",
]

logger = logging.getLogger(__name__)

Handler = Callable[[dict[str, object]], dict[str, object]]

LIMIT = 1 << 20  # bytes a message
PATIENCE = 2.0  # seconds for each word of a client
AT_ONCE = 16  # clients served at the same time
STARTING_SECONDS = 0.05  # between two looks for one that is just starting
_UNUSABLE = (
    KeyError,
    TypeError,
    ValueError,
    RecursionError,
)  # JSON's and Unicode's are ValueErrors


class NotRunningError(BeartrayError):
    """No Beartray of this user runs, or it does not answer."""


class NotAnsweringError(NotRunningError):
    """There is one, and it does not answer: it was stopped, or it hangs."""


class SingleInstance:
    """One Beartray per user (and per `BEARTRAY_HOME`): a lock that ends with the process."""

    def __init__(self, lock_path: Path) -> None:
        self._path = lock_path
        # Not per thread: the lock is taken on the main thread and may be given back on another.
        self._lock = FileLock(lock_path, timeout=0, mode=0o600, thread_local=False)

    def acquire(self) -> bool:
        """Whether this is the only one now; raises `BeartrayError` when no lock can be made."""
        try:
            make_private(self._path.parent)
            self._lock.acquire()
        except Timeout:
            return False
        except (OSError, NotImplementedError) as error:
            raise BeartrayError(f"{self._path} cannot be locked: {error}") from None
        return True

    def release(self) -> None:
        """Let the next one start; harmless when not held."""
        self._lock.release()


class ControlServer:
    """Answers requests with `handler`, which is called on one thread per client.

    Whoever starts a server holds the `SingleInstance`. A `BeartrayError` of the handler reaches
    the client as such.
    """

    def __init__(self, paths: ControlPaths, handler: Handler) -> None:
        self._paths, self._handler = paths, handler
        self._secret = secrets.token_bytes(32)
        self._closing = threading.Event()
        self._slots = threading.BoundedSemaphore(AT_ONCE)
        self._address = ""
        self._listener: Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen; raises `BeartrayError` when another one answers there or nowhere is allowed."""
        with contextlib.suppress(NotRunningError):  # killed before: what it left is cleared away
            left = _read_note(self._paths.note).address
            if left not in self._paths.addresses:
                clear_away(left, self._paths)
        self._address, self._listener = listen(self._paths)
        note = {
            "address": self._address,
            "family": self._paths.family,
            "secret": self._secret.hex(),
            "pid": os.getpid(),
        }
        write_atomically(self._paths.note, json.dumps(note).encode(), 0o600)
        self._thread = threading.Thread(target=self._accept, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening; does not wait for clients that say nothing."""
        if self._listener is None or self._closing.is_set():
            return
        self._closing.set()
        with contextlib.suppress(OSError):  # closing alone would not wake `accept`
            Client(self._address, self._paths.family).close()
        if self._thread is not None:
            self._thread.join(PATIENCE)
        self._listener.close()
        clear_away(self._address, self._paths)
        self._paths.note.unlink(missing_ok=True)

    def _accept(self) -> None:
        assert self._listener is not None
        while not self._closing.is_set():
            try:
                # Without its authkey: the handshake of a silent client would keep all others out.
                connection = self._listener.accept()
            except OSError as error:
                logger.warning("control: %s", error)
                self._closing.wait(0.1)  # out of file descriptors, most likely
                continue
            if self._closing.is_set() or not self._slots.acquire(blocking=False):
                connection.close()
                continue
            threading.Thread(
                target=self._serve, args=(connection,), name="control client", daemon=True
            ).start()

    def _serve(self, connection: Any) -> None:
        try:
            with connection:
                limit_waiting(connection, PATIENCE)
                deliver_challenge(connection, self._secret)
                answer_challenge(connection, self._secret)
                reply = self._reply(connection.recv_bytes(LIMIT))
                connection.send_bytes(json.dumps(reply).encode())
        except (OSError, EOFError, AuthenticationError, AssertionError, *_UNUSABLE) as error:
            logger.info("control: a client was turned away: %s", error or type(error).__name__)
        finally:
            self._slots.release()

    def _reply(self, message: bytes) -> dict[str, object]:
        request = json.loads(message)
        if not isinstance(request, dict):
            raise TypeError("a request is an object")
        try:
            return self._handler(request)
        except BeartrayError as error:
            return {"error": str(error)}
        except Exception:
            logger.exception("control: %r failed", request)
            return {"error": "the running Beartray could not do that; its log says why"}


def send(
    paths: ControlPaths, request: Mapping[str, object], timeout: float = 5.0
) -> dict[str, object]:
    """Ask the running Beartray and return its answer, within `timeout` seconds.

    Raises `NotRunningError` when there is none, `NotAnsweringError` when it does not answer, and
    `BeartrayError` with the words of the running one when it could not do what was asked.
    """
    note = _read_note(paths.note)
    answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def exchange() -> None:  # on a thread, as neither connecting nor the handshake has a limit
        try:
            with Client(note.address, note.family) as connection:
                limit_waiting(connection, timeout + 1)  # longer than anybody waits
                answer_challenge(connection, note.secret)
                deliver_challenge(connection, note.secret)
                connection.send_bytes(json.dumps(dict(request)).encode())
                answers.put(connection.recv_bytes(LIMIT))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=exchange, name="control request", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise NotAnsweringError(
            f"Beartray (process {note.pid}) runs, but does not answer; end it and start it again"
        ) from None
    return _read_answer(answer)


def hand_over(
    paths: ControlPaths, request: Mapping[str, object], seconds: float = 5.0
) -> dict[str, object]:
    """`send` for a second start: the first one may not listen yet, so try for `seconds`."""
    end = time.monotonic() + seconds
    while True:
        try:
            return send(paths, request, max(end - time.monotonic(), STARTING_SECONDS))
        except NotAnsweringError:
            raise
        except NotRunningError:
            if time.monotonic() >= end:
                raise
            time.sleep(STARTING_SECONDS)


@dataclass(frozen=True)
class Note:
    """How the running Beartray can be reached, and which process it is."""

    address: str
    family: str
    secret: bytes
    pid: str


def _read_note(file: Path) -> Note:
    try:
        found = json.loads(read_note(file))
        secret = bytes.fromhex(found["secret"])
        note = Note(str(found["address"]), str(found["family"]), secret, str(found.get("pid", "?")))
        if note.family not in FAMILIES:
            raise ValueError(note.family)
        return note
    except (OSError, *_UNUSABLE):
        raise NotRunningError("Beartray is not running; start it with “beartray”") from None


def _read_answer(answer: bytes | Exception) -> dict[str, object]:
    if isinstance(answer, Exception):
        logger.debug("control: %r", answer)
        raise NotRunningError("Beartray is not running; start it with “beartray”")
    reply = json.loads(answer)
    if not isinstance(reply, dict):
        raise BeartrayError("the running Beartray answered something else; restart it")
    if isinstance(problem := reply.get("error"), str):
        raise BeartrayError(problem)
    return reply
