"""Says what Beartray is, under which licence, and where it keeps things."""

from __future__ import annotations

from trayapp import __version__
from trayapp.paths import Paths


def about(paths: Paths) -> tuple[str, ...]:
    """A few lines for people."""
    return (
        f"Beartray {__version__}",
        "Drop a photo into a folder and it is filed by what it shows.",
        "Everything happens on this computer; nothing is sent anywhere.",
        "MIT licence, © 2026 Beartray contributors",
        "",
        f"Settings: {paths.settings_file}",
        f"Journal: {paths.journal_file}",
        f"Models of your own: {paths.models}",
        f"Log: {paths.log_file}",
    )
