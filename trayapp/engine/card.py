"""What a model.json may say, and the one-line complaint when it says something else."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, get_args

import msgspec

from trayapp.engine import EngineError

FORMAT = 1
MODEL_FILE = "model.onnx"
LEARNER_FILE = "learner.pkl"

ResizeMethod = Literal["crop", "squish", "pad"]
Resampling = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Activation = Literal["softmax", "sigmoid"]

Side = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]

_ALLOWED = {
    "resize": ", ".join(get_args(ResizeMethod)),
    "resampling": ", ".join(get_args(Resampling)),
    "activation": ", ".join(get_args(Activation)),
    "kind": "class, threshold",
}


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Input(_Part, frozen=True):
    """How a picture becomes the model's input.

    `crop` scales the shorter side to size / crop_pct and takes the centre, `squish` scales both
    sides to size / crop_pct and takes the centre, `pad` fits the whole picture in and leaves the
    rest black. `mean` and `std` are for RGB in [0, 1].
    """

    width: Side
    height: Side
    resize: ResizeMethod
    resampling: Resampling
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]
    crop_pct: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0


class Calibration(_Part, frozen=True):
    """Temperature scaling (Guo et al. 2017, arXiv:1706.04599): logits are divided by it."""

    temperature: Positive = 1.0


class NoneClass(_Part, frozen=True, tag="class", tag_field="kind"):
    """Output number `index` of the model stands for "none of these"."""

    index: Count


class NoneThreshold(_Part, frozen=True, tag="threshold", tag_field="kind"):
    """The model has no such output: what reaches no threshold is none of these."""


class Metric(_Part, frozen=True):
    """What became of `photos` pictures: `filed` under a label, `right` of those rightly."""

    data: str
    photos: Count
    filed: Count
    right: Count


class Parity(_Part, frozen=True):
    """How far model.onnx is from `reference`; Δp over all labels of all pictures."""

    reference: str
    pictures: Count
    top1_agreement: Fraction
    mean_abs_dp: Fraction
    max_abs_dp: Fraction


class ModelCard(_Part, frozen=True):
    """The whole of model.json."""

    format: Annotated[int, msgspec.Meta(ge=FORMAT, le=FORMAT)]
    name: str
    description: str
    labels: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    input: Input
    activation: Activation
    thresholds: dict[str, Fraction]
    none: NoneClass | NoneThreshold
    licence: str
    provenance: str
    files: dict[str, str]
    calibration: Calibration = Calibration()
    metrics: tuple[Metric, ...] = ()
    parity: Parity | None = None

    def __post_init__(self) -> None:
        _check_labels(self)
        _check_files(self.files)

    @property
    def outputs(self) -> int:
        """How many numbers the model gives for a picture."""
        return len(self.labels) + isinstance(self.none, NoneClass)


def parse(file: Path, text: bytes) -> ModelCard:
    """Read the content of `file`; raises `EngineError` naming file, key, found and allowed."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise EngineError(f"{file} is not JSON ({error}): copy the model package again") from None
    version = data.get("format") if isinstance(data, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise EngineError(
            f"{file}: format: found {version}; this Beartray reads {FORMAT}: update Beartray"
        )
    try:
        return msgspec.convert(data, ModelCard)
    except msgspec.ValidationError as error:
        raise EngineError(f"{file}: {_complaint(str(error), data)}") from None


def _check_labels(card: ModelCard) -> None:
    folded = [label.casefold() for label in card.labels]
    for label in card.labels:
        if folded.count(label.casefold()) > 1:
            raise ValueError(f"labels: found {label!r} twice (folders ignore case); allowed: once")
        if label != label.strip() or not label.isprintable() or not label:
            raise ValueError(f"labels: found {label!r}; allowed: a printable word")
    if set(card.thresholds) != set(card.labels):
        found, allowed = ", ".join(card.thresholds), ", ".join(card.labels)
        raise ValueError(f"thresholds: found {found or 'none'}; allowed: one for each of {allowed}")
    if isinstance(card.none, NoneClass) and card.none.index > len(card.labels):
        raise ValueError(f"none.index: found {card.none.index}; allowed: 0 to {len(card.labels)}")


def _check_files(files: dict[str, str]) -> None:
    if not {MODEL_FILE, LEARNER_FILE} & set(files):
        raise ValueError(f"files: found no {MODEL_FILE}; allowed: {MODEL_FILE} or {LEARNER_FILE}")
    for name, digest in files.items():
        # Both flavours: a package made on one system is opened on another.
        plain = PurePosixPath(name).name == name == PureWindowsPath(name).name
        if not plain or name in {"", ".", ".."} or not name.isprintable():
            raise ValueError(f"files: found {name!r}; allowed: a file name without folders")
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise ValueError(f"files.{name}: found {digest!r}; allowed: a SHA-256 in small hex")


def _complaint(message: str, data: object) -> str:
    """Turn msgspec's "Expected `int`, got `str` - at `$.a.b`" into key, found and allowed."""
    what, _, where = message.partition(" - at `")
    key = where.rstrip("`").removeprefix("$").removeprefix(".")
    if what.startswith("Invalid"):
        what = f"Expected one of {_ALLOWED.get(key.rpartition('.')[2], 'the known kinds')}"
    if not what.startswith("Expected"):
        return f"{key}: {what}" if key else what
    allowed = what.removeprefix("Expected ").partition(", got ")[0].replace("`", "")
    return f"{key or 'the whole file'}: found {_found(data, key)}; allowed: {allowed}"


def _found(data: Any, key: str) -> str:
    for part in re.findall(r"[^.\[\]]+|\[\d+\]|\[\.\.\.\]", key):
        if part == "[...]":  # msgspec does not say which of a mapping's values
            break
        data = data[int(part[1:-1])] if part.startswith("[") else data[part]
    text = json.dumps(data, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
