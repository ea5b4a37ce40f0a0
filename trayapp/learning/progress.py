"""How a training tells what it is doing, without knowing whether anybody looks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

Advance = Callable[[int], object]
"""Called with how many more pictures are done."""


class Progress(Protocol):
    """Where a training speaks to; `trayapp.commands.training` has the one for people."""

    def say(self, line: str) -> None:
        """Something worth knowing."""
        ...

    def bar(self, description: str, total: int) -> AbstractContextManager[Advance]:
        """The beginning of a part that goes through `total` pictures; it ends with the block."""
        ...
