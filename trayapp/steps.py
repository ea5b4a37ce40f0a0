"""What a plan means for files: the photo and its sidecars, under a name that is still free."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from trayapp import tags
from trayapp.disk import being_written, is_missing, is_there
from trayapp.photo import BeartrayError, Entry, NotAPhotoError, Photo, Plan

logger = logging.getLogger(__name__)

Kind = Literal["move", "copy", "remove", "write", "restore", "tag"]

_TEMPORARY = (".beartray-", ".part")
NAME_BYTES = 255 - len(".xmp")  # the longest file name on common file systems, with a sidecar


class ChangedError(BeartrayError):
    """A file is no longer as it was when it was last looked at; nothing was done to it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One change to one file.

    move: `source` to `target`; copy: a second one at `target`; remove: the copy at `target`,
    while `source` still holds the same bytes; write: the sidecar at `target` from the bytes
    `before` to `after` (None: no file); restore: the same back again, with the time it had; tag:
    the system's tags of `target` likewise.
    `photo` is the file as it was before the step. `arrived` is what lies at `target` where that
    is another file than `photo`: a copy, on this disk or on another, or the sidecar as it was
    before it was first written to. `original` is the file that one from another disk, which may
    keep times less exactly, was once copied from: back there it has its time. Not written down.
    """

    kind: Kind
    source: Path
    target: Path
    photo: Photo | None = None
    before: bytes | None = None
    after: bytes | None = None
    temporary: Path | None = None
    arrived: Photo | None = None
    original: Photo | None = None

    @property
    def changed_disk(self) -> bool:
        """Whether the file went from one disk to another one."""
        photo, arrived = self.photo, self.arrived
        return photo is not None and arrived is not None and photo.device != arrived.device


def sidecars(photo: Path) -> list[Path]:
    """The files that belong to `photo` and lie beside it: x.jpg.xmp, x.xmp, x.aae.

    A sidecar named for the bare stem belongs to the photo only where no other file shares the
    stem: beside x.jpg and x.cr2, x.xmp is the raw file's. Raises `OSError`.
    """
    own = _present(photo.with_name(f"{photo.name}{suffix}") for suffix in (".xmp", ".XMP"))
    shared = _present(
        photo.with_name(f"{photo.stem}{suffix}") for suffix in (".xmp", ".XMP", ".aae", ".AAE")
    )
    if shared and stem_is_shared(photo):
        shared = []
    return own + shared


def stem_is_shared(photo: Path) -> bool:
    """Whether another file than a sidecar lies there under another name of the same stem."""
    companions = {".xmp", ".aae"}
    with os.scandir(photo.parent) as entries:
        return any(
            Path(entry.name).stem == photo.stem
            and entry.name != photo.name
            and Path(entry.name).suffix.casefold() not in companions
            for entry in entries
        )


def steps_of(plan: Plan) -> Iterator[tuple[Step, ...]]:
    """The steps of `plan`, photo first; each next offer uses another free name.

    Raises `OSError`, and `tags.TagError` for a sidecar that cannot be added to.
    """
    if plan.action == "tag":
        yield _tag_steps(plan)
        return
    assert plan.folder is not None
    kind: Kind = "move" if plan.action == "move" else "copy"
    source = plan.photo.path
    companions = [(path, Photo.at(path)) for path in sidecars(source) if not being_written(path)]
    for name in names(plan.name or source.name):
        targets = [(source, plan.photo, plan.folder / name)]
        targets += [
            (path, photo, plan.folder / _companion_name(path.name, source, name))
            for path, photo in companions
        ]
        if any(is_there(target) for _, _, target in targets):
            continue
        yield tuple(Step(kind, path, target, photo) for path, photo, target in targets)


def undo_steps(entry: Entry, steps: Sequence[Step]) -> Iterator[Step]:
    """The steps that take an entry back, from what lies on the disk now.

    The photo has to be as it was filed; its sidecars come along as they are, with those that
    other programs made since, and without those that are gone. Raises `ChangedError` or `OSError`.
    """
    if entry.action == "tag":
        yield from inverse(steps)
        return
    there, back = steps[0].target, steps[0].source
    photo = Photo.at(there)  # before anything is begun
    filed = steps[0].arrived or steps[0].photo
    if filed is None or not photo.looks_like(filed):
        raise ChangedError(f"{there} has changed since")
    if entry.action == "copy":  # a sidecar's copy that somebody deleted is no obstacle
        yield from inverse([step for step in steps if step is steps[0] or look(step.target)])
        return
    moves = [(there, back, photo)]
    beside = sidecars(there)
    moves += [
        (path, back.with_name(_companion_name(path.name, there, back.name)), Photo.at(path))
        for path in beside
    ]
    moves += _others_that_went_along(steps, {path.name.casefold() for path in beside})
    for source, target, photo in moves:
        if is_there(target):
            raise ChangedError(f"its old place {target} is taken")
        yield Step("move", source, target, photo, original=_original(photo, steps))


def _original(there: Photo, steps: Sequence[Step]) -> Photo | None:
    """What one of the steps has copied to where this lies, unless that was changed since."""
    for step in reversed(steps):
        if step.target == there.path and step.arrived and there.looks_like(step.arrived):
            return step.photo
    return None


def _others_that_went_along(
    steps: Sequence[Step], names: Set[str]
) -> Iterator[tuple[Path, Path, Photo]]:
    """Sidecars that by their `names` could be another photo's by now, one of the same stem."""
    taken = set(names)  # a second one may have come late, after the first was taken away
    for step in reversed(steps[1:]):
        photo, filed = look(step.target), step.arrived or step.photo
        same = photo is not None and filed is not None and photo.looks_like(filed)
        if photo is not None and same and step.target.name.casefold() not in taken:
            taken.add(step.target.name.casefold())
            yield step.target, step.source, photo


def follow_step(entry: Entry, sidecar: Path, photo: Path) -> Step:
    """The step that takes a sidecar that came late to the `photo` that was filed by `entry`."""
    name = _companion_name(sidecar.name, entry.path, photo.name)
    kind: Kind = "move" if entry.action == "move" else "copy"
    return Step(kind, sidecar, photo.with_name(name), Photo.at(sidecar))


def inverse(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps that take `steps`, all carried out, back again."""
    return tuple(_inverse(step) for step in steps)


def prepare(step: Step) -> Step:
    """The step with a temporary name beside its target, for files that have to be copied."""
    if step.kind in ("remove", "tag"):
        return step
    name = f"{_TEMPORARY[0]}{secrets.token_hex(8)}{_TEMPORARY[1]}"
    return replace(step, temporary=step.target.parent / name)


def is_temporary(name: str) -> bool:
    """Whether `prepare` gives such names."""
    return name.startswith(_TEMPORARY[0]) and name.endswith(_TEMPORARY[1])


def look(path: Path) -> Photo | None:
    """The file at `path`, None where there is none. Raises other `OSError`s."""
    try:
        return Photo.at(path)
    except NotAPhotoError:
        return None
    except OSError as error:
        if is_missing(error):
            return None
        raise


def _tag_steps(plan: Plan) -> tuple[Step, ...]:
    photo = plan.photo.path
    sidecar = photo.with_name(tags.sidecar_name(photo.name))
    beside = [path for path in sidecars(photo) if path.name.casefold() == sidecar.name.casefold()]
    sidecar = beside[0] if beside else sidecar
    try:
        before = tags.read_sidecar(sidecar)
        after = tags.merge_xmp(before, plan.tags)
    except tags.TagError as error:
        raise tags.TagError(f"{sidecar}: {error}") from None
    there = Photo.at(sidecar) if before is not None else None
    steps = [Step("write", photo, sidecar, plan.photo, before, after, arrived=there)]
    try:
        system = tags.read_system_tags(photo)
    except FileNotFoundError:
        raise
    except OSError as error:  # the sidecar holds the same
        logger.info("no system tags to be had from %s: %s", photo, error)
        return tuple(steps)
    added = tags.add_system_tags(system, plan.tags)
    if added is not None and added != system:
        steps.append(Step("tag", photo, photo, plan.photo, system, added))
    return tuple(steps)


def _inverse(step: Step) -> Step:
    if step.kind == "move":
        there = step.arrived or step.photo
        return Step("move", step.target, step.source, there, original=step.photo)
    if step.kind == "remove":
        return Step("copy", step.source, step.target, Photo.at(step.source))
    if step.kind == "copy":
        return Step("remove", step.source, step.target, step.arrived)
    kind: Kind = "restore" if step.kind == "write" else "write" if step.kind == "restore" else "tag"
    return replace(step, kind=kind, before=step.after, after=step.before, temporary=None)


def _present(paths: Iterable[Path]) -> list[Path]:
    """Those that are regular files, one for each file.

    Where x.xmp and x.XMP are the same file, the folder lists one of them (file ids need not tell:
    exFAT through FUSE makes one up for every name that is asked for).
    """
    found = [path for path in paths if look(path)]
    spellings = {path.name.casefold() for path in found}
    if len(spellings) < len(found):
        listed = set(found[0].parent.iterdir())
        found = [path for path in found if path in listed]
    return sorted(found)


def names(name: str) -> Iterator[str]:
    """The name itself, then "name (2)", "name (3)"…, shortened where it would be too long."""
    stem, suffix = Path(name).stem, Path(name).suffix
    yield name
    for number in range(2, 100_000):
        mark = f" ({number}){suffix}"
        room = NAME_BYTES - len(os.fsencode(mark))
        yield _shortened(stem, room) + mark


def _shortened(stem: str, room: int) -> str:
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem


def _companion_name(name: str, photo: Path, new: str) -> str:
    """What a sidecar is called once its photo is called `new`."""
    if len(name) >= len(photo.name) and name.casefold().startswith(photo.name.casefold()):
        return new + name[len(photo.name) :]
    return Path(new).stem + name[len(photo.stem) :]
