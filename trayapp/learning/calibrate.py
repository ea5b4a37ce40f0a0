"""How sure is sure enough: temperature and thresholds from photos the model never saw; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv, log_expit, log_softmax

from trayapp.engine.card import Activation, Calibration, Metric, NoneClass, NoneThreshold
from trayapp.learning.evaluate import (
    Answers,
    Floats,
    Truth,
    answers,
    calibration_error,
    probabilities,
    reliability,
    tally,
)

TARGET = 0.98
SURE = 0.95  # one-sided: once in twenty times the promise is made too lightly
FLOOR = 0.5  # more probable than everything else together
SAFE = 0.9  # where nothing is known; a softmax is rarely this sure of what it never saw
FEW = 20  # photos; with fewer, a temperature would be fitted to chance
TEMPERATURES = (0.25, 8.0)


@dataclass(frozen=True, slots=True)
class Fit:
    """What model.json takes over; `notes` say in words what could not be shown from the photos."""

    calibration: Calibration
    thresholds: Mapping[str, float]
    notes: tuple[str, ...] = ()


def fit(
    outputs: NDArray[np.floating],
    truth: Truth,
    labels: Sequence[str],
    none: NoneClass | NoneThreshold,
    activation: Activation,
    *,
    target: float = TARGET,
    floor: float = FLOOR,
    none_share: float | None = None,
) -> Fit:
    """Temperature and thresholds for raw `outputs` (n, outputs) of photos whose `truth` is known.

    Each label's threshold is the lowest from `floor` on at which, of what is filed under it, at
    least `target` is right; photos of none of these count as mistakes. Where the photos allow it
    this holds with a confidence of 95 % (Clopper and Pearson 1934, one-sided). It is meant for a
    folder in which the share `none_share` is none of these: that of the photos, if left out.
    Raises `ValueError` if shapes differ.
    """
    width = len(labels) + isinstance(none, NoneClass)
    if outputs.shape != (len(truth), width):
        raise ValueError(f"outputs: found shape {outputs.shape}, expected {(len(truth), width)}")
    if not len(truth):
        return safe(labels)
    values = np.asarray(outputs, np.float64)
    temperature, notes = _temperature(values, truth, labels, none, activation)
    before = answers(probabilities(values, activation), labels, none)
    found = answers(probabilities(values, activation, temperature), labels, none)
    weights, share = _weights(truth, none_share)
    thresholds = {}
    for label in labels:
        thresholds[label], note = _threshold(found, truth, label, weights, target, floor)
        notes += (note,) if note else ()
    if share == 0:
        notes += ("no photos of none of these: what else gets filed is not known",)
    calibration = Calibration(
        temperature=temperature,
        photos=len(truth),
        none_share=round(share, 4),
        target=target,
        ece_before=round(calibration_error(reliability(before, truth)), 5),
        ece_after=round(calibration_error(reliability(found, truth)), 5),
    )
    return Fit(calibration, thresholds, notes)


def cross_fitted(
    outputs: NDArray[np.floating],
    truth: Truth,
    kinds: Sequence[str],
    parts: NDArray[np.int64],
    labels: Sequence[str],
    none: NoneClass | NoneThreshold,
    activation: Activation,
    *,
    target: float = TARGET,
    none_share: float | None = None,
) -> tuple[Metric, ...]:
    """What gets filed of each kind, each part (n,) of the photos with thresholds from the others.

    Measured with thresholds that were chosen on the same photos, it would look too good.
    """
    counts = dict[str, list[int]]()
    for part in np.unique(parts):
        here = np.flatnonzero(parts == part).tolist()
        chosen = np.flatnonzero(parts != part).tolist() or here
        found = fit(
            outputs[chosen],
            [truth[i] for i in chosen],
            labels,
            none,
            activation,
            target=target,
            none_share=none_share,
        )
        raw = np.asarray(outputs[here], np.float64)
        values = probabilities(raw, activation, found.calibration.temperature)
        for metric in tally(
            answers(values, labels, none),
            [truth[i] for i in here],
            [kinds[i] for i in here],
            found.thresholds,
        ):
            row = counts.setdefault(metric.data, [0, 0, 0, 0])
            for place, number in enumerate(
                (metric.photos, metric.filed, metric.right, metric.best or 0)
            ):
                row[place] += number
    return tuple(Metric(kind, *row) for kind, row in sorted(counts.items()))


def safe(labels: Sequence[str]) -> Fit:
    """For a model of which no photos are there to try: files only what it is very sure of."""
    note = f"not calibrated: files from {SAFE:.2f} on; `--calibrate` finds better thresholds"
    return Fit(Calibration(), dict.fromkeys(labels, SAFE), (note,))


def _temperature(
    outputs: Floats,
    truth: Truth,
    labels: Sequence[str],
    none: NoneClass | NoneThreshold,
    activation: Activation,
) -> tuple[float, tuple[str, ...]]:
    """The one with the least negative log-likelihood; 1 where the photos cannot tell."""
    wanted, known = _one_hot(outputs.shape[1], truth, labels, none)
    if activation == "softmax":  # a softmax without a class for it has no right answer
        outputs, wanted = outputs[known], wanted[known]
    if len(outputs) < FEW:
        return 1.0, (f"{len(outputs)} photos are too few for a temperature: left at 1",)

    def loss(log_temperature: float) -> float:
        scaled = outputs / np.exp(log_temperature)
        if activation == "softmax":
            return -float((wanted * log_softmax(scaled, axis=1)).sum(axis=1).mean())
        terms = wanted * log_expit(scaled) + (1 - wanted) * log_expit(-scaled)
        return -float(terms.sum(axis=1).mean())

    low, high = TEMPERATURES
    if bool((outputs.argmax(axis=1) == wanted.argmax(axis=1)).all()):
        low = 1.0  # without a mistake the likelihood only asks for ever more confidence
    best = minimize_scalar(loss, bounds=(np.log(low), np.log(high)), method="bounded")
    return round(float(np.exp(best.x)), 4), ()


def _one_hot(
    width: int, truth: Truth, labels: Sequence[str], none: NoneClass | NoneThreshold
) -> tuple[Floats, NDArray[np.bool_]]:
    """Which output should be 1, (n, width), and which photos have one, (n,)."""
    columns = list(range(width))
    refusal = columns.pop(none.index) if isinstance(none, NoneClass) else None
    column = dict(zip(labels, columns, strict=True))
    wanted = np.zeros((len(truth), width))
    for row, label in enumerate(truth):
        place = refusal if label is None else column[label]
        if place is not None:
            wanted[row, place] = 1
    return wanted, np.asarray(wanted.any(axis=1), np.bool_)


def _weights(truth: Truth, none_share: float | None) -> tuple[Floats, float]:
    """What each photo counts so that the wanted share is none of these, and the share got."""
    unknown = np.array([label is None for label in truth], bool)
    share = float(unknown.mean())
    weights = np.ones(len(truth))
    if none_share is None or share in (0.0, 1.0):
        return weights, share
    weights[unknown] = none_share / share
    weights[~unknown] = (1 - none_share) / (1 - share)
    return weights, none_share


def _threshold(
    found: Answers, truth: Truth, label: str, weights: Floats, target: float, floor: float
) -> tuple[float, str]:
    """The threshold of one label, and what has to be said about it ("" if it is shown)."""
    candidate = (found.best == found.labels.index(label)) & (found.confidence >= found.none)
    candidate &= found.confidence >= floor
    order = np.argsort(-found.confidence[candidate], kind="stable")
    confidence = found.confidence[candidate][order]
    if not len(confidence):
        return SAFE, f"{label}: nothing was taken for it; files from {SAFE:.2f} on"
    right, weight = found.right(truth)[candidate][order], weights[candidate][order]
    complete = np.append(confidence[1:] < confidence[:-1], True)  # equals are filed together
    low, high = (np.where(complete, bound, 0.0) for bound in _bounds(right, weight))
    shown = np.flatnonzero(low >= target)
    if len(shown):
        return _between(confidence, int(shown[-1]), floor), ""
    threshold = _unshown(confidence, low, high, target, floor)
    part = confidence >= threshold
    return threshold, (
        f"{label}: {len(right)} photos cannot show that {100 * target:g} % are right; files from "
        f"{threshold:.3g} on, which was right in {int(right[part].sum())} of {int(part.sum())}"
    )


def _unshown(confidence: Floats, low: Floats, high: Floats, target: float, floor: float) -> float:
    """The safe threshold, or a higher one that is right more surely, or that excludes what is
    surely wrong too often; never lower for a higher target.
    """
    threshold = max(SAFE, _between(confidence, int(low.argmax()), floor))
    possible = np.flatnonzero((high >= target) & (confidence >= threshold))
    if not (confidence >= threshold).any():
        return threshold
    if len(possible):
        return max(threshold, _between(confidence, int(possible[-1]), floor))
    return min(1.0, (1 + float(confidence[0])) / 2)


def _bounds(right: NDArray[np.bool_], weight: Floats) -> tuple[Floats, Floats]:
    """Of the first 1, 2, … n photos, the share that is right at the least and the most; (n,) each.

    Weighted photos count as many as their effective number (Kish 1965).
    """
    total = np.cumsum(weight)
    number = total**2 / np.cumsum(weight**2)
    successes = np.cumsum(weight * right) / total * number
    failures = np.maximum(number - successes, 0)
    low = betaincinv(np.maximum(successes, 1e-9), failures + 1, 1 - SURE)
    high = betaincinv(successes + 1, np.maximum(failures, 1e-9), SURE)
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def _between(confidence: Floats, last: int, floor: float) -> float:
    """Midway between the last photo that is filed and the next that is not, not below `floor`."""
    following = confidence[last + 1] if last + 1 < len(confidence) else floor
    middle = (float(confidence[last]) + float(following)) / 2
    return min(max(floor, round(middle, 4)), float(confidence[last]))
