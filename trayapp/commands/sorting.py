"""Files many photos one after the other and reports on each: `beartray sort`."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trayapp.commands import terminal
from trayapp.database import JournalError
from trayapp.decide import decide
from trayapp.photo import BeartrayError, Entry, NotAPhotoError, Photo, Plan, Verdict
from trayapp.settings import Sort
from trayapp.tell import percent

if TYPE_CHECKING:
    from rich.progress import Progress


@dataclass
class Sorting:
    """One run of `sort`. All that it files is one batch."""

    books: terminal.Books
    rules: Sort
    root: Path
    dry_run: bool
    json: bool
    counts: Counter[str] = field(default_factory=Counter)
    batch: int | None = None

    def run(self, verdicts: Iterator[tuple[Path, Verdict]], total: int) -> int:
        """Returns the exit status: 1 when some photos could not be read or placed."""
        try:
            with ExitStack() as stack:
                for path, verdict in stack.enter_context(_Progress(total)).follow(verdicts):
                    self._one(path, verdict)
        finally:
            if not self.json:
                terminal.say(self._summary())
        return 1 if self.counts["unreadable"] or self.counts["failed"] else 0

    def _one(self, path: Path, verdict: Verdict) -> None:
        if verdict.reason == "unreadable":
            self._report(path, verdict, "unreadable", error=verdict.error)
            return
        try:
            photo = verdict.seen or Photo.at(path)
            plan = decide(photo, verdict, self.rules, self.root)
            if plan is None:
                self._report(path, verdict, "left")
            elif self.dry_run:
                self._report(path, verdict, "planned", plan)
            else:
                entry = self.books.filing.file(plan, self.batch)
                self.batch = entry.batch
                self._report(path, verdict, "done", plan, entry)
        except JournalError:
            raise
        except (OSError, NotAPhotoError, BeartrayError) as error:
            self._report(path, verdict, "failed", error=str(error))

    def _report(
        self,
        path: Path,
        verdict: Verdict,
        state: str,
        plan: Plan | None = None,
        entry: Entry | None = None,
        error: str | None = None,
    ) -> None:
        self.counts[state] += 1
        destination = _destination(plan, entry)
        if error is not None:
            terminal.warn(error if str(path.name) in error else f"{path}: {error}")
        if self.json:
            terminal.say_json(
                {
                    "path": str(path),
                    "destination": None if destination is None else str(destination),
                    "label": verdict.label,
                    "confidence": verdict.confidence,
                    "action": plan.action if plan else None,
                    "state": state,
                    "reason": verdict.reason,
                    "error": error,
                }
            )
        elif destination is not None:
            shown = os.path.relpath(destination, self.rules.base(self.root))
            name = path.relative_to(self.root)
            terminal.say(f"{name} → {shown}  {percent(verdict.confidence)}")

    def _summary(self) -> str:
        verb = {"move": "filed", "copy": "copied", "tag": "tagged"}[self.rules.action]
        parts = [f"{self.counts['planned']} would be {verb}"] if self.dry_run else []
        parts = parts or [f"{self.counts['done']} {verb}"]
        parts.append(f"{self.counts['left']} not recognised and left in place")
        if problems := self.counts["unreadable"] + self.counts["failed"]:
            parts.append(f"{problems} could not be read or placed")
        hint = "; `beartray undo --batch` takes them back" if self.counts["done"] else ""
        return ", ".join(parts) + hint


class _Progress:
    """A bar with rate and time left on stderr, where that is a terminal."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._stack = ExitStack()

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def follow(self, verdicts: Iterator[tuple[Path, Verdict]]) -> Iterator[tuple[Path, Verdict]]:
        if sys.stderr is None or not sys.stderr.isatty():
            yield from verdicts
            return
        bar = _bar()
        task = self._stack.enter_context(bar).add_task("Sorting", total=self._total)
        for item in verdicts:
            yield item
            bar.advance(task)


def _bar() -> Progress:
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
        redirect_stdout=sys.stdout.isatty(),  # lines above the bar; what is piped stays piped
    )


def _destination(plan: Plan | None, entry: Entry | None) -> Path | None:
    if entry is not None:
        return entry.destination
    if plan is None:
        return None
    return plan.photo.path if plan.folder is None else plan.folder / plan.photo.path.name
