"""A model's card in words: pure."""

from __future__ import annotations

from collections.abc import Iterator

from trayapp.engine.card import Calibration, Input, Metric, ModelCard, NoneClass, Parity, Precision
from trayapp.engine.package import ModelPackage


def describe(package: ModelPackage) -> Iterator[str]:
    """One line for each thing worth knowing, the name and folder first."""
    card = package.card
    yield f"{card.name} ({package.folder})"
    rows = {
        "description": card.description,
        "labels": ", ".join(card.labels),
        "none of these": _none(card),
        "files a photo from": _thresholds(card),
        "calibration": _calibration(card.calibration),
        "engines": ", ".join(package.engines),
        "input": _input(card.input),
        "precision": card.precision and _precision(card.precision),
        "parity": card.parity and _parity(card.parity),
        "licence": card.licence,
        "provenance": card.provenance,
    }
    for name, words in rows.items():
        if words:
            yield f"  {name}: {words}"
    if card.metrics:
        yield "  metrics:"
        yield from (f"    {_metric(metric)}" for metric in card.metrics)


def _none(card: ModelCard) -> str:
    if isinstance(card.none, NoneClass):
        return "an output of its own, which no photo is filed under"
    return "what is not sure enough of any label"


def _thresholds(card: ModelCard) -> str:
    return ", ".join(f"{label} {value:.0%}" for label, value in card.thresholds.items())


def _calibration(found: Calibration) -> str:
    words = f"temperature {found.temperature:.3g}"
    if found.photos:
        words += f", from {found.photos:,} photos that the model was not trained on"
    if found.target is not None:
        words += f", for {found.target:.1%} right of what is filed"
    if found.ece_before is not None and found.ece_after is not None:
        words += f" (calibration error {found.ece_before:.3f} → {found.ece_after:.3f})"
    return words


def _input(spec: Input) -> str:
    return f"{spec.width} × {spec.height} px, {spec.resize}, {spec.resampling}"


def _precision(found: Precision) -> str:
    words = f"{found.weights} ({found.reason})" if found.reason else found.weights
    if found.fp32_ms and found.ms:
        words += f"; {found.ms:.1f} ms a picture, {found.fp32_ms:.1f} ms in fp32"
    if found.pictures:
        words += f"; {_distance(found)}"
    return words


def _parity(found: Parity) -> str:
    return f"against {found.reference}, {_distance(found)}"


def _distance(found: Parity | Precision) -> str:
    return (
        f"{found.pictures:,} pictures: the same first choice on {found.top1_agreement:.1%}, "
        f"mean |Δp| {found.mean_abs_dp:.5f}, largest {found.max_abs_dp:.3f}"
    )


def _metric(found: Metric) -> str:
    words = f"{found.data}: {found.filed:,} of {found.photos:,} filed"
    if not found.filed:
        return words
    # Photos of none of the labels have no right answer: "0.0 % rightly" would tell of a mishap.
    share = f"{found.right / found.filed:.1%}" if found.right else "none"
    return f"{words}, {share} of them rightly"
