"""What a training has found out: the values that model.json, the model card and the report show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from trayapp.engine.card import Metric, NoneClass, NoneThreshold
from trayapp.learning import evaluate
from trayapp.learning.calibrate import Fit
from trayapp.learning.dataset import NONE, NONE_FOLDERS, Dataset, Picture
from trayapp.learning.recipe import Recipe

History = Sequence[tuple[int, float, float | None, float | None]]
"""Rows of epoch, loss, and on what is held back loss and the share that is right."""


@dataclass(frozen=True)
class Asked:
    """Pictures that a learner was asked about which had not learnt from them.

    `outputs` (n, classes) in the order of `vocab`; `folds` (n,) says which training held it back.
    """

    pictures: tuple[Picture, ...]
    outputs: NDArray[np.float64]
    folds: NDArray[np.int64]
    vocab: tuple[str, ...]

    @property
    def truth(self) -> list[str | None]:
        return [picture.label for picture in self.pictures]

    @property
    def kinds(self) -> list[str]:
        return [picture.kind for picture in self.pictures]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(name for name in self.vocab if name != NONE)

    @property
    def none(self) -> NoneClass | NoneThreshold:
        return NoneClass(self.vocab.index(NONE)) if NONE in self.vocab else NoneThreshold()

    def probabilities(self, temperature: float = 1.0) -> NDArray[np.float64]:
        """Calibrated, of the same shape as `outputs`."""
        return evaluate.probabilities(self.outputs, "softmax", temperature)


@dataclass(frozen=True)
class Suspect:
    """A picture whose label is probably wrong, and what it more probably is."""

    picture: Picture
    probability: float
    other: str
    other_probability: float


@dataclass(frozen=True)
class Outcome:
    """What becomes of some pictures: treated rightly (filed, or left alone if none of these),
    filed wrongly, or left alone though they have a label.
    """

    right: int
    wrong: int
    left: int

    @classmethod
    def of(cls, said: Sequence[str | None], truth: Sequence[str | None]) -> Outcome:
        pairs = list(zip(said, truth, strict=True))
        right = sum(label == true for label, true in pairs)
        left = sum(label is None and true is not None for label, true in pairs)
        return cls(right, len(pairs) - right - left, left)


@dataclass(frozen=True)
class Findings:
    """All that is known at the end of a training."""

    name: str
    dataset: Dataset
    asked: Asked
    fit: Fit
    metrics: tuple[Metric, ...]
    recipe: Recipe
    folds: str
    seed: int
    weights: str | None
    licence: str
    histories: tuple[History, ...]

    @cached_property
    def answers(self) -> evaluate.Answers:
        """Calibrated, of the pictures asked about."""
        values = self.asked.probabilities(self.fit.calibration.temperature)
        return evaluate.answers(values, self.asked.labels, self.asked.none)

    @cached_property
    def raw_answers(self) -> evaluate.Answers:
        """As `answers`, before calibration."""
        return evaluate.answers(self.asked.probabilities(), self.asked.labels, self.asked.none)

    @cached_property
    def filed(self) -> NDArray[np.bool_]:
        return self.answers.filed(self.fit.thresholds)

    def mistakes(self) -> list[int]:
        """Positions of pictures that get filed wrongly, the most confident first."""
        wrong = np.flatnonzero(self.filed & ~self.answers.right(self.asked.truth))
        return [int(i) for i in wrong[np.argsort(-self.answers.confidence[wrong], kind="stable")]]

    def suspects(self) -> list[Suspect]:
        """Labels that are probably wrong, the most probably first.

        Confident learning (Northcutt et al. 2021, arXiv:1911.00068): a picture is suspected if
        it is more probably of another class than that class's own pictures are on average.
        """
        values = self.asked.probabilities(self.fit.calibration.temperature)
        given = np.array([self.asked.vocab.index(label or NONE) for label in self.asked.truth])
        usual = [
            float(values[given == i, i].mean()) if (given == i).any() else 1.0
            for i in range(len(self.asked.vocab))
        ]
        others = np.where(np.arange(values.shape[1]) == given[:, None], -1.0, values)
        other = others.argmax(axis=1)
        found = [
            Suspect(
                self.asked.pictures[i],
                float(values[i, given[i]]),
                self.asked.vocab[other[i]],
                float(values[i, other[i]]),
            )
            for i in range(len(values))
            if values[i, other[i]] >= usual[other[i]]
        ]
        return sorted(found, key=lambda item: item.probability - item.other_probability)

    def put_right(self) -> tuple[Outcome, Outcome] | None:
        """On the pictures that a person had put right and that were held back: how the model
        before did and how this one does. None where there are no such pictures.
        """
        here = [i for i, picture in enumerate(self.asked.pictures) if picture.before]
        if not here:
            return None
        best = [self.answers.labels[i] for i in self.answers.best]
        before = [
            None if (said := self.asked.pictures[i].before) in NONE_FOLDERS else said for i in here
        ]
        now = [best[i] if self.filed[i] else None for i in here]
        truth = [self.asked.truth[i] for i in here]
        return Outcome.of(before, truth), Outcome.of(now, truth)
