"""Writes a model package: the network, its model.json, the learner it came from, a short card."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from msgspec import structs

from trayapp.engine import EngineError
from trayapp.engine.card import (
    DEFINE_FILE,
    FORMAT,
    LEARNER_FILE,
    MODEL_FILE,
    Activation,
    Calibration,
    Input,
    Metric,
    ModelCard,
    NoneClass,
    NoneThreshold,
)
from trayapp.engine.package import CARD_FILE, ModelPackage
from trayapp.files import sha256
from trayapp.learning.export import halve

README_FILE = "README.md"


@dataclass(frozen=True, slots=True)
class Converted:
    """What Beartray's engine needs of a learner."""

    model: bytes
    """ONNX, float32: a picture (1, 3, height, width) → outputs (1, labels) before activation."""
    input: Input
    activation: Activation
    labels: tuple[str, ...]
    """The learner's whole vocabulary, in the order of the outputs."""
    threshold: float = 0.0
    """The probability from which on the learner itself means a label to be there."""


@dataclass(frozen=True, slots=True)
class Details:
    """What a package says of itself besides; `thresholds` are for the labels without `none`."""

    name: str
    thresholds: Mapping[str, float]
    none: str | None = None
    """The label among the learner's own that stands for none of these."""
    description: str = ""
    licence: str = "unknown: ask whoever trained it"
    provenance: str = ""
    calibration: Calibration = field(default_factory=Calibration)
    metrics: tuple[Metric, ...] = ()
    readme: str = ""
    learner: Path | None = None
    define: Path | None = None
    others: Mapping[str, bytes] = field(default_factory=dict)
    """More files to lie in the package and be listed with their SHA-256, such as plots."""


def write_package(
    folder: Path, converted: Converted, details: Details, *, half: bool = True
) -> ModelPackage:
    """Write a whole package into `folder`, which is made if need be: the same bytes every time.

    With `half` the weights are stored in half precision, at half the size.
    Raises `EngineError` where the labels cannot be those of a package.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(halve(converted.model) if half else converted.model)
    for source, name in ((details.learner, LEARNER_FILE), (details.define, DEFINE_FILE)):
        if source and source.resolve() != (folder / name).resolve():
            shutil.copyfile(source, folder / name)
    written = dict(details.others)
    if details.readme:
        written[README_FILE] = details.readme.encode()
    for name, content in written.items():
        (folder / name).write_bytes(content)
    names = [MODEL_FILE, *written]
    names += [LEARNER_FILE] if details.learner else []
    names += [DEFINE_FILE] if details.define else []
    return _write_card(folder, _card(converted, details), names)


def revise(package: ModelPackage, *, readme: str | None = None, **changes: Any) -> ModelPackage:
    """Write `package` anew with `changes` to its model.json, and maybe another README."""
    names = list(package.card.files)
    if readme is not None:
        (package.folder / README_FILE).write_bytes(readme.encode())
        names = list(dict.fromkeys([*names, README_FILE]))
    return _write_card(package.folder, structs.replace(package.card, **changes), names)


def none_class(labels: tuple[str, ...], none: str | None) -> NoneClass | NoneThreshold:
    """How a model with these outputs says "none of these"; raises `EngineError`."""
    if none is None:
        return NoneThreshold()
    if none not in labels:
        raise EngineError(
            f"the learner has no label {none!r} for none of these; it has {', '.join(labels)}"
        )
    return NoneClass(labels.index(none))


def _card(converted: Converted, details: Details) -> ModelCard:
    labels = tuple(label for label in converted.labels if label != details.none)
    try:
        return ModelCard(
            format=FORMAT,
            name=details.name,
            description=details.description,
            labels=labels,
            input=converted.input,
            activation=converted.activation,
            thresholds={label: details.thresholds[label] for label in labels},
            none=none_class(converted.labels, details.none),
            licence=details.licence,
            provenance=details.provenance,
            files={MODEL_FILE: "0" * 64},  # until they are written
            calibration=details.calibration,
            metrics=details.metrics,
        )
    except ValueError as error:
        raise EngineError(f"the learner's labels cannot be those of a model: {error}") from None


def _write_card(folder: Path, card: ModelCard, names: list[str]) -> ModelPackage:
    files = {name: sha256(folder / name) for name in sorted(names)}
    text = msgspec.json.format(msgspec.json.encode(structs.replace(card, files=files)), indent=2)
    (folder / CARD_FILE).write_bytes(text + b"\n")
    return ModelPackage.load(folder, verify=False)
