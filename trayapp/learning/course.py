"""The trainings of one run, one after the other, each picked up where it was stopped."""

from __future__ import annotations

import gc
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trayapp.learning import teach
from trayapp.learning.findings import Asked, History
from trayapp.learning.pictures import Copies
from trayapp.learning.progress import Progress
from trayapp.learning.recipe import Recipe
from trayapp.learning.split import Fold


class Course:
    """The trainings of one run, each of which may have been done before."""

    def __init__(
        self, recipe: Recipe, seed: int, work: Path, copies: Copies, progress: Progress
    ) -> None:
        self._recipe, self._seed, self._work = recipe, seed, work
        self._copies, self._progress = copies, progress
        self._only: teach.Taught | None = None

    def ask(self, folds: Sequence[Fold]) -> Asked:
        """Train each fold and ask it about what it has not seen."""
        rows = [self._ask(number, fold, len(folds)) for number, fold in enumerate(folds)]
        places = np.concatenate([fold.test for fold in folds])
        order = np.argsort(places)
        numbers = np.repeat(np.arange(len(folds)), [len(fold.test) for fold in folds])
        pictures = self._copies.dataset.pictures
        return Asked(
            tuple(pictures[i] for i in places[order]),
            np.concatenate(rows)[order],
            numbers[order],
            self._copies.dataset.vocab,
        )

    def _ask(self, number: int, fold: Fold, count: int) -> NDArray[np.float64]:
        file = self._work / f"fold-{number}.npy"
        if file.is_file():
            return np.asarray(np.load(file), np.float64)
        of = f" {number + 1} of {count}" if count > 1 else ""
        taught = teach.teach(self._lesson(f"Training{of}", number, fold, count), self._progress)
        self._keep(taught, number)
        pictures = [self._copies.dataset.pictures[i] for i in fold.test]
        found = teach.outputs(taught.learner, pictures, f"Testing{of}", self._progress)
        temporary = file.with_suffix(".part.npy")
        np.save(temporary, found)
        temporary.replace(file)
        if count == 1:
            self._only = taught
            return found
        self._checkpoint(number).unlink()
        del taught
        gc.collect()  # a learner is a web of cycles that holds the pictures of its last batch
        return found

    def last(self, folds: Sequence[Fold]) -> teach.Taught:
        """The learner to keep: taught everything where there are folds."""
        if len(folds) == 1:
            return self._only or teach.teach(self._lesson("Training", 0, folds[0]), self._progress)
        everything = np.arange(len(self._copies.files))
        fold = Fold(everything, everything[:0])
        taught = teach.teach(self._lesson("Training the last", len(folds), fold), self._progress)
        self._keep(taught, len(folds))
        return taught

    def histories(self, folds: Sequence[Fold]) -> tuple[History, ...]:
        count = len(folds) + (len(folds) > 1)
        files = [self._work / f"fold-{number}.json" for number in range(count)]
        return tuple(json.loads(file.read_text(encoding="utf-8")) for file in files)

    def _keep(self, taught: teach.Taught, number: int) -> None:
        file = self._work / f"fold-{number}.json"
        file.write_text(json.dumps(taught.history), encoding="utf-8")

    def _checkpoint(self, number: int) -> Path:
        return self._work / f"fold-{number}.pt"

    def _lesson(self, name: str, number: int, fold: Fold, count: int = 1) -> teach.Lesson:
        return teach.Lesson(
            name=name,
            files=self._copies.files,
            train=fold.train,
            # One training is watched as it goes; of many, each is asked once, at its end.
            valid=fold.test if count == 1 else fold.test[:0],
            vocab=self._copies.dataset.vocab,
            recipe=self._recipe,
            seed=self._seed + 100_000 * number,
            checkpoint=self._checkpoint(number),
        )
