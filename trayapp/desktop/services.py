"""Tells who answers on the Linux session bus: the notification service and the tray's host."""

from __future__ import annotations

from pathlib import Path

from trayapp.desktop.bus import DAEMON, BusCallError, SessionBus
from trayapp.desktop.notify_dbus import SERVER
from trayapp.desktop.words import harmless
from trayapp.photo import BeartrayError

ASK_SECONDS = 2.0
NO_BUS = "there is no desktop session here (no D-Bus session bus)"


def notification_service(bus: SessionBus | None) -> str:
    """Its name and version. Raises `BeartrayError` where none answers, and says what to do.

    Asking may start one, just as the first notice does.
    """
    if bus is None:
        raise BeartrayError(NO_BUS)
    try:
        words = bus.call(SERVER, "GetServerInformation", timeout=ASK_SECONDS)
        (able,) = bus.call(SERVER, "GetCapabilities", timeout=ASK_SECONDS)
    except BusCallError as error:
        if error.name == "timeout":
            raise BeartrayError("it does not answer; restart it, or log out and in again") from None
        raise BeartrayError(
            "none answers on this desktop; install one, such as dunst or xfce4-notifyd"
        ) from None
    name, maker, version = (harmless(str(word)) for word in words[:3])
    told = " ".join(word for word in (name, version, f"({maker})" if maker else "") if word)
    return told if "actions" in able else f"{told}, which shows no buttons"


def tray_host(bus: SessionBus | None, watcher: str) -> str | None:
    """The program that keeps the list of icons, None where it does not tell."""
    if bus is None:
        return None
    try:
        (pid,) = bus.call(DAEMON, "GetConnectionUnixProcessID", "s", [watcher], ASK_SECONDS)
        return harmless(Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip())
    except (BusCallError, OSError):
        return None
