"""Keeps the log: the last few megabytes of what happened, for this user only."""

from __future__ import annotations

import io
import logging
import logging.handlers
import os
import re
from pathlib import Path

from trayapp.files import make_private

FILE_BYTES, OLD_FILES = 1_000_000, 2

# A name may hold line breaks, and would then write lines of its own; or codes that a terminal obeys
# when somebody looks at the log there.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def log_to(file: Path) -> None:
    """Write what is logged from now on to `file`. Raises `OSError`."""
    make_private(file.parent)
    handler = _PrivateFile(file, maxBytes=FILE_BYTES, backupCount=OLD_FILES, encoding="utf-8")
    file.chmod(0o600)
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


class OneLine(logging.Formatter):
    """A message is one line, whatever names are in it; only a traceback has more."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (logging's name)
        """As `logging.Formatter`."""
        line = super().formatMessage(record)
        return _UNSAFE.sub(lambda found: ascii(found[0])[1:-1], line)


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """Each new file, too, is for this user only from its first byte on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """A disk that is full is told of where it stands in a photo's way, and in one line."""

    def _open(self) -> io.TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return io.TextIOWrapper(
            io.FileIO(descriptor, "a"), encoding=self.encoding, errors="backslashreplace"
        )
