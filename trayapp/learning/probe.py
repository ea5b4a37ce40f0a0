"""Fits a new head to what a body that knows pictures already sees: a linear probe."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from trayapp.learning import network

ITERATIONS = 1000  # some hundred are enough; more only matter where classes can be told apart fully


def features(module: Any, batches: Iterable[Any]) -> NDArray[np.float32]:
    """What reaches the head, (pictures, channels), of batches of shape (n, 3, height, width)."""
    seen: list[Any] = []
    # A head that is a convolution sees a map; what it answers is averaged over that later.
    hook = network.head(module).register_forward_pre_hook(
        lambda _, given: (
            seen.append(given[0].float().cpu().flatten(2).mean(2))
            if given[0].ndim > 2
            else seen.append(given[0].float().cpu())
        )
    )
    module.eval()
    try:
        with torch.inference_mode():
            for batch in batches:
                module(batch)
    finally:
        hook.remove()
    found: NDArray[np.float32] = torch.cat(seen).numpy()
    return found


def fit_head(module: Any, seen: NDArray[np.float32], classes: NDArray[np.int64], c: float) -> None:
    """Set the head to the logistic regression of `classes` (n,) on `seen` (n, channels).

    `c` is the inverse of the regularisation's strength, on standardised features.
    """
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=ITERATIONS))
    scaler, regression = (step for _, step in pipeline.fit(seen, classes).steps)
    weight = regression.coef_ / scaler.scale_
    bias = regression.intercept_ - weight @ scaler.mean_
    if len(weight) == 1:  # of two classes, it is the second one against the first
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    last = network.head(module)
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(float(bias.min()))  # a class that is not among them is not expected
        for i, number in enumerate(regression.classes_):
            last.weight[number].copy_(torch.from_numpy(weight[i]).view_as(last.weight[number]))
            last.bias[number] = float(bias[i])
