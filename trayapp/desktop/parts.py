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


class NoTrayError(BeartrayError):
    """There is no tray here; the message says why and what to do."""


@dataclass(frozen=True)
class Desktop:
    """What one desktop offers. `name` is "linux", "windows" or "macos".

    `kit` gives the means to show an icon, or raises `NoTrayError`. `why_no_tray(seconds)` waits
    at most so long for a panel that is still starting and returns None, or a sentence why there
    is no tray. `notifier(on_undo)` is called once. `close` ends what the desktop holds open.
    """

    name: str
    autostart: Autostart
    dialogs: Dialogs
    opener: Opener
    kit: Callable[[], TrayKit]
    why_no_tray: Callable[[float], str | None]
    notifier: Callable[[OnUndo], Notifier]
    control_paths: Callable[[Path], ControlPaths]
    close: Callable[[], None]

    def tray(self, actions: Actions, complain: Callable[[str], None]) -> Tray:
        """The tray, ready to run; `complain` tells the person one line.

        Raises `NoTrayError` where no icon can ever be shown. On a Linux desktop whose panel is
        missing it can: the icon comes up with the panel.
        """
        return Tray(self.kit(), actions, self.dialogs, self.opener, complain)
