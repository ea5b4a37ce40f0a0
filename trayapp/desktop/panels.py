"""Tells whether a panel shows icons on this Linux desktop, and how to get one where none does."""

from __future__ import annotations

from collections.abc import Sequence

from trayapp.desktop.bus import BusCallError, Peer, SessionBus

# The specification's own name, org.freedesktop.StatusNotifierWatcher, is not tried: no panel has
# only that, and swaybar, which has both, would show two icons.
WATCHER = Peer(
    "org.kde.StatusNotifierWatcher", "/StatusNotifierWatcher", "org.kde.StatusNotifierWatcher"
)
PROPERTIES = Peer(WATCHER.name, WATCHER.path, "org.freedesktop.DBus.Properties")
ASK_SECONDS = 1.0
POLL_SECONDS = 0.2
REMEDIES = {
    "GNOME": "GNOME shows none by itself: install the extension “AppIndicator and "
    "KStatusNotifierItem Support” (package gnome-shell-extension-appindicator, or "
    "extensions.gnome.org/extension/615), log in again and switch it on in “Extensions”",
    "KDE": "add “System Tray” to a panel",
    "XFCE": "add “Status Tray Plugin” to a panel",
    "LXQt": "add “Status Notifier Plugin” to the panel",
    "MATE": "add “Notification Area” to a panel",
    "X-Cinnamon": "add the applet “XApp Status Applet” to a panel",
}
OTHERWISE = (
    "add a tray to a panel, or start one that has it, such as Waybar (on GNOME: install the "
    "AppIndicator extension)"
)


def has_panel(bus: SessionBus) -> bool:
    """Whether somebody keeps a list of icons, and shows them as far as it says.

    KDE's list is there long before, and without, the panel; and one that is too busy to answer
    will do so in the end.
    """
    try:
        if not bus.has_owner(WATCHER.name):
            return False
        asked = [WATCHER.interface, "IsStatusNotifierHostRegistered"]
        (shown,) = bus.call(PROPERTIES, "Get", "ss", asked, ASK_SECONDS)
    except BusCallError as error:
        return error.name == "timeout"
    return bool(shown.value)


def wait_for_panel(bus: SessionBus, seconds: float) -> bool:
    """Whether there is one, at the latest after so many seconds."""
    waited = 0.0
    while not has_panel(bus):
        if waited >= seconds or bus.wait(POLL_SECONDS):
            return False
        waited += POLL_SECONDS
    return True


def remedy(desktops: Sequence[str]) -> str:
    """Why there is no icon and what to do, on a desktop with these XDG_CURRENT_DESKTOP names."""
    known = (REMEDIES[name] for name in desktops if name in REMEDIES)
    return f"no system tray answers on this desktop; {next(known, OTHERWISE)}"
