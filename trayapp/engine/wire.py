"""What the tray process and an engine process say to each other: plain bytes, never pickles.

The engine process reads untrusted pictures, so nothing that it says is more than checked data.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Protocol

import msgspec

from trayapp.engine import printable
from trayapp.engine.card import Fraction
from trayapp.photo import Photo, Reason, Verdict

LARGEST = 1 << 20
"""Bytes of one message; a path is 4 KB at most, and a thousand labels with scores 30 KB."""


Words = Annotated[str, msgspec.Meta(max_length=8192)]
"""A sentence with a path in it; shown only after `printable`."""


class Connection(Protocol):
    """The part of `multiprocessing.connection.Connection` that is used here."""

    def send_bytes(self, buf: bytes, /) -> None: ...
    def recv_bytes(self, maxlength: int | None = None, /) -> bytes: ...


class Ask(msgspec.Struct, frozen=True, tag=True):
    """Parent to engine: what does this photo show?"""

    path: bytes


class Shrink(msgspec.Struct, frozen=True, tag=True):
    """Parent to engine: this photo to look at, no side longer than `side` pixels."""

    path: bytes
    side: int


class Ready(msgspec.Struct, frozen=True, tag=True):
    """Engine to parent: the model is loaded."""

    labels: tuple[str, ...]


class Broken(msgspec.Struct, frozen=True, tag=True):
    """Engine to parent: the model cannot be used; the engine ends."""

    problem: Words


class Answer(msgspec.Struct, frozen=True, tag=True):
    """Engine to parent: a `Verdict`, its `seen` without the path."""

    label: str | None
    confidence: Fraction | None
    scores: dict[str, Fraction]
    reason: Reason | None
    error: Words | None
    taken: datetime | None
    seen: tuple[int, int, str] | None

    @classmethod
    def of(cls, verdict: Verdict) -> Answer:
        seen = verdict.seen
        return cls(
            verdict.label,
            verdict.confidence,
            dict(verdict.scores),
            verdict.reason,
            printable(verdict.error) if verdict.error is not None else None,
            verdict.taken,
            (seen.size, seen.mtime_ns, seen.file_id) if seen else None,
        )

    def verdict(self, path: Path) -> Verdict:
        return Verdict(
            self.label,
            self.confidence,
            self.scores,
            self.reason,
            printable(self.error) if self.error is not None else None,
            self.taken,
            Photo(path, *self.seen) if self.seen else None,
        )


class Shown(msgspec.Struct, frozen=True, tag=True):
    """Engine to parent: the photo upright and small, as JPEG; or why there is none."""

    jpeg: bytes
    error: Words | None = None


ToEngine = Ask | Shrink
FromEngine = Ready | Broken | Answer | Shown
_from_engine = msgspec.msgpack.Decoder(FromEngine)
_from_parent = msgspec.msgpack.Decoder(ToEngine)


def send(connection: Connection, message: ToEngine | FromEngine) -> None:
    """Raises `OSError` when the other side is gone."""
    connection.send_bytes(msgspec.msgpack.encode(message))


def hear_engine(connection: Connection) -> FromEngine:
    """Raises `EOFError` or `OSError` when the engine is gone, `MsgspecError` on nonsense."""
    content = connection.recv_bytes(LARGEST)
    try:
        message: FromEngine = _from_engine.decode(content)
    except UnicodeDecodeError as error:  # msgspec's own, but not one of its `MsgspecError`s
        raise msgspec.DecodeError(str(error)) from None
    return message


def hear_parent(connection: Connection) -> ToEngine:
    """Raises `EOFError` or `OSError` when the parent is gone."""
    message: ToEngine = _from_parent.decode(connection.recv_bytes(LARGEST))
    return message


def ask(connection: Connection, path: Path, side: int = 0) -> None:
    """What does the photo show, or, with a `side`, what does it look like?"""
    send(connection, Shrink(os.fsencode(path), side) if side else Ask(os.fsencode(path)))
