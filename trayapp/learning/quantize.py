"""Makes a network smaller and faster with 8-bit numbers, and takes it only if the answers stay."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from scipy.special import expit, softmax

from trayapp.engine.card import Activation, Precision, Weights
from trayapp.learning.export import halve

Pixels = NDArray[np.float32]
"""A prepared picture of shape (1, 3, height, width), as `preprocess.prepare` gives it."""

AGREEMENT, DISTANCE = 0.995, 0.01
"""Least share of pictures with the same first choice, largest mean |Δp|: else fp32 stays."""
WORTH_IT = 1.1  # as fast; half the file is worth it, too, where it is not slower
LEARN_FROM = 128  # pictures for the ranges of the activations; more hardly widen them
FEWEST = 40  # pictures: with half of these, a change of 1 in 20 would still be seen


@dataclass(frozen=True, slots=True)
class Choice:
    """The network to ship, and why this one."""

    model: bytes
    precision: Precision


def choose(fp32: bytes, pictures: Sequence[Pixels], activation: Activation) -> Choice:
    """int8 if it keeps the answers and is worth it, else half-precision weights, else `fp32`.

    `pictures` are real ones, as the model will see them (any sequence; each is asked for a few
    times). Half of them give the ranges, the answers are compared on the other half.
    """
    learned, held = pictures[::2][:LEARN_FROM], pictures[1::2]
    half = halve(fp32)
    if len(pictures) < FEWEST:
        reason = f"8-bit numbers need {FEWEST} photos to be tried with; there were {len(pictures)}"
    else:
        int8 = quantize(fp32, learned)
        found = measure(fp32, int8, held, activation, "int8")
        objection = _objection(found, len(int8) / len(half))
        if objection is None:
            return Choice(int8, found)
        reason = f"8-bit numbers {objection}"
    found = measure(fp32, half, held, activation, "fp16", reason)
    if _objection(found) is None:
        return Choice(half, found)
    return Choice(fp32, Precision("fp32", f"{reason}; half-precision weights change answers, too"))


def quantize(fp32: bytes, pictures: Sequence[Pixels]) -> bytes:
    """The ONNX network `fp32` with 8-bit weights (one scale a channel) and activations.

    Quantize and dequantize nodes (QDQ) that onnxruntime fuses; the activations' ranges are the
    least and greatest values seen on `pictures`. The same input gives the same bytes.
    Activations are unsigned and weights signed, the pair that x86-64 has instructions for
    (onnxruntime.ai/docs/performance/model-optimizations/quantization.html). Processors with and
    without VNNI give the same answers: see `_scales`.
    """
    with tempfile.TemporaryDirectory() as folder, _quiet():
        given, ready, made = (Path(folder) / name for name in ("given", "ready", "made"))
        given.write_bytes(fp32)
        # Folds constants and batch norms first. The symbolic shapes need sympy, and ours are fixed.
        quant_pre_process(str(given), str(ready), skip_symbolic_shape=True)
        scales = _overrides(onnx.load(ready))
        quantize_static(
            str(ready),
            str(made),
            _Reader(_input_name(fp32), pictures),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"TensorQuantOverrides": scales},
        )
        graph = onnx.load(made)
    return bytes(graph.SerializeToString(deterministic=True))


def measure(
    fp32: bytes,
    other: bytes,
    pictures: Sequence[Pixels],
    activation: Activation,
    weights: Weights,
    reason: str = "",
) -> Precision:
    """How far the answers of `other` are from those of `fp32`, and how long each takes."""
    sessions = [_session(fp32), _session(other)]
    answers: list[list[NDArray[np.float64]]] = [[], []]
    seconds: list[list[float]] = [[], []]
    for pixels in pictures:
        for session, given, took in zip(sessions, answers, seconds, strict=True):
            began = time.perf_counter()
            outputs = session.run(None, {session.get_inputs()[0].name: pixels})
            took.append(time.perf_counter() - began)
            given.append(np.asarray(outputs[0], np.float64).reshape(-1))
    if not answers[0]:
        return Precision(weights, reason)
    one, two = (_activate(np.array(given), activation) for given in answers)
    distance = np.abs(one - two)
    before, now = (round(1e3 * float(np.median(took)), 2) for took in seconds)
    return Precision(
        weights,
        reason or f"8-bit numbers keep the answers, {before / now:.1f} times as fast",
        len(one),
        round(float((one.argmax(1) == two.argmax(1)).mean()), 4),
        round(float(distance.mean()), 5),
        round(float(distance.max()), 3),
        before,
        now,
    )


def _objection(found: Precision, size: float = 0.0) -> str | None:
    """Why not to take what was measured, `size` times as large as what it would replace."""
    if found.top1_agreement < AGREEMENT:
        return f"change the first choice on {1 - found.top1_agreement:.1%} of {found.pictures}"
    if found.mean_abs_dp > DISTANCE:
        return f"move the probabilities by {found.mean_abs_dp:.3f} on average"
    gain = (found.fp32_ms or 1) / (found.ms or 1)
    if size and gain < (1.0 if size <= 0.6 else WORTH_IT):
        return f"are only {gain:.2f} times as fast"
    return None


def _overrides(graph: Any) -> dict[str, list[dict[str, Any]]]:
    """For each weight that is multiplied in pairs, its scales in the words of onnxruntime."""
    weights = {tensor.name: tensor for tensor in graph.graph.initializer}
    found = {}
    for node in graph.graph.node:
        if node.op_type not in {"Conv", "Gemm"} or node.input[1] not in weights:
            continue
        values = numpy_helper.to_array(weights[node.input[1]])
        turned = node.op_type == "Gemm" and not _attribute(node, "transB")
        rows = values.T if turned else values
        if rows.ndim == 4 and rows.shape[1] == 1:  # depthwise: summed in 32 bits from the start
            continue
        each = [
            {"quant_type": QuantType.QInt8, "scale": scale, "zero_point": np.int8(0)}
            for scale in _scales(rows)
        ]
        each[0]["axis"] = int(turned)
        found[node.input[1]] = each
    return found


def _scales(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """A scale for each row of weights (outputs, inputs…): what one step of 8 bits stands for.

    Processors without VNNI add the products of two neighbours in 16 bits, which saturate
    (VPMADDUBSW, Intel SDM vol. 2). So two neighbours' steps may come to 127 together, 128 when
    rounded: 255 × 128 < 2¹⁵. Of a kernel, neighbours lie along its inputs or in its plane,
    depending on the layout that onnxruntime chooses.
    """
    layouts = [weights.reshape(len(weights), -1)]
    if weights.ndim == 4:
        layouts.append(weights.transpose(0, 2, 3, 1).reshape(len(weights), -1))
    largest = np.abs(layouts[0]).max(1)
    for rows in layouts:
        even = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
        for signed in (even, -even):
            together = np.maximum(signed, 0).reshape(len(rows), -1, 2).sum(2).max(1)
            largest = np.maximum(largest, together)
    # A dead row's scale would be so small that its bias, in steps of it, did not fit in 32 bits.
    return np.asarray(np.maximum(largest, 1e-5 * largest.max(initial=1e-6)) / 127, np.float32)


def _attribute(node: Any, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)


class _Reader(CalibrationDataReader):
    """Hands onnxruntime one picture after the other."""

    def __init__(self, name: str, pictures: Sequence[Pixels]) -> None:
        self._name = name
        self._pictures = iter(pictures)

    def get_next(self) -> dict[str, Pixels] | None:
        pixels = next(self._pictures, None)
        return None if pixels is None else {self._name: pixels}


def _session(model: bytes) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _input_name(model: bytes) -> str:
    return str(_session(model).get_inputs()[0].name)


def _activate(outputs: NDArray[np.float64], activation: Activation) -> NDArray[np.float64]:
    chosen = expit(outputs) if activation == "sigmoid" else softmax(outputs, axis=1)
    return np.asarray(chosen)


@contextmanager
def _quiet() -> Iterator[None]:
    """onnxruntime's tools give advice on the root logger, none of it for people."""
    root, before = logging.getLogger(), logging.getLogger().level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(before)
