"""`beartray` alone: the tray app, without what only other commands need."""

from __future__ import annotations

import os

from trayapp import app
from trayapp.commands import terminal
from trayapp.commands.outcome import outcome


def start() -> int:
    """Run until it is asked to end; returns the exit status."""
    return outcome(run)


def run() -> None:
    app.run(terminal.paths(), os.environ, None, headless=False, say=terminal.tell)
