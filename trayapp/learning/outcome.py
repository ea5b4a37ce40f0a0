"""Turns a taught learner and the findings about it into files: model package, card and report."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trayapp import __version__
from trayapp.engine.card import LEARNER_FILE
from trayapp.engine.decode import decode
from trayapp.engine.package import ModelPackage
from trayapp.engine.preprocess import prepare
from trayapp.engine.unpickle import load_learner
from trayapp.learning import convert, modelcard, pack, parity, pickling, quantize, report
from trayapp.learning.dataset import NONE, Picture
from trayapp.learning.findings import Findings
from trayapp.learning.progress import Progress

COMPARED = 1000  # pictures, for the parity of both engines
TRIED = 256  # pictures, for the choice of numbers
REPORT_FILE = "report.html"
PREDICTIONS_FILE = "predictions.csv"
SUSPECTS_FILE = "suspects.csv"


def write(folder: Path, learner: Any, findings: Findings, progress: Progress) -> ModelPackage:
    """Make the package in `folder`, with what is of no use to an app (report, predictions)
    beside it: model.json does not list that.

    Raises `EngineError` where the learner cannot be converted, `OSError` on a full disk.
    """
    if folder.exists():  # of a run that was stopped here
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    converted = convert.convert(learner)
    pickling.export(learner, folder / LEARNER_FILE)
    details = _details(folder, findings)
    package = pack.write_package(folder, converted, details, half=False)
    package = _shrink(package, converted, details, findings, progress)
    package = _prove(package, findings, progress)
    package = pack.revise(package, readme=modelcard.render(findings, package))
    for name, text in ((PREDICTIONS_FILE, _predictions), (SUSPECTS_FILE, _suspects)):
        (folder / name).write_text(text(findings), encoding="utf-8", newline="")
    (folder / REPORT_FILE).write_text(report.render(findings, package), encoding="utf-8")
    return package


def publish(package: ModelPackage, out: Path) -> ModelPackage:
    """Move everything to `out`, the model.json last: without it a folder is no package."""
    for file in sorted(package.folder.iterdir(), key=lambda file: file.name == "model.json"):
        file.replace(out / file.name)
    return ModelPackage.load(out)


def _details(folder: Path, findings: Findings) -> pack.Details:
    known = findings.dataset
    weights = findings.weights or "chance, no weights to start from"
    return pack.Details(
        name=findings.name,
        thresholds=findings.fit.thresholds,
        none=NONE if NONE in known.vocab else None,
        description=f"Tells {', '.join(known.labels)} apart; {len(known.pictures):,} photos.",
        licence=findings.licence or "that of the photos it was trained on",
        provenance=f"beartray {__version__} train; {findings.recipe.architecture} from {weights}",
        calibration=findings.fit.calibration,
        metrics=findings.metrics,
        learner=folder / LEARNER_FILE,
    )


def _shrink(
    package: ModelPackage,
    converted: pack.Converted,
    details: pack.Details,
    findings: Findings,
    progress: Progress,
) -> ModelPackage:
    """With 8-bit or half-precision numbers, where they keep the answers."""
    pixels = []
    pictures = _some(findings, TRIED)
    with progress.bar("Trying smaller numbers", len(pictures)) as advance:
        for picture in pictures:
            pixels.append(prepare(decode(picture.path)[0], package))
            advance(1)
        choice = quantize.choose(converted.model, pixels, converted.activation)
    smaller = replace(converted, model=choice.model)
    package = pack.write_package(package.folder, smaller, details, half=False)
    return pack.revise(package, precision=choice.precision)


def _some(findings: Findings, number: int) -> list[Picture]:
    """So many of the pictures that were held back, evenly from all folders."""
    pictures = findings.asked.pictures
    places = np.linspace(0, len(pictures) - 1, min(number, len(pictures))).astype(int)
    return [pictures[i] for i in np.unique(places)]


def _prove(package: ModelPackage, findings: Findings, progress: Progress) -> ModelPackage:
    """The file as others would load it, against the package."""
    paths = [picture.path for picture in _some(findings, COMPARED)]
    done = 0
    with progress.bar("Comparing", len(paths)) as advance:

        def step(now: int) -> None:
            nonlocal done
            advance(now - done)
            done = now

        learner = load_learner(package.folder / LEARNER_FILE)
        found = parity.compare(learner, package, paths, step)
    return pack.revise(package, parity=found)


def _predictions(findings: Findings) -> str:
    """A table of every picture asked about: what it is, what it is taken for, and the scores."""
    values = findings.asked.probabilities(findings.fit.calibration.temperature)
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(["file", "label", "kind", "source", "fold", "filed", *findings.asked.vocab])
    for i, picture in enumerate(findings.asked.pictures):
        filed = findings.answers.labels[findings.answers.best[i]] if findings.filed[i] else ""
        known = [picture.name, picture.label or NONE, picture.kind, picture.source]
        scores = [f"{value:.5f}" for value in values[i]]
        table.writerow([*known, findings.asked.folds[i], filed, *scores])
    return stream.getvalue()


def _suspects(findings: Findings) -> str:
    """A table as `--corrections` takes it, to be gone through by hand."""
    stream = io.StringIO()
    table = csv.writer(stream)
    table.writerow(["file", "label", "why"])
    for item in findings.suspects():
        label = item.picture.label or NONE
        why = f"{label} {item.probability:.3f}, {item.other} {item.other_probability:.3f}"
        table.writerow([item.picture.name, item.other, why])
    return stream.getvalue()
