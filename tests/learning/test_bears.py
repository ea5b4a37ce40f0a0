"""The shipped model answers as the learner does that it was converted from."""

from __future__ import annotations

import csv

import pytest

from tests.helpers import skip
from tests.program import ROOT
from trayapp.engine.card import LEARNER_FILE
from trayapp.engine.package import ModelPackage

pytestmark = pytest.mark.learning

BEARS = ROOT.parent / "shared" / "bears"
SAMPLE = 300


def test_the_learner_and_the_model_give_the_same_answers() -> None:
    from trayapp.engine.unpickle import load_learner
    from trayapp.learning.parity import compare

    if not (BEARS / "labels.csv").is_file():
        skip("needs the bear photos beside the checkout (../shared/bears)")
    with (BEARS / "labels.csv").open(newline="") as stream:
        photos = [BEARS / row["file"] for row in csv.DictReader(stream)]
    package = ModelPackage.load(ROOT / "models" / "bears")
    learner = load_learner(package.folder / LEARNER_FILE)
    found = compare(learner, package, photos[:: len(photos) // SAMPLE])
    assert found.pictures >= SAMPLE
    assert found.top1_agreement >= 0.995
    assert found.mean_abs_dp <= 0.01
