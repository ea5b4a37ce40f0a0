"""Chooses the desktop: the only place that asks which operating system this is."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from trayapp.desktop.parts import Desktop, NoTrayError

__all__ = ["Desktop", "NoTrayError", "choose_desktop"]


def choose_desktop(environ: Mapping[str, str]) -> Desktop:
    """The desktop that this process runs on; `close` it when done.

    Always gives one: where there is no tray, its `why_no_tray` says so.
    """
    if sys.platform == "win32":
        from trayapp.desktop.windows import windows_desktop

        return windows_desktop(environ)
    if sys.platform == "darwin":
        from trayapp.desktop.macos import macos_desktop

        return macos_desktop(environ)
    from trayapp.desktop.linux import linux_desktop

    return linux_desktop(environ)
