"""A torch network → ONNX that runs anywhere: plain padding, folded batch norms, the same bytes."""

from __future__ import annotations

import io
import math
import warnings
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from trayapp.engine import EngineError

OPSET = 17

_SAME = {"Conv2dSame": nn.Conv2d, "MaxPool2dSame": nn.MaxPool2d, "AvgPool2dSame": nn.AvgPool2d}
"""timm's layers with TensorFlow's "same" padding, and what they are but for it."""


def export(network: nn.Module, picture: Tensor) -> bytes:
    """ONNX of `network` for pictures of the shape of `picture`; the same network, the same bytes.

    Raises:
        EngineError: some layer has no counterpart in ONNX, or computes differently each time.
    """
    buffer = io.BytesIO()
    try:
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")  # the new exporter needs onnxscript, and folds less
            torch.onnx.export(
                network,
                (picture,),
                buffer,
                dynamo=False,
                opset_version=OPSET,
                input_names=["picture"],
                output_names=["logits"],
            )
        graph = onnx.load_from_string(buffer.getvalue())
        _strip(graph)
        onnx.checker.check_model(graph, full_check=True)
    except Exception as error:  # torch has a dozen kinds
        line = " ".join(str(error).split())[:160]
        raise EngineError(f"the learner's network cannot be written as ONNX ({line})") from error
    return bytes(graph.SerializeToString(deterministic=True))


def halve(model: bytes) -> bytes:
    """`model` with its weights stored in half precision and cast back when loaded: half the size.

    It still computes in single precision; the few numbers of one dimension stay as they are.
    """
    graph = onnx.load_from_string(model)
    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1 and np.abs(values).max(initial=0) < 6e4:
            name, half = tensor.name, f"{tensor.name}.half"
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(casts + nodes)
    return bytes(graph.SerializeToString(deterministic=True))


def plain_padding(network: nn.Module, picture: Tensor) -> None:
    """Make TensorFlow's "same" padding, which depends on the size of the input, plain padding.

    `network` is changed; it gives the same for all pictures of the shape of `picture`.
    """
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def note(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        sizes[module] = tuple(inputs[0].shape[-2:])

    layers = [m for m in network.modules() if type(m).__name__ in _SAME]
    hooks = [layer.register_forward_pre_hook(note) for layer in layers]
    with torch.inference_mode():
        network(picture)
    for hook in hooks:
        hook.remove()
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if child in sizes:
                setattr(parent, name, _plain(child, sizes[child]))


def _plain(layer: Any, size: tuple[int, int]) -> nn.Module:
    kind = type(layer).__name__
    kernel, stride = _pair(layer.kernel_size), _pair(layer.stride)
    dilation = _pair(getattr(layer, "dilation", 1))
    top, bottom = _padding(size[0], kernel[0], stride[0], dilation[0])
    left, right = _padding(size[1], kernel[1], stride[1], dilation[1])
    layer.__class__ = _SAME[kind]
    layer.padding = _pair(0)
    if kind == "Conv2dSame" and top == bottom and left == right:
        layer.padding = (top, left)
        return nn.Sequential(layer)
    empty = -math.inf if kind == "MaxPool2dSame" else 0.0
    return nn.Sequential(nn.ConstantPad2d((left, right, top, bottom), empty), layer)


def _padding(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    """Before and after, the odd one after (timm.layers.padding.pad_same)."""
    total = (math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size
    total = max(0, total)
    return total // 2, total - total // 2


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _strip(graph: Any) -> None:
    """Where a layer stood in a source file says something of the computer that exported it."""
    graph.doc_string = graph.graph.doc_string = ""
    graph.producer_version = ""
    for node in graph.graph.node:
        node.doc_string = ""
        if "metadata_props" in node.DESCRIPTOR.fields_by_name:
            del node.metadata_props[:]
