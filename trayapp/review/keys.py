"""One-time keys that open the review page, and the sessions that they are exchanged for."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable

LIFE_SECONDS = 120.0  # a browser that has yet to start
MOST_KEYS, MOST_SESSIONS = 8, 32


class Keys:
    """Only digests are kept: to look one up takes as long whatever was guessed.

    `now` is a steady clock in seconds. May be used by any thread.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._keys: dict[bytes, float] = {}
        self._sessions: dict[bytes, None] = {}

    def issue(self) -> str:
        """A new key, good once and for a short time; the oldest of too many goes."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._keys[_digest(key)] = self._now() + LIFE_SECONDS
            while len(self._keys) > MOST_KEYS:
                del self._keys[next(iter(self._keys))]
        return key

    def redeem(self, key: str) -> str | None:
        """A new session's token for a key; None for one that is used, old or wrong."""
        with self._lock:
            ends = self._keys.pop(_digest(key), None)
            if ends is None or ends < self._now():
                return None
            token = secrets.token_urlsafe(32)
            self._sessions[_digest(token)] = None
            while len(self._sessions) > MOST_SESSIONS:
                del self._sessions[next(iter(self._sessions))]
        return token

    def knows(self, token: str) -> bool:
        """Whether this is the token of a session."""
        with self._lock:
            return _digest(token) in self._sessions


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()
