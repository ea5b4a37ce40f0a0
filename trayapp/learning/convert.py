"""A fastai learner → the parts of a model package: network, input, activation and labels."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from trayapp.engine import EngineError
from trayapp.engine.card import Activation
from trayapp.learning.export import export, plain_padding
from trayapp.learning.pack import Converted, write_package
from trayapp.learning.transforms import read_transforms

__all__ = ["Converted", "convert", "write_package"]

_SOFTMAX = {"CrossEntropyLoss", "FocalLoss", "LabelSmoothingCrossEntropy"}
_SIGMOID = {"BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"}
"""Losses that say by their name what the outputs are, where they have no `activation`."""


def convert(learner: Any) -> Converted:
    """Compile a single- or multi-label vision learner; the learner itself is not changed.

    Raises:
        EngineError: something of it cannot be done without fastai, and what.
    """
    labels = _labels(learner)
    activation = _activation(learner.loss_func)
    threshold = float(getattr(learner.loss_func, "thresh", 0.5)) if activation == "sigmoid" else 0.0
    transforms = read_transforms(learner)
    spec = transforms.input
    network = _Plain(nn.Sequential(transforms.batch, copy.deepcopy(learner.model))).eval().float()
    picture = torch.zeros(1, 3, spec.height, spec.width)
    _check_outputs(network, picture, labels)
    plain_padding(network, picture)
    return Converted(export(network, picture), spec, activation, labels, threshold)


class _Plain(nn.Module):
    """Tensors of no special class go in and come out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        found = self.network(pictures)
        return found.as_subclass(Tensor) if isinstance(found, Tensor) else found


def _labels(learner: Any) -> tuple[str, ...]:
    vocab = getattr(learner.dls, "vocab", None)
    if vocab is None or any(isinstance(label, list | tuple) for label in vocab):
        raise EngineError(
            "the learner has no single list of labels: Beartray takes learners with one "
            "CategoryBlock or MultiCategoryBlock"
        )
    labels = tuple(str(label) for label in vocab)
    if len(labels) < 2 and type(learner.loss_func).__name__ != "BCEWithLogitsLossFlat":
        raise EngineError(f"the learner knows {len(labels)} labels; there is nothing to tell apart")
    return labels


def _activation(loss: Any) -> Activation:
    """What turns outputs into probabilities: fastai asks the loss, so it is tried out."""
    function, name = getattr(loss, "activation", None), type(getattr(loss, "func", loss)).__name__
    outputs = torch.tensor([[-2.0, 0.5, 3.0], [1.0, 1.0, -7.0]])
    if callable(function):
        found = torch.as_tensor(function(outputs.clone()))
        if found.shape == outputs.shape and torch.allclose(found, outputs.softmax(-1), atol=1e-6):
            return "softmax"
        if found.shape == outputs.shape and torch.allclose(found, outputs.sigmoid(), atol=1e-6):
            return "sigmoid"
    elif name in _SOFTMAX:
        return "softmax"
    elif name in _SIGMOID:
        return "sigmoid"
    raise EngineError(
        f"the learner's loss {name} gives neither softmax nor sigmoid probabilities: Beartray "
        "takes CrossEntropyLossFlat, FocalLossFlat, LabelSmoothingCrossEntropy and "
        "BCEWithLogitsLossFlat"
    )


def _check_outputs(network: nn.Module, picture: Tensor, labels: tuple[str, ...]) -> None:
    try:
        with torch.inference_mode():
            found = network(picture)
    except Exception as error:
        raise EngineError(
            f"the learner's network fails on a picture of its own size ({error})"
        ) from error
    if not isinstance(found, Tensor) or tuple(found.shape) != (1, len(labels)):
        shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
        raise EngineError(
            f"the learner's network gives {shape} for a picture and {len(labels)} labels; Beartray "
            f"takes one number for each label, (1, {len(labels)})"
        )
