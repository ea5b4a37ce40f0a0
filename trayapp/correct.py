"""Puts a photo right by the label that a person gives: moved or tagged, journalled, undoable."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from msgspec import structs

from trayapp import tags
from trayapp.corrections import CorrectionError, chain
from trayapp.database import Database
from trayapp.decide import UNSURE, base_of, decide
from trayapp.errors import explain
from trayapp.files import sha256
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.photo import Corrects, Entry, Photo, Plan, Verdict
from trayapp.settings import Sort
from trayapp.steps import Kind, Step


@dataclass(frozen=True, slots=True)
class Rules:
    """What is in force now: how photos of the folder `root` are sorted, and the model's labels."""

    sort: Sort
    root: Path
    labels: tuple[str, ...]


class Correct:
    """`rules` gives what is in force, None where the settings could not be read so far; `taken`
    when a picture was taken, as the engine reads it."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        filing: Filing,
        rules: Callable[[], Rules | None],
        taken: Callable[[Path], datetime | None],
    ) -> None:
        self._database, self._journal, self._filing = database, journal, filing
        self._rules, self._taken = rules, taken

    def __call__(self, id_: int, label: str | None, batch: int | None = None) -> Entry:
        """File the photo of entry `id_` as a `label`, or as none of these (None).

        `batch` joins it with others that are put right at the same time. The photo has to be as
        it was filed. Raises `CorrectionError` and other `BeartrayError`s.
        """
        entry, rules = self._journal.entry(id_), self._rules()
        name = entry.path.name
        if rules is None:
            raise CorrectionError(f"{name} stays: the settings cannot be read; mend them first")
        if entry.state not in ("done", "left"):
            raise CorrectionError(f"{name} is not where it was filed any more; nothing was done")
        if self._journal.put_right_by(entry) is not None:
            raise CorrectionError(f"{name} was put right already; reload the page to see how")
        if label is not None and label not in rules.labels:
            raise CorrectionError(f"the model has no label {label!r}; use one that it knows")
        if entry.label == label:
            shown = "none of these" if label is None else f"a {label}"
            raise CorrectionError(f"{name} is {shown} already")
        try:
            photo = self._photo(entry)
            plan, offers = self._plan(entry, photo, label, rules)
        except OSError as error:
            raise CorrectionError(f"{name} cannot be put right: {explain(error)}") from None
        return self._filing.file(plan, batch, offers)

    def _photo(self, entry: Entry) -> Photo:
        """The photo where it lies now, if it is the one that was filed. Raises `OSError`."""
        photo = Photo.at(entry.place)
        steps = self._journal.steps(entry, "do") if entry.state == "done" else ()
        if not steps:
            return photo
        # What a tag's step has met is the sidecar.
        filed = (steps[0].arrived if entry.action != "tag" else None) or steps[0].photo
        if filed is not None and not photo.looks_like(filed):
            raise CorrectionError(f"{photo.path} has changed since it was filed; left alone")
        return photo

    def _plan(
        self, entry: Entry, photo: Photo, label: str | None, rules: Rules
    ) -> tuple[Plan, Iterable[tuple[Step, ...]] | None]:
        verdict = self._verdict(entry, label)
        corrects = Corrects(entry.id, entry.label, verdict.model, sha256(photo.path))
        if entry.state == "done" and entry.destination != photo.path:  # a tag, in a sidecar
            plan = Plan(photo, verdict, "tag", None, corrects=corrects)
            return plan, [self._retag(entry, photo, label)]
        sort = rules.sort
        if "{year}" in sort.subfolder or "{month}" in sort.subfolder or "{day}" in sort.subfolder:
            verdict = replace(verdict, taken=self._taken(photo.path))
        if entry.state == "done" and sort.action != "move":  # the copy is moved, not copied again
            sort = structs.replace(sort, action="move")
        rows = self._rows(entry)
        base = self._base(rows, photo, verdict, rules)
        plan = decide(photo, verdict, sort, rules.root, base) or _back(rows, photo, verdict, base)
        plan = replace(plan, corrects=corrects, name=rows[-1].path.name)
        if plan.folder == photo.path.parent:  # a label that the folder's name says nothing of
            return replace(plan, action="tag", folder=None), [(_nothing(photo),)]
        return plan, None

    def _verdict(self, entry: Entry, label: str | None) -> Verdict:
        """What the person says; the scores are still the model's."""
        query = "SELECT model, scores FROM entries WHERE id = ?"
        with self._database.reading() as db:
            model, scores = db.execute(query, (entry.id,)).fetchone()
        return Verdict(label, None, json.loads(scores or "{}"), model=model)

    def _base(self, rows: Sequence[Entry], photo: Photo, verdict: Verdict, rules: Rules) -> Path:
        """The folder of the class folders that the photo was filed among, as a person may watch
        another one since; `rows` as of `_rows`."""
        origin = rows[-1].path.parent
        for one in rows:
            folder = one.destination.parent
            said = replace(verdict, label=one.label)
            base = base_of(folder, photo, said, rules.sort) if folder != origin else None
            if base is not None:
                return base
        elsewhere = rows[0].state == "left" and not photo.path.is_relative_to(rules.root)
        return rules.sort.base(photo.path.parent if elsewhere else rules.root)

    def _rows(self, entry: Entry) -> list[Entry]:
        """`entry` and what it puts right; the last is of before anybody put anything right."""
        return list(chain(entry, self._journal.puts_right))

    def _retag(self, entry: Entry, photo: Photo, label: str | None) -> tuple[Step, ...]:
        """From the tags that were written to what there was before, with the new label."""
        first = self._journal.steps(self._rows(entry)[-1], "do")
        original = {(step.kind, step.target): step.before for step in first}
        return tuple(
            replace(
                step,
                photo=photo,
                before=step.after,
                after=_tagged(step, label, original),
                arrived=Photo.seen(step.target) if step.kind == "write" else None,
            )
            for step in self._journal.steps(entry, "do")
        )


def _back(rows: Sequence[Entry], photo: Photo, verdict: Verdict, base: Path) -> Plan:
    """Where a photo of none of these belongs, or one whose folder stays the same; `rows` are how
    it was filed and put right so far, the newest first."""
    if verdict.label is not None:
        folder = photo.path.parent
    elif any(row.action == "copy" for row in rows):  # the photo itself has never left its place
        folder = base / UNSURE
    else:
        folder = rows[-1].path.parent
    return Plan(photo, verdict, "move", folder)


def _tagged(
    step: Step, label: str | None, original: Mapping[tuple[Kind, Path], bytes | None]
) -> bytes | None:
    before = original.get((step.kind, step.target), step.before)
    added: Sequence[str] = () if label is None else (label,)
    if not added:
        return before
    if step.kind == "write":
        return tags.merge_xmp(before, added)
    return tags.add_system_tags(before, added)


def _nothing(photo: Photo) -> Step:
    """A step that leaves everything as it is: only the journal says something new."""
    now = tags.read_system_tags(photo.path)
    return Step("tag", photo.path, photo.path, photo, now, now)
