"""A model package: the folder with model.onnx, and model.json that says how to use it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trayapp.engine import EngineError
from trayapp.engine.card import LEARNER_FILE, MODEL_FILE, ModelCard, NoneClass, parse
from trayapp.photo import Reason

CARD_FILE = "model.json"
EngineName = Literal["onnx", "fastai"]
ENGINE_FILES: Mapping[EngineName, str] = {"onnx": MODEL_FILE, "fastai": LEARNER_FILE}
"""What each engine runs, the preferred one first."""
_LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What probabilities come to; the fields are those of `Verdict`."""

    label: str | None
    confidence: float
    scores: Mapping[str, float]
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class ModelPackage:
    """A model package as it lies in `folder`; `card` is its model.json."""

    folder: Path
    card: ModelCard

    @classmethod
    def load(cls, folder: Path, *, verify: bool = True) -> ModelPackage:
        """Read model.json and, with `verify`, compare every file it lists with its SHA-256.

        Raises `EngineError`, one line that says what to do.
        """
        file = folder / CARD_FILE
        package = cls(folder, parse(file, _content(file)))
        if verify:
            for name in package.card.files:
                package.read(name)
        return package

    @property
    def name(self) -> str:
        return self.card.name

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels

    @property
    def engines(self) -> tuple[EngineName, ...]:
        """The engines that have a file to run here, the preferred one first; never empty."""
        return tuple(name for name, file in ENGINE_FILES.items() if file in self.card.files)

    def engine_for(self, wanted: Literal["auto"] | EngineName) -> EngineName:
        """`wanted` ("auto" is the preferred one) as an engine that can run this package.

        Raises `EngineError` where it has no file for it.
        """
        if wanted == "auto":
            return self.engines[0]
        if wanted not in self.engines:
            raise EngineError(
                f"{self.folder} has no {ENGINE_FILES[wanted]}: set engine = "
                f'"{self.engines[0]}" under [model]'
            )
        return wanted

    def read(self, name: str) -> bytes:
        """The content of one listed file, which is what its SHA-256 says or `EngineError`."""
        file = self.folder / name
        if name not in self.card.files:
            raise EngineError(f"{self.folder / CARD_FILE}: files: does not list {name}")
        content = _content(file)
        if content.startswith(_LFS_POINTER):
            raise EngineError(f"{file} is a git-lfs pointer, not the model: run `git lfs pull`")
        if hashlib.sha256(content).hexdigest() != self.card.files[name]:
            raise EngineError(
                f"{file} is damaged or not the file that {CARD_FILE} lists (SHA-256 differs): "
                "copy the model package again"
            )
        return content

    def probabilities(self, outputs: Sequence[float]) -> list[float]:
        """The model's raw outputs, calibrated and activated: same length, each in [0, 1]."""
        scaled = [value / self.card.calibration.temperature for value in outputs]
        if self.card.activation == "sigmoid":
            # tanh neither overflows nor loses small values: sigmoid(x) = (1 + tanh(x / 2)) / 2
            return [(1 + math.tanh(value / 2)) / 2 for value in scaled]
        top = max(scaled)
        powers = [math.exp(value - top) for value in scaled]
        total = sum(powers)
        return [power / total for power in powers]

    def judge(
        self, probabilities: Sequence[float], min_confidence: Mapping[str, float] | None = None
    ) -> Judgement:
        """Decide what the model's probabilities, in its order of outputs, come to.

        The best label counts if it reaches its threshold (`min_confidence` of the user before
        the package's) and "none of these" is not more probable still. `scores` has the labels
        only; the confidence of an unsure photo is its best label's score.
        """
        values = list(probabilities)
        none = values.pop(self.card.none.index) if isinstance(self.card.none, NoneClass) else 0.0
        scores = dict(zip(self.labels, values, strict=True))
        best = max(scores, key=scores.__getitem__)
        needed = {**self.card.thresholds, **(min_confidence or {})}[best]
        if scores[best] < needed or scores[best] < none:
            return Judgement(None, scores[best], scores, "unsure")
        return Judgement(best, scores[best], scores, None)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise EngineError(
            f"{file} is missing: copy the model package again, or choose another with "
            "`beartray model use`"
        ) from None
    except OSError as error:
        raise EngineError(
            f"{file} cannot be read ({error.strerror}): check its access rights"
        ) from None
