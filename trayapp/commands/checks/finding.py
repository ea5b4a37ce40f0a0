"""One line of the doctor's, and looking at everything at once without waiting for what hangs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from trayapp.errors import explain
from trayapp.photo import BeartrayError

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was looked at, whether it is good, what was found, and what to do if it is not."""

    check: str
    ok: bool
    detail: str
    advice: str | None = None

    def row(self) -> dict[str, object]:
        """For `--json`."""
        return {"check": self.check, "ok": self.ok, "detail": self.detail, "advice": self.advice}

    @property
    def line(self) -> str:
        """For people."""
        todo = f"; {self.advice}" if self.advice else ""
        return f"{'good    ' if self.ok else 'NOT GOOD'}  {self.check}: {self.detail}{todo}"


@dataclass(frozen=True, slots=True)
class Check:
    """A look at one thing, which may take `seconds` before it counts as hanging."""

    name: str
    look: Callable[[], Finding]
    seconds: float = 5.0


def examine(checks: Sequence[Check]) -> Iterator[Finding]:
    """All findings in their order; one that fails or hangs does not hide the others.

    Each look has a thread of its own, which is left behind where it hangs: a network folder that
    is gone may hold it for minutes.
    """
    started = time.monotonic()
    for pending in [_Pending(check) for check in checks]:
        yield pending.wait(started)


class _Pending:
    """A look that has begun."""

    def __init__(self, check: Check) -> None:
        self._check = check
        self._finding: Finding | None = None
        self._thread = threading.Thread(
            target=self._look, name=f"look at {check.name}", daemon=True
        )
        self._thread.start()

    def wait(self, started: float) -> Finding:
        self._thread.join(max(0.0, started + self._check.seconds - time.monotonic()))
        if self._finding is not None:
            return self._finding
        detail = f"does not answer within {self._check.seconds:g} seconds"
        return Finding(self._check.name, False, detail, "see that its disk or service is there")

    def _look(self) -> None:
        name = self._check.name
        try:
            self._finding = self._check.look()
        except BeartrayError as error:
            self._finding = Finding(name, False, str(error))
        except OSError as error:
            self._finding = Finding(name, False, explain(error))
        except Exception as error:
            logger.exception("the check of %s failed", name)
            self._finding = Finding(name, False, f"cannot be checked: {error!r}")
