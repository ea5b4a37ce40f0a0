"""Wires Beartray to the desktop and runs it: tray, notifications, control socket, login item."""

from trayapp.app.program import AlreadyRunningError, App, login_of, run

__all__ = ["AlreadyRunningError", "App", "login_of", "run"]
