"""Names the parts that every desktop has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trayapp.desktop.autostart import Autostart
from trayapp.desktop.control import ControlPaths
from trayapp.desktop.dialogs import Dialogs
from trayapp.desktop.notify import Notifier
from trayapp.desktop.opener import Opener
from trayapp.desktop.tray import Actions, Tray, TrayKit
from trayapp.photo import BeartrayError

OnUndo = Callable[[tuple[int, ...]], None]
OnShow = Callable[[Path], None]


class NoTrayError(BeartrayError):
    """There is no tray here; the message says why and what to do."""


def _needs_no_telling(put_away: Callable[[], None]) -> None:
    """Where a logout is a signal, or the end of the bus, the program ends as it always does."""


@dataclass(frozen=True)
class Desktop:
    """What one desktop offers. `name` is "linux", "windows" or "macos".

    `kit` gives the means to show an icon, or raises `NoTrayError`. `why_no_tray(seconds)` waits
    at most so long for a panel that is still starting and returns None, or a sentence why there
    is no tray. `notifier(on_undo, on_show)` is called once: what its buttons do, where it has some.
    `at_logout(put_away)`: where the system ends programs at logout, it first waits until
    `put_away` has returned. `notification_service` and `tray_host` say who shows notices and
    icons, the first raises `BeartrayError` where nobody does. `close` ends what the desktop holds
    open.
    """

    name: str
    autostart: Autostart
    dialogs: Dialogs
    opener: Opener
    kit: Callable[[], TrayKit]
    why_no_tray: Callable[[float], str | None]
    notifier: Callable[[OnUndo, OnShow], Notifier]
    control_paths: Callable[[Path], ControlPaths]
    close: Callable[[], None]
    at_logout: Callable[[Callable[[], None]], None] = _needs_no_telling
    notification_service: Callable[[], str] = lambda: "the system's own"
    tray_host: Callable[[], str | None] = lambda: None

    def tray(self, actions: Actions, complain: Callable[[str], None]) -> Tray:
        """The tray, ready to run; `complain` tells the person one line.

        Raises `NoTrayError` where no icon can ever be shown. On a Linux desktop whose panel is
        missing it can: the icon comes up with the panel.
        """
        return Tray(self.kit(), actions, self.dialogs, self.opener, complain)
