"""What a model's probabilities come to on photos whose label is known; pure numpy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trayapp.engine.card import Activation, Metric, NoneClass, NoneThreshold

BINS = 15

Floats = NDArray[np.float64]
Truth = Sequence[str | None]
"""The true label of each photo; None where it is none of these."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The best label of each of n photos, as `ModelPackage.judge` finds it.

    `best` is its number among the labels, `confidence` its probability, `none` that of "none of
    these" (0 where the model has no such output); all of shape (n,).
    """

    labels: tuple[str, ...]
    best: NDArray[np.int64]
    confidence: Floats
    none: Floats

    def filed(self, thresholds: Mapping[str, float]) -> NDArray[np.bool_]:
        """Which photos get filed, shape (n,)."""
        needed = np.array([thresholds[label] for label in self.labels])[self.best]
        return (self.confidence >= needed) & (self.confidence >= self.none)

    def right(self, truth: Truth) -> NDArray[np.bool_]:
        """Where the best label is the true one, shape (n,); never for none of these."""
        return np.array([self.labels[i] == t for i, t in zip(self.best, truth, strict=True)], bool)


@dataclass(frozen=True, slots=True)
class Bin:
    """The photos whose confidence lies in one fifteenth of [0, 1]."""

    photos: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Point:
    """What one threshold for all labels would do; each a share in [0, 1].

    `filed` of the photos that have a label, `right` of all that get filed, `refused` of those
    that are none of these.
    """

    threshold: float
    filed: float
    right: float
    refused: float


def probabilities(outputs: Floats, activation: Activation, temperature: float = 1.0) -> Floats:
    """Raw outputs (n, outputs) → probabilities of the same shape, as the engine makes them."""
    scaled = np.asarray(outputs, np.float64) / temperature
    if activation == "sigmoid":
        return (1 + np.tanh(scaled / 2)) / 2
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def answers(
    probabilities: Floats, labels: Sequence[str], none: NoneClass | NoneThreshold
) -> Answers:
    """The best label of each row of `probabilities` (n, outputs)."""
    values, refusal = probabilities, np.zeros(len(probabilities))
    if isinstance(none, NoneClass):
        refusal = probabilities[:, none.index]
        values = np.delete(probabilities, none.index, axis=1)
    best = values.argmax(axis=1)
    return Answers(tuple(labels), best, values[np.arange(len(values)), best], refusal)


def reliability(found: Answers, truth: Truth) -> list[Bin]:
    """Confidence against accuracy of the first choice, "none of these" being a choice too."""
    confidence = np.maximum(found.confidence, found.none)
    refused = found.none > found.confidence
    unknown = np.array([label is None for label in truth], bool)
    right = np.where(refused, unknown, found.right(truth))
    number = np.minimum((confidence * BINS).astype(int), BINS - 1)
    parts = [number == i for i in range(BINS)]
    return [
        Bin(int(p.sum()), float(confidence[p].mean()), float(right[p].mean()))
        for p in parts
        if p.any()
    ]


def calibration_error(bins: Sequence[Bin]) -> float:
    """ECE: the mean distance of confidence and accuracy (Guo et al. 2017, equation 3)."""
    photos = sum(part.photos for part in bins)
    return sum(part.photos * abs(part.confidence - part.accuracy) for part in bins) / max(1, photos)


def curve(found: Answers, truth: Truth, points: int = 99) -> list[Point]:
    """Coverage against accuracy for thresholds from 0.01 to 0.99."""
    unknown = np.array([label is None for label in truth], bool)
    right = found.right(truth)
    result = []
    for threshold in np.linspace(0.01, 0.99, points):
        filed = found.filed(dict.fromkeys(found.labels, float(threshold)))
        result.append(
            Point(
                float(threshold),
                _share(filed[~unknown], empty=0.0),
                _share(right[filed], empty=1.0),
                1 - _share(filed[unknown], empty=0.0),
            )
        )
    return result


def tally(
    found: Answers, truth: Truth, kinds: Sequence[str], thresholds: Mapping[str, float]
) -> tuple[Metric, ...]:
    """Filed and rightly filed by kind; "a/b" counts for "a" as well as for "a/b"."""
    filed, right = found.filed(thresholds), found.right(truth)
    names = sorted({name for kind in kinds for name in _with_parents(kind)})
    result = []
    for name in names:
        part = np.array([kind == name or kind.startswith(f"{name}/") for kind in kinds], bool)
        counts = (part, part & filed, part & filed & right, part & right)
        result.append(Metric(name, *(int(count.sum()) for count in counts)))
    return tuple(result)


def first_choice(found: Answers, truth: Truth) -> float:
    """The share that is right among the labels, of the photos that have one."""
    known = np.array([label is not None for label in truth], bool)
    return _share(found.right(truth)[known], empty=0.0)


def confusion(found: Answers, truth: Truth, thresholds: Mapping[str, float]) -> NDArray[np.int64]:
    """Counts (labels + 1, labels + 1): the truth down, what is filed as across, none last."""
    size = len(found.labels)
    number = {label: i for i, label in enumerate(found.labels)}
    filed = np.where(found.filed(thresholds), found.best, size)
    table = np.zeros((size + 1, size + 1), np.int64)
    np.add.at(table, (np.array([number.get(t or "", size) for t in truth]), filed), 1)
    return table


def _with_parents(kind: str) -> list[str]:
    parts = kind.split("/")
    return ["/".join(parts[: i + 1]) for i in range(len(parts))]


def _share(values: NDArray[np.bool_], empty: float) -> float:
    return float(values.mean()) if len(values) else empty
