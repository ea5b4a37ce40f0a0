"""From a folder of class folders to a model package: the whole of `beartray train`."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from trayapp import __version__
from trayapp.engine import EngineError
from trayapp.engine.card import Metric
from trayapp.engine.package import ModelPackage
from trayapp.learning import calibrate, dataset, duplicates, split
from trayapp.learning.dataset import Dataset
from trayapp.learning.findings import Asked, Findings
from trayapp.learning.pictures import Copies, copy_all
from trayapp.learning.progress import Progress
from trayapp.learning.recipe import Recipe

WORK = "work"
FEW = 3  # pictures that are named, rather than counted, when they are left out


@dataclass(frozen=True)
class Options:
    """What a person asks for; `folds` is "" (a fifth is held back), a number, or "source"."""

    folder: Path
    out: Path
    name: str
    none: str | None = None
    labels: Path | None = None
    corrections: Path | None = None
    folds: str = ""
    seed: int = 0
    target: float = calibrate.TARGET
    none_share: float | None = None
    recipe: Recipe = field(default_factory=Recipe)


def run(options: Options, progress: Progress) -> tuple[ModelPackage, Findings]:
    """Train, calibrate, convert, report; goes on where an earlier run with the same pictures and
    options was stopped.

    Raises `EngineError`, one line that says what to do, and `OSError` on a full disk.
    """
    try:
        return _run(options, progress)
    except OSError as error:
        error.filename = error.filename or str(options.out)  # writing names no file
        raise


def _run(options: Options, progress: Progress) -> tuple[ModelPackage, Findings]:
    split.parse(options.folds)
    found = dataset.scan(
        options.folder,
        none=options.none,
        labels=options.labels,
        corrections=options.corrections,
    )
    dataset.check(found)
    # These take seconds to import; what is wrong with the folder has been said by now.
    from trayapp.learning import network, outcome
    from trayapp.learning.course import Course

    network.check(options.recipe.architecture)
    work = _open(options, found, progress)
    copies = _clean(
        copy_all(found, work / "pictures", options.recipe.kept_side, progress), progress
    )
    groups = duplicates.groups(copies.prints)
    folds = split.plan(copies.dataset.pictures, groups, options.folds, options.seed)
    course = Course(options.recipe, options.seed, work, copies, progress)
    asked = course.ask(folds)
    taught = course.last(folds)
    progress.say("Calibrating and converting")
    fitted = calibrate.fit(
        asked.outputs,
        asked.truth,
        asked.labels,
        asked.none,
        "softmax",
        target=options.target,
        none_share=options.none_share,
    )
    findings = Findings(
        name=options.name,
        dataset=copies.dataset,
        asked=asked,
        fit=fitted,
        metrics=_measure(asked, options),
        recipe=options.recipe,
        folds=options.folds,
        seed=options.seed,
        weights=taught.network.weights,
        licence=taught.network.licence,
        histories=course.histories(folds),
    )
    package = outcome.write(work / "package", taught.learner, findings, progress)
    package = outcome.publish(package, options.out)
    shutil.rmtree(work)
    return package, findings


def _open(options: Options, found: Dataset, progress: Progress) -> Path:
    """The working folder, with what an earlier run of the same has left there.

    Raises `EngineError` if the folder to write to holds anything else.
    """
    work = options.out / WORK
    options.out.mkdir(parents=True, exist_ok=True)
    if others := sorted(path.name for path in options.out.iterdir() if path.name != WORK):
        raise EngineError(f"{options.out} is not empty ({others[0]}): name a new folder with --out")
    digest = work / "digest"
    wanted = _digest(options, found)
    if digest.is_file() and digest.read_text(encoding="utf-8") == wanted:
        progress.say("Going on where the last run was stopped")
        return work
    if work.exists():
        progress.say("The pictures or the options have changed: starting anew")
        shutil.rmtree(work)
    work.mkdir()
    digest.write_text(wanted, encoding="utf-8")
    return work


def _digest(options: Options, found: Dataset) -> str:
    """Of all that a result depends on, the pictures by their size and time."""
    rows = []
    for picture in found.pictures:
        status = picture.path.stat()
        known = (picture.name, picture.label, picture.kind, picture.source)
        rows.append((*known, status.st_size, status.st_mtime_ns))
    chosen = [__version__, options.folds, options.seed, asdict(options.recipe)]
    return hashlib.sha256(json.dumps([chosen, rows]).encode()).hexdigest()


def _clean(copies: Copies, progress: Progress) -> Copies:
    """Without what is there twice."""
    twice = duplicates.once(copies.dataset, copies.prints)
    kept = copies.without(twice)
    reasons = Counter(item.why for item in kept.dataset.left_out)
    for why, count in reasons.items():
        names = [item.name for item in kept.dataset.left_out if item.why == why]
        which = ", ".join(names) if count <= FEW else f"{count} pictures"
        progress.say(f"left out: {which}: {why}")
    dataset.check(kept.dataset)
    return kept


def _measure(asked: Asked, options: Options) -> tuple[Metric, ...]:
    parts = asked.folds
    if len(np.unique(parts)) == 1:
        parts = np.arange(len(parts)) % 5
    return calibrate.cross_fitted(
        asked.outputs,
        asked.truth,
        asked.kinds,
        parts,
        asked.labels,
        asked.none,
        "softmax",
        target=options.target,
        none_share=options.none_share,
    )
