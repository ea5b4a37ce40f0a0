"""The classifier that runs a package's learner.pkl, a fastai export, as `learn.predict` would.

Loading it runs its maker's code: only after `trust.check_consent`, only in an engine process.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from trayapp.engine import EngineError
from trayapp.engine.card import DEFINE_FILE, LEARNER_FILE
from trayapp.engine.operators import declare_torchvision_operators
from trayapp.engine.package import ModelPackage
from trayapp.engine.reading import Reader, one_line
from trayapp.engine.unpickle import load_learner
from trayapp.photo import Verdict

declare_torchvision_operators()

import torch  # noqa: E402
from fastai.vision.core import PILImage  # noqa: E402


class LearnerClassifier:
    """A loaded learner, on one CPU core. Not to be shared between threads."""

    def __init__(
        self, package: ModelPackage, min_confidence: Mapping[str, float] | None = None
    ) -> None:
        """Load and try the learner; raises `EngineError` if it does not fit its model.json."""
        torch.set_num_threads(1)
        self._package = package
        self._file = package.folder / LEARNER_FILE
        define = package.folder / DEFINE_FILE if DEFINE_FILE in package.card.files else None
        self._learner = load_learner(self._file, define)
        self._reader = Reader(package, min_confidence, self.run)
        spec = package.card.input
        try:
            outputs = self.run(Image.new("RGB", (spec.width, spec.height)))
        except Exception as error:  # it may hold whatever code its maker wrote
            raise self._misfit(one_line(error)) from error
        if len(outputs) != package.card.outputs:
            raise self._misfit(
                f"it gives {len(outputs)} numbers, model.json means {package.card.outputs}"
            )

    @property
    def labels(self) -> tuple[str, ...]:
        return self._package.labels

    def classify(self, path: Path) -> Verdict:
        """As `Reader.classify`; the photo comes in full size and upright."""
        return self._reader.classify(path)

    def run(self, image: Image.Image) -> list[float]:
        """The learner's raw outputs, before any activation, in the order of its vocab.

        What `Learner.predict` does (fastai/learner.py), less decoding the answer into words.
        """
        learner: Any = self._learner
        picture = PILImage.create(image)
        with learner.no_bar(), learner.no_logging():
            photos = learner.dls.test_dl([picture], num_workers=0)
            outputs, _ = learner.get_preds(dl=photos, act=lambda raw: raw)
        return [float(value) for value in outputs.reshape(-1)]

    def _misfit(self, why: str) -> EngineError:
        return EngineError(
            f"{self._file} does not work with its model.json ({why}): import it again with "
            "`beartray model import`, or choose another model with `beartray model use`"
        )
