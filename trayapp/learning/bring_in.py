"""A learner's file → a model package that proves itself; runs the learner, so only in a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from trayapp import __version__
from trayapp.engine import EngineError
from trayapp.engine.card import Parity
from trayapp.engine.decode import UnreadableError
from trayapp.engine.onnx import OnnxClassifier
from trayapp.engine.package import ModelPackage
from trayapp.engine.unpickle import load_learner
from trayapp.learning.calibrate import Fit, fit, safe
from trayapp.learning.convert import Converted, convert, write_package
from trayapp.learning.dataset import NONE_FOLDERS, Dataset, scan
from trayapp.learning.import_card import import_card
from trayapp.learning.pack import Details, revise
from trayapp.learning.parity import compare, holds, suspect
from trayapp.learning.samples import find_samples, make_samples, thinned

NONE_LABELS = NONE_FOLDERS | {"unknown", "#na#"}
"""What a learner's own label for none of these is usually called; the last one by fastai."""

_CALIBRATED_ON = 20_000

Say = Callable[[Mapping[str, Any]], None]


class Request(msgspec.Struct, frozen=True):
    """What the person asked for; `file` and `define` lie where nobody else writes."""

    file: str
    name: str
    origin: str
    folder: str
    scratch: str
    define: str | None = None
    samples: str | None = None
    calibrate: str | None = None
    none: str | None = None


def bring_in(request: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """Load, convert, compare and calibrate; returns a summary. Raises `EngineError`."""
    torch.set_num_threads(1)
    wanted = msgspec.convert(dict(request), Request)
    define = Path(wanted.define) if wanted.define else None
    say({"step": "loading the learner"})
    learner = load_learner(Path(wanted.file), define)
    say({"step": "converting it"})
    converted = convert(learner)
    none = choose_none(converted.labels, wanted.none)
    labels = [label for label in converted.labels if label != none]
    details = Details(
        name=wanted.name,
        thresholds=_at_least(safe(labels), converted.threshold).thresholds,
        none=none,
        description=f"A fastai learner that tells {_listed(labels)} apart.",
        provenance=f"imported from {wanted.origin} by Beartray {__version__}; {_versions()}",
        learner=Path(wanted.file),
        define=define,
    )
    pictures = _pictures(wanted)
    package, parity = _proven(learner, converted, details, Path(wanted.folder), pictures, say)
    found = _calibrated(
        package, converted, Path(wanted.calibrate) if wanted.calibrate else None, say
    )
    package = revise(
        package,
        parity=parity,
        thresholds=dict(found.thresholds),
        calibration=found.calibration,
    )
    package = revise(
        package, readme=import_card(package.card, found.notes, made=not wanted.samples)
    )
    return {"notes": list(found.notes)}


def choose_none(labels: Sequence[str], wanted: str | None) -> str | None:
    """Which of the learner's labels means none of these: `wanted`, or one customarily called so."""
    if wanted is not None:
        same = [label for label in labels if label.casefold() == wanted.casefold()]
        if wanted in labels or len(same) == 1:
            return wanted if wanted in labels else same[0]
        raise EngineError(f"the learner has no label {wanted!r} (--none); it has {_listed(labels)}")
    found = [label for label in labels if label.casefold() in NONE_LABELS]
    if len(found) > 1:
        raise EngineError(
            f"{' and '.join(found)} may both mean none of these: say which with --none"
        )
    return found[0] if found else None


def _pictures(wanted: Request) -> list[Path]:
    if wanted.samples:
        return find_samples(Path(wanted.samples))
    return make_samples(Path(wanted.scratch) / "samples")


def _proven(
    learner: Any,
    converted: Converted,
    details: Details,
    folder: Path,
    pictures: Sequence[Path],
    say: Say,
) -> tuple[ModelPackage, Parity]:
    """The package in half precision if that holds, else in full; or an error with the numbers."""

    def tell(done: int) -> None:
        say({"step": "comparing it with the learner", "done": done, "of": len(pictures)})

    for half in (True, False):
        package = write_package(folder, converted, details, half=half)
        parity = compare(learner, package, pictures, tell)
        if holds(parity):
            return package, parity
    raise EngineError(
        f"the converted model does not answer as the learner does: the same first choice on "
        f"{parity.top1_agreement:.1%} of {parity.pictures} pictures, mean |Δp| "
        f"{parity.mean_abs_dp:.3f}, largest {parity.max_abs_dp:.3f}; the probable cause is "
        f"{suspect(learner, package, pictures)}"
    )


def _calibrated(package: ModelPackage, converted: Converted, folder: Path | None, say: Say) -> Fit:
    if folder is None:
        return _at_least(safe(package.labels), converted.threshold)
    dataset = _dataset(folder, converted, package)
    classifier = OnnxClassifier(package)
    pictures = thinned(dataset.pictures, _CALIBRATED_ON)
    outputs, truth = [], []
    for number, picture in enumerate(pictures):
        if number % 50 == 0:
            say({"step": "calibrating", "done": number, "of": len(pictures)})
        try:
            outputs.append(classifier.outputs(picture.path))
        except (UnreadableError, OSError):
            continue
        truth.append(picture.label)
    if not outputs:
        raise EngineError(f"{folder}: holds no picture that can be read (--calibrate)")
    found = fit(np.array(outputs), truth, package.labels, package.card.none, converted.activation)
    return _at_least(found, converted.threshold)


def _dataset(folder: Path, converted: Converted, package: ModelPackage) -> Dataset:
    """The class folders, by the learner's own labels, whatever their case."""
    own = {label.casefold(): label for label in package.labels}
    others = [label for label in converted.labels if label not in package.labels]
    names = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    none = next((label for label in others if label in names), None)
    dataset = scan(folder, none=none)
    pictures = []
    for picture in dataset.pictures:
        label = own.get((picture.label or "").casefold())
        if picture.label is not None and label is None:
            raise EngineError(
                f"{folder}: {picture.label!r} is no label of the learner, which has "
                f"{_listed(converted.labels)} (--calibrate)"
            )
        pictures.append(replace(picture, label=label))
    return replace(dataset, pictures=tuple(pictures))


def _at_least(found: Fit, threshold: float) -> Fit:
    """A multi-label learner does not mean a label below its own threshold."""
    return replace(
        found,
        thresholds={label: max(value, threshold) for label, value in found.thresholds.items()},
    )


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - 12} more" if len(labels) > 12 else ""
    return ", ".join(labels[:12]) + more


def _versions() -> str:
    return ", ".join(f"{name} {version(name)}" for name in ("fastai", "torch", "timm"))
