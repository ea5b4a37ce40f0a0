"""The classifier that runs a package's model.onnx with onnxruntime, on one CPU core."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from PIL import Image

from trayapp.engine import EngineError
from trayapp.engine.card import MODEL_FILE
from trayapp.engine.package import ModelPackage
from trayapp.engine.preprocess import decode, prepare
from trayapp.engine.reading import Reader, one_line
from trayapp.photo import Verdict

# How many times the model's input a JPEG must keep when it is decoded at a fraction of its size.
# With models/bears, 7 camera photos and 31 others enlarged to 12 MP, against full decoding: at 4
# no verdict changes (|Δp| 0.003 on average, 0.035 at most), in 38 % of the time.
DRAFT = 4


class OnnxClassifier:
    """A loaded model. Not to be shared between threads."""

    def __init__(
        self,
        package: ModelPackage,
        min_confidence: Mapping[str, float] | None = None,
        *,
        threads: int = 1,
    ) -> None:
        """Load and try the model; raises `EngineError` if it does not fit its model.json."""
        self._package = package
        self._session = _start_session(package, threads)
        self._name = self._session.get_inputs()[0].name
        spec = package.card.input
        self._enough = DRAFT * max(spec.target) if spec.any_scale else None
        self._reader = Reader(package, min_confidence, self._answer, enough=self._enough)
        try:
            outputs = self.run(np.zeros((1, 3, spec.height, spec.width), np.float32))
        except Exception as error:
            raise _misfit(package, one_line(error)) from error
        if len(outputs) != package.card.outputs:
            raise _misfit(
                package, f"it gives {len(outputs)} numbers, model.json means {package.card.outputs}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        return self._package.labels

    def classify(self, path: Path) -> Verdict:
        """As `Reader.classify`."""
        return self._reader.classify(path)

    def outputs(self, path: Path) -> list[float]:
        """The model's raw outputs for a photo, decoded as `classify` does.

        Raises `UnreadableError`, and `OSError` when it cannot be opened.
        """
        return self._answer(decode(path, enough=self._enough)[0])

    def run(self, pixels: NDArray[np.float32]) -> list[float]:
        """The model's raw outputs for pixels of shape (1, 3, height, width)."""
        result: list[Any] = self._session.run(None, {self._name: pixels})
        return [float(value) for value in np.asarray(result[0]).reshape(-1)]

    def _answer(self, image: Image.Image) -> list[float]:
        return self.run(prepare(image, self._package))


def _start_session(package: ModelPackage, threads: int) -> ort.InferenceSession:
    ort.disable_telemetry_events()
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong comes as an exception
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    content = package.read(MODEL_FILE)
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a dozen kinds
        raise _misfit(package, one_line(error)) from error


def _misfit(package: ModelPackage, why: str) -> EngineError:
    return EngineError(
        f"{package.folder / MODEL_FILE} does not work with its model.json ({why}): "
        "copy the model package again, or choose another with `beartray model use`"
    )
