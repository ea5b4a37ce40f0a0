"""The classifier that runs a package's model.onnx with onnxruntime, on one CPU core."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from trayapp.engine import EngineError, printable
from trayapp.engine.card import MODEL_FILE
from trayapp.engine.package import ModelPackage
from trayapp.engine.preprocess import UnreadableError, decode, prepare
from trayapp.photo import NotAPhotoError, Photo, Verdict

# How many times the model's input a JPEG must keep when it is decoded at a fraction of its size.
# With models/bears, 7 camera photos and 160 bears enlarged 4 or 8 times, against full decoding:
# at 4 no verdict changes (|Δp| 0.001 on average, 0.024 at most); at 2 two of the 167 do (0.034).
DRAFT = 4

# 0 where the system has no such flag. NOFOLLOW and NONBLOCK are for a link or a pipe put there
# between looking and opening.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


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
        self._min_confidence = dict(min_confidence or {})
        self._session = _start_session(package, threads)
        spec = package.card.input
        self._enough = round(DRAFT * max(spec.width, spec.height) / spec.crop_pct)
        try:
            outputs = self.run(np.zeros((1, 3, spec.height, spec.width), np.float32))
        except Exception as error:
            raise _misfit(package, _line(error)) from error
        if len(outputs) != package.card.outputs:
            raise _misfit(
                package, f"it gives {len(outputs)} numbers, model.json means {package.card.outputs}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        return self._package.labels

    def classify(self, path: Path) -> Verdict:
        """Look at one photo; whatever is wrong with it is said in an "unreadable" verdict.

        `seen` is taken from the open file, before and after reading it.
        """
        try:
            return self._classify(path)
        except (UnreadableError, NotAPhotoError) as error:
            return _unreadable(str(error))
        except MemoryError:
            return _unreadable(f"{printable(path.name)} needs more memory than the engine may use")
        except OSError as error:
            return _unreadable(_cannot_open(printable(path.name), error))

    def _classify(self, path: Path) -> Verdict:
        with _open(path) as file:
            seen = Photo.from_stat(path, os.fstat(file.fileno()))
            image, taken, error = None, None, ""
            try:
                image, taken = decode(file, name=path.name, enough=self._enough)
            except UnreadableError as unreadable:
                error = str(unreadable)
            if not seen.is_same_file(Photo.from_stat(path, os.fstat(file.fileno()))):
                return _unreadable(f"{printable(path.name)} changed while it was read")
        if image is None:
            return replace(_unreadable(error), seen=seen)
        return self._judge(prepare(image, self._package), path.name, taken, seen)

    def _judge(
        self, pixels: NDArray[np.float32], name: str, taken: datetime | None, seen: Photo
    ) -> Verdict:
        outputs = self.run(pixels)
        if not all(map(math.isfinite, outputs)):
            return replace(_unreadable(f"the model has no answer for {printable(name)}"), seen=seen)
        found = self._package.judge(self._package.probabilities(outputs), self._min_confidence)
        return Verdict(
            found.label, found.confidence, found.scores, found.reason, taken=taken, seen=seen
        )

    def run(self, pixels: NDArray[np.float32]) -> list[float]:
        """The model's raw outputs for pixels of shape (1, 3, height, width)."""
        result: list[Any] = self._session.run(None, {self._session.get_inputs()[0].name: pixels})
        return [float(value) for value in np.asarray(result[0]).reshape(-1)]


def _open(path: Path) -> BinaryIO:
    Photo.at(path)  # refuses links, pipes and devices: opening some of them has effects
    return os.fdopen(os.open(path, _FLAGS), "rb")


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
        raise _misfit(package, _line(error)) from error


def _misfit(package: ModelPackage, why: str) -> EngineError:
    return EngineError(
        f"{package.folder / MODEL_FILE} does not work with its model.json ({why}): "
        "copy the model package again, or choose another with `beartray model use`"
    )


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 160 else text[:159] + "…"


def _unreadable(error: str) -> Verdict:
    return Verdict(None, None, reason="unreadable", error=error)


def _cannot_open(name: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{name} is not there"
    if isinstance(error, PermissionError):
        return f"{name} may not be read: permission denied"
    if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):  # put there just now
        return f"{name} is not a regular file; Beartray leaves it alone"
    return f"{name} could not be read: {error.strerror or error}"
