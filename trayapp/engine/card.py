"""What a model.json may say, and the one-line complaint when it says something else."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Literal, get_args

import msgspec

from trayapp.engine import EngineError, printable

FORMAT = 1
MODEL_FILE = "model.onnx"
LEARNER_FILE = "learner.pkl"
DEFINE_FILE = "define.py"
"""What the learner names of the notebook it was made in, as Python code."""

ResizeMethod = Literal["crop", "squish", "pad", "none"]
Padding = Literal["zeros", "border", "reflection"]
Resampling = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
Activation = Literal["softmax", "sigmoid"]
Weights = Literal["fp32", "fp16", "int8"]

Side = Annotated[int, msgspec.Meta(ge=1, le=4096)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]

_ALLOWED = {
    "resize": ", ".join(get_args(ResizeMethod)),
    "resampling": ", ".join(get_args(Resampling)),
    "padding": ", ".join(get_args(Padding)),
    "activation": ", ".join(get_args(Activation)),
    "weights": ", ".join(get_args(Weights)),
    "kind": "class, threshold",
}


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Input(_Part, frozen=True):
    """How a picture becomes the model's input, step by step as fastai does it at validation.

    0. With `cut`, only its centre of that size is looked at (or it gets a frame of that size).
    1. `resize` brings it to `scaled` (width, height; the input's own size if left out): `crop`
       cuts out the largest centred part of that shape, `squish` takes the whole picture as it
       is, `pad` the whole picture with a frame (`padding`) that gives it that shape. `none`
       leaves the picture as it is.
    2. What is larger than `width` × `height` now is cropped to its centre, what is smaller gets
       a frame.
    3. RGB in [0, 1], less `mean`, divided by `std`.
    """

    width: Side
    height: Side
    resize: ResizeMethod
    resampling: Resampling
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]
    scaled: tuple[Side, Side] | None = None
    padding: Padding = "zeros"
    cut: tuple[Side, Side] | None = None

    @property
    def target(self) -> tuple[int, int]:
        """Width and height of the picture after step 1, unless that leaves it as it is."""
        return self.scaled or (self.width, self.height)

    @property
    def any_scale(self) -> bool:
        """Whether a larger or smaller file of the same picture shows the model the same."""
        return self.resize != "none" and self.cut is None


class Calibration(_Part, frozen=True):
    """Temperature scaling (Guo et al. 2017, arXiv:1706.04599): outputs are divided by it.

    The rest says where it and the thresholds come from: `photos` that the model was not trained
    on, of which the share `none_share` was none of these; of what is filed at least `target` is
    right in a folder of that mix; the expected calibration error before and after.
    """

    temperature: Positive = 1.0
    photos: Count = 0
    none_share: Fraction | None = None
    target: Fraction | None = None
    ece_before: Fraction | None = None
    ece_after: Fraction | None = None


class NoneClass(_Part, frozen=True, tag="class", tag_field="kind"):
    """Output number `index` of the model stands for "none of these"."""

    index: Count


class NoneThreshold(_Part, frozen=True, tag="threshold", tag_field="kind"):
    """The model has no such output: what reaches no threshold is none of these."""


class Metric(_Part, frozen=True):
    """What became of `photos` pictures: `filed` under a label, `right` of those rightly.

    `best` is how many have the true label as their best one, filed or not.
    """

    data: str
    photos: Count
    filed: Count
    right: Count
    best: Count | None = None


class Parity(_Part, frozen=True):
    """How far model.onnx is from `reference`: the same first choice for the share
    `top1_agreement` of the pictures; |Δp| over all outputs of all pictures, before calibration.
    """

    reference: str
    pictures: Count
    top1_agreement: Fraction
    mean_abs_dp: Fraction
    max_abs_dp: Fraction


class Precision(_Part, frozen=True):
    """The numbers in model.onnx and why: what these cost and save against single precision.

    Measured on `pictures` pictures: the share with the same first choice, |Δp| over all outputs,
    and milliseconds for one picture on one core, in fp32 and as it is.
    """

    weights: Weights
    reason: str
    pictures: Count = 0
    top1_agreement: Fraction = 1.0
    mean_abs_dp: Fraction = 0.0
    max_abs_dp: Fraction = 0.0
    fp32_ms: Positive | None = None
    ms: Positive | None = None


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
    precision: Precision | None = None

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
    except (ValueError, RecursionError) as error:  # nested a thousand deep
        raise EngineError(f"{file} is not JSON ({error}): copy the model package again") from None
    version = data.get("format") if isinstance(data, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise EngineError(
            f"{file}: format: found {version}; this Beartray reads {FORMAT}: update Beartray"
        )
    try:
        return msgspec.convert(data, ModelCard)
    except msgspec.ValidationError as error:
        raise EngineError(f"{file}: {_short(_complaint(str(error), data))}") from None
    except UnicodeEncodeError:  # JSON can spell half a character: "\\ud800"
        raise EngineError(f"{file} holds what is no text: copy the model package again") from None


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


def _short(complaint: str) -> str:
    """One line that fits a window, whatever names a stranger's file has in it."""
    return printable(complaint if len(complaint) <= 400 else complaint[:399] + "…")
