"""Makes the tests' model: it tells red, green and blue pictures apart (needs the `onnx` package).

    python tests/models/make_colours.py

Red is a "grizzly", green a "black" and blue a "teddy" bear; what has no strong colour is none of
them. Real network, real engine, and every test knows what the answer has to be.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import onnx
from onnx import TensorProto, helper

FOLDER = Path(__file__).parent / "colours"
SIDE = 32  # pixels
STEEP = 40.0
NONE_LOGIT = 10.0  # a channel has to stand out by a quarter of the scale


def network() -> onnx.ModelProto:
    """Mean colour of the picture, then one logit a channel, and a constant one for "none"."""
    rows = [[1.0, -0.5, -0.5], [-0.5, 1.0, -0.5], [-0.5, -0.5, 1.0], [0.0, 0.0, 0.0]]
    weights = [STEEP * value for row in rows for value in row]
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["image"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["colour"]),
            helper.make_node("Gemm", ["colour", "weights", "bias"], ["logits"], transB=1),
        ],
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 4])],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, [4, 3], weights),
            helper.make_tensor("bias", TensorProto.FLOAT, [4], [0.0, 0.0, 0.0, NONE_LOGIT]),
        ],
    )
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=9, producer_name="beartray")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    data = network().SerializeToString(deterministic=True)
    (FOLDER / "model.onnx").write_bytes(data)
    labels = ["grizzly", "black", "teddy"]
    card = {
        "format": 1,
        "name": "colours",
        "description": "For tests: red, green and blue pictures.",
        "labels": labels,
        "input": {
            "width": SIDE,
            "height": SIDE,
            "resize": "squish",
            "resampling": "bilinear",
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
        },
        "activation": "softmax",
        "thresholds": dict.fromkeys(labels, 0.5),
        "none": {"kind": "class", "index": 3},
        "licence": "MIT",
        "provenance": "made by tests/models/make_colours.py",
        "files": {"model.onnx": hashlib.sha256(data).hexdigest()},
    }
    (FOLDER / "model.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
