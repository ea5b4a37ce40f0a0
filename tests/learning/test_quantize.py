"""Whole numbers are taken where they keep the answers, and are the same on every processor."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from trayapp.learning.export import halve
from trayapp.learning.quantize import FEWEST, choose, measure, quantize

pytestmark = pytest.mark.learning

Pixels = NDArray[np.float32]
SIDE = 16


def network(steepness: float = 8.0) -> bytes:
    """A small convolutional network that tells which of three colours a picture has most of."""
    random = np.random.default_rng(3)
    mix = np.eye(3, dtype=np.float32).repeat(8, 0) + random.normal(0, 0.1, (24, 3))
    back = np.eye(3, dtype=np.float32).repeat(8, 1) * steepness / 8
    weights = {
        "mix": mix.reshape(24, 3, 1, 1),
        "blur": np.full((24, 1, 3, 3), 1 / 9),
        "back": back,
        "none": np.zeros(3),
        "low": np.array(0.0),
        "high": np.array(6.0),
    }
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["picture", "mix"], ["mixed"]),
            helper.make_node("Clip", ["mixed", "low", "high"], ["positive"]),
            helper.make_node("Conv", ["positive", "blur"], ["blurred"], group=24, pads=[1] * 4),
            helper.make_node("GlobalAveragePool", ["blurred"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "back", "none"], ["logits"], transB=1),
        ],
        "colours",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(np.float32(v), name) for name, v in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def pictures(count: int, contrast: float = 1.0) -> list[Pixels]:
    """Pictures that each have one colour more than the others."""
    random = np.random.default_rng(5)
    made = []
    for number in range(count):
        picture = random.random((1, 3, SIDE, SIDE), np.float32) * 0.5
        picture[0, number % 3] += contrast * (0.2 + 0.3 * random.random())
        made.append(picture)
    return made


def weights_of(model: bytes) -> dict[str, NDArray[np.generic]]:
    graph = onnx.load_from_string(model).graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


def test_a_network_that_is_sure_of_its_answers_keeps_them() -> None:
    fp32 = network()
    found = measure(fp32, quantize(fp32, pictures(64)), pictures(200), "softmax", "int8")
    assert found.pictures == 200
    assert found.top1_agreement >= 0.995
    assert 0 < found.mean_abs_dp <= 0.01
    assert found.mean_abs_dp < found.max_abs_dp
    assert found.fp32_ms and found.ms


def test_the_same_network_and_photos_give_the_same_bytes() -> None:
    first, second = (quantize(network(), pictures(16)) for _ in range(2))
    assert first == second
    assert first != quantize(network(), pictures(16, contrast=2.0))


def test_no_two_neighbours_overflow_on_processors_without_vnni() -> None:
    """255 × (a + b) has to fit in 16 bits, with sign, for every pair of weights of either sign."""
    steps = [
        v for v in weights_of(quantize(network(), pictures(16))).values() if v.dtype == np.int8
    ]
    dense = [v for v in steps if v.ndim > 1 and v.shape[1] > 1]
    assert len(steps) >= 3
    assert len(dense) == 2
    for values in dense:
        rows = values.reshape(len(values), -1).astype(int)
        pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(rows), -1, 2)
        for signed in (pairs, -pairs):
            assert 255 * np.maximum(signed, 0).sum(2).max() < 2**15
        assert np.abs(values).max() > 60, "and no more than one bit is given up for it"


def test_half_precision_weights_halve_the_file_and_keep_the_answers() -> None:
    fp32 = network()
    half = halve(fp32)
    kinds = {name: values.dtype for name, values in weights_of(half).items()}
    assert kinds["mix.half"] == np.float16
    assert kinds["none"] == np.float32
    found = measure(fp32, half, pictures(50), "sigmoid", "fp16")
    assert found.top1_agreement == 1.0
    assert found.max_abs_dp < 0.01


def test_weights_too_large_for_half_precision_stay() -> None:
    assert "back.half" not in weights_of(halve(network(steepness=1e7)))


# The choice.


def test_answers_that_hang_on_a_hair_are_not_given_up() -> None:
    """The pictures hardly differ in colour, and the network makes much of what there is."""
    fp32 = network(steepness=4000.0)
    chosen = choose(fp32, pictures(200, contrast=0.01), "softmax")
    assert chosen.precision.weights != "int8"
    assert chosen.precision.reason.startswith("8-bit numbers ")
    assert "on average" in chosen.precision.reason or "first choice" in chosen.precision.reason


def test_too_few_photos_to_know_are_said_to_be_too_few() -> None:
    chosen = choose(network(), pictures(FEWEST - 1), "softmax")
    assert chosen.precision.weights == "fp16"
    assert chosen.model == halve(network())
    assert f"need {FEWEST} photos" in chosen.precision.reason
    assert choose(network(), [], "softmax").precision.weights == "fp16"


def test_slower_is_not_taken() -> None:
    """On a network as small as this one all the time goes into turning numbers into others."""
    chosen = choose(network(), pictures(FEWEST), "softmax")
    if chosen.precision.weights == "fp16":
        assert "times as fast" in chosen.precision.reason
    else:
        assert chosen.precision.fp32_ms and chosen.precision.ms
        assert chosen.precision.ms <= chosen.precision.fp32_ms
