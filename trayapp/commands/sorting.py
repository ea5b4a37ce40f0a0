"""Files many photos one after the other and reports on each: `beartray sort`."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

from trayapp import disk
from trayapp.commands import terminal
from trayapp.commands.bars import new_bar
from trayapp.database import JournalError
from trayapp.decide import decide
from trayapp.errors import explain
from trayapp.photo import BeartrayError, Photo, Plan, Verdict
from trayapp.rows import TakenError
from trayapp.settings import Sort
from trayapp.steps import look, names, steps_of
from trayapp.tell import percent

State = Literal["done", "planned", "left", "known", "none", "unreadable", "failed"]


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
    taken: set[Path] = field(default_factory=set)  # names that a dry run has promised
    none: Set[Path] = frozenset()  # photos that a person called none of these

    def run(self, verdicts: Iterator[tuple[Path, Verdict]], total: int) -> int:
        """Returns the exit status: 1 when some photos could not be read or placed."""
        try:
            with ExitStack() as stack:
                for path, verdict in stack.enter_context(_Progress(total)).follow(verdicts):
                    self._one(path, verdict)
        finally:
            if not self.json and (self.counts or not total):
                terminal.say(self._summary())
        return 1 if self.counts["unreadable"] or self.counts["failed"] else 0

    def _one(self, path: Path, verdict: Verdict) -> None:
        state: State = "unreadable"
        destination, error = None, verdict.error
        if verdict.reason != "unreadable":
            try:
                with terminal.uninterrupted():  # a photo is filed and counted, or not begun
                    state, destination = self._file(verdict.seen or Photo.at(path), verdict)
                    self.counts[state] += 1
            except JournalError:
                raise
            except (OSError, BeartrayError) as problem:
                state = "failed"
                error = explain(problem) if isinstance(problem, OSError) else str(problem)
        if error is not None:
            self.counts[state] += 1
        self._report(path, verdict, state, destination, error)

    def _file(self, photo: Photo, verdict: Verdict) -> tuple[State, Path | None]:
        plan = decide(photo, verdict, self.rules, self.root)
        if plan is None:
            return "left", None
        if photo.path in self.none and self.books.notes.noted(photo) == "unsure":
            return "none", None
        if (known := self._copied_before(plan) or _tagged_before(plan)) is not None:
            return "known", known
        if self.dry_run:
            return "planned", self._promise(plan)
        try:
            entry = self.books.filing.file(plan, self.batch)
        except TakenError:
            if (known := self._copied_before(plan)) is None:
                raise
            return "known", known
        self.batch = entry.batch
        return "done", entry.destination

    def _copied_before(self, plan: Plan) -> Path | None:
        """The copy that an earlier run made, so that sorting once more does not make a second
        one; where a person has put it right, it lies elsewhere."""
        if plan.action != "copy" or plan.folder is None:
            return None
        folder, journal = plan.folder, self.books.journal
        earlier = journal.filed_into(folder, plan.photo.path)
        made = [journal.newest_move(entry).destination for entry in earlier]
        for path in chain(made, (folder / name for name in names(plan.photo.path.name))):
            there = look(path)
            if there is not None and _is_copy(there, plan.photo, path in made):
                return path
            if there is None and path not in made:
                return None
        return None

    def _promise(self, plan: Plan) -> Path:
        """Where the photo would come to lie, after all those that were before it."""
        offers = (steps[0].target for steps in steps_of(plan))
        target = next(target for target in offers if target not in self.taken)
        self.taken.add(target)
        return target

    def _report(
        self,
        path: Path,
        verdict: Verdict,
        state: State,
        destination: Path | None,
        error: str | None,
    ) -> None:
        if error is not None:
            terminal.warn(terminal.about(path, error))
        if self.json:
            terminal.say_json(
                {
                    "path": str(path),
                    "destination": None if destination is None else str(destination),
                    "label": verdict.label,
                    "confidence": verdict.confidence,
                    "action": None if destination is None else self.rules.action,
                    "state": state,
                    "reason": verdict.reason,
                    "error": error,
                }
            )
        elif destination is not None and state != "known":
            shown = os.path.relpath(destination, self.rules.base(self.root))
            name = path.relative_to(self.root)
            terminal.say(f"{name} → {shown}  {percent(verdict.confidence)}")

    def _summary(self) -> str:
        verb = {"move": "filed", "copy": "copied", "tag": "tagged"}[self.rules.action]
        parts = [f"{self.counts['planned']} would be {verb}"] if self.dry_run else []
        parts = parts or [f"{self.counts['done']} {verb}"]
        parts.append(f"{self.counts['left']} not recognised and left in place")
        if self.counts["none"]:
            parts.append(f"{self.counts['none']} none of these, as you said")
        if self.counts["known"]:
            parts.append(f"{self.counts['known']} {verb} before")
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
        bar = new_bar()
        task = self._stack.enter_context(bar).add_task("Sorting", total=self._total)
        for item in verdicts:
            yield item
            bar.advance(task)


def _tagged_before(plan: Plan) -> Path | None:
    """The sidecar that has these tags already, so that sorting once more does not add a row."""
    if plan.action != "tag":
        return None
    steps = next(steps_of(plan))
    return steps[0].target if all(step.before == step.after for step in steps) else None


def _is_copy(there: Photo, photo: Photo, is_written_down: bool) -> bool:
    """A stick keeps times coarsely, and a share may keep none; then what looks alike, or is said
    to be one by the journal, has to have the same bytes."""
    if there.looks_like(photo):
        return True
    apart = abs(there.mtime_ns - photo.mtime_ns)
    is_rounded = any(there.mtime_ns % grain == 0 and apart < grain for grain in disk.GRAINS_NS)
    is_alike = there.size == photo.size and (is_rounded or is_written_down)
    return is_alike and disk.same_bytes(there.path, photo.path)
