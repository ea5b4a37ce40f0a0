"""Starts Beartray; kept light, because every engine process imports it again."""

from __future__ import annotations

import multiprocessing
import sys


def main() -> int:
    """The program; returns its exit status."""
    multiprocessing.freeze_support()  # in the bundle, engine processes come in here
    if len(sys.argv) == 1:
        # The tray app stays for days; without the command line's parser it takes 11 MB less.
        from trayapp.commands.tray import start

        return start()
    from trayapp.cli import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
