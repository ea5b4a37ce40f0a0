"""Asks the learner and its package about the same pictures, and says how far apart they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import structs
from numpy.typing import NDArray
from PIL import Image

from trayapp.engine import EngineError
from trayapp.engine.card import Calibration, Parity
from trayapp.engine.decode import UnreadableError, decode
from trayapp.engine.onnx import OnnxClassifier
from trayapp.engine.operators import declare_torchvision_operators
from trayapp.engine.package import ModelPackage
from trayapp.engine.preprocess import fit

declare_torchvision_operators()

from fastai.vision.core import PILImage  # noqa: E402

Floats = NDArray[np.float64]

LEAST_AGREEMENT = 0.99
LARGEST_MEAN_DP = 0.01

_AT_ONCE = 16


def compare(
    learner: Any,
    package: ModelPackage,
    pictures: Sequence[Path],
    progress: Callable[[int], None] = lambda _: None,
) -> Parity:
    """Both engines as they would see a photo: fastai with all transforms of the learner on the
    whole upright picture, Beartray's with its faster decoding. Files that are no picture are
    passed over.

    Raises:
        EngineError: none of `pictures` can be read.
    """
    calibrated = package.card
    package = ModelPackage(package.folder, structs.replace(calibrated, calibration=Calibration()))
    classifier = OnnxClassifier(package)
    theirs, ours = list[Floats](), list[Floats]()
    done = 0
    for start in range(0, len(pictures), _AT_ONCE):
        batch = pictures[start : start + _AT_ONCE]
        answers = [(image, classifier.outputs(path)) for path, image in _readable(batch)]
        if answers:
            images, outputs = zip(*answers, strict=True)
            ours += [_probabilities(package, found) for found in outputs]
            theirs += [_probabilities(package, found) for found in ask(learner, images)]
        done += len(batch)
        progress(done)
    if not ours:
        raise EngineError("none of the sample pictures can be read: name others with --samples")
    return _parity(np.array(theirs), np.array(ours))


def ask(learner: Any, images: Sequence[Image.Image]) -> list[list[float]]:
    """The learner's raw outputs for upright RGB pictures, as in `Learner.predict`."""
    with learner.no_bar(), learner.no_logging():
        photos = learner.dls.test_dl(
            [PILImage.create(image) for image in images], num_workers=0, bs=_AT_ONCE
        )
        outputs, _ = learner.get_preds(dl=photos, act=lambda raw: raw)
    return [[float(value) for value in row] for row in outputs]


def holds(parity: Parity) -> bool:
    """Whether the package may stand in for the learner.

    One other first choice is let pass however few the pictures are: where the learner itself
    hardly knows which, any rounding decides.
    """
    differing = round((1 - parity.top1_agreement) * parity.pictures)
    allowed = max(1, int((1 - LEAST_AGREEMENT) * parity.pictures))
    return differing <= allowed and parity.mean_abs_dp <= LARGEST_MEAN_DP


def suspect(learner: Any, package: ModelPackage, pictures: Sequence[Path]) -> str:
    """What most probably makes the two differ, in words."""
    worst = 0.0
    for _, image in _readable(pictures[:8]):
        loader = learner.dls.test_dl([PILImage.create(image)], num_workers=0, bs=1)
        theirs = np.asarray(loader.create_item(0)[0]).transpose(1, 2, 0).astype(float)
        ours = np.asarray(fit(image, package.card.input), float)
        if theirs.shape != ours.shape:
            worst = 255.0
        else:
            worst = max(worst, float(np.abs(theirs - ours).mean()))
    names = ", ".join(type(transform).__name__ for transform in loader.after_item.fs)
    if worst > 1.0:  # of 255
        return f"its item transforms ({names})"
    names = ", ".join(type(transform).__name__ for transform in loader.after_batch.fs)
    return f"its batch transforms ({names}), or a layer of its network"


def _readable(paths: Sequence[Path]) -> Iterator[tuple[Path, Image.Image]]:
    for path in paths:
        try:
            yield path, decode(path)[0]
        except (UnreadableError, OSError):
            continue


def _probabilities(package: ModelPackage, outputs: Sequence[float]) -> Floats:
    return np.array(package.probabilities(outputs))


def _parity(theirs: Floats, ours: Floats) -> Parity:
    """Of probabilities of shape (pictures, outputs)."""
    distance = np.abs(theirs - ours)
    agreed = theirs.argmax(axis=1) == ours.argmax(axis=1)
    return Parity(
        "learner.pkl in fastai",
        len(ours),
        round(float(agreed.mean()), 5),
        round(float(distance.mean()), 6),
        round(float(distance.max()), 5),
    )
