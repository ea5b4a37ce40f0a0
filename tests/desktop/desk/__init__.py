"""A virtual desktop for tests: a private bus, screen, window manager, panel and notifications."""

from tests.desktop.desk.bus import PrivateBus
from tests.desktop.desk.desk import ICON, Desk
from tests.desktop.desk.panel import MenuLine, Panel
from tests.desktop.desk.processes import Processes, require_programs, wait_until

__all__ = [
    "ICON",
    "Desk",
    "MenuLine",
    "Panel",
    "PrivateBus",
    "Processes",
    "require_programs",
    "wait_until",
]
