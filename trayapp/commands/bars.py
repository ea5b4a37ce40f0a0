"""The progress bar that long commands show, with photos a second and the time left."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress


def new_bar() -> Progress:
    """Not begun yet; for a stderr that is a terminal."""
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            return Text(f"{task.speed:.1f} photos/s" if task.speed else "")

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        redirect_stdout=sys.stdout is not None
        and sys.stdout.isatty(),  # lines above the bar; what is piped stays piped
    )
