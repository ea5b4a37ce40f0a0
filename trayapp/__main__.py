"""Starts Beartray; kept light, because every engine process imports it again."""

from __future__ import annotations

import multiprocessing


def main() -> int:
    """The program; returns its exit status."""
    multiprocessing.freeze_support()  # in the bundle, engine processes come in here
    from trayapp.cli import main as run

    return run()


if __name__ == "__main__":
    raise SystemExit(main())
