"""Runs what was asked for: errors become one line and an exit status."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from trayapp.app import AlreadyRunningError
from trayapp.commands import terminal
from trayapp.database import JournalError
from trayapp.desktop.control import NotRunningError
from trayapp.errors import explain
from trayapp.filing import UndoError
from trayapp.photo import BeartrayError

DONE, SOME_FAILED, USAGE, RUNNING, INTERRUPTED = 0, 1, 2, 3, 130


def outcome(work: Callable[[], int | None], debug: bool = False) -> int:
    """The exit status of `work`, which may raise whatever it likes; `debug` shows from where."""
    _log(debug)
    try:
        return int(work() or DONE)
    except KeyboardInterrupt:
        terminal.warn("interrupted; `beartray history` tells what was done until then")
        return INTERRUPTED
    except BrokenPipeError:  # `beartray history | head`
        terminal.hang_up()
        return SOME_FAILED
    except Exception as error:
        if debug:
            traceback.print_exc()
        terminal.warn(_one_line(error))
        return _status(error)


def _log(debug: bool) -> None:
    """What a command logs, its one line says already; the running app adds its log file."""
    logger = logging.getLogger("trayapp")
    if not logger.hasHandlers():
        logger.addHandler(logging.StreamHandler() if debug else logging.NullHandler())


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"beartray: {explain(error)}"
    if isinstance(error, BeartrayError):
        return f"beartray: {error}"
    logging.getLogger(__name__).error("unexpected", exc_info=error)
    return f"beartray: internal error: {error!r}; run it again with --debug and report it"


def _status(error: Exception) -> int:
    if isinstance(error, terminal.StoppedError):
        return INTERRUPTED
    if isinstance(error, AlreadyRunningError | NotRunningError):
        return RUNNING
    if isinstance(error, UndoError | JournalError | OSError):
        return SOME_FAILED
    return USAGE
