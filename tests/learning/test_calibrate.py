"""Thresholds keep the promise that they were chosen for, also on photos nobody has seen."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.engine.conftest import BEARS
from trayapp.engine.card import Activation, Calibration, NoneClass, NoneThreshold
from trayapp.engine.package import ModelPackage
from trayapp.learning.calibrate import FLOOR, SAFE, Fit, cross_fitted, fit, safe
from trayapp.learning.evaluate import (
    answers,
    calibration_error,
    confusion,
    curve,
    first_choice,
    probabilities,
    reliability,
    tally,
)

pytestmark = pytest.mark.learning

LABELS = ("ball", "doll")
NONE = NoneClass(1)
Truth = list[str | None]


def world(
    photos: int, seed: int, none_share: float = 0.3, sharpness: float = 3.0, warmth: float = 1.0
) -> tuple[NDArray[np.float64], Truth]:
    """Outputs (ball, none, doll) of an honest model, too sure of itself by `warmth`."""
    random = np.random.default_rng(seed)
    outputs = random.normal(0, sharpness, (photos, 3))
    outputs[:, 1] += np.log(none_share / (1 - none_share))
    chances = probabilities(outputs, "softmax")
    names: Truth = ["ball", None, "doll"]
    drawn = (random.random((photos, 1)) > chances.cumsum(axis=1)).sum(axis=1)
    truth = [names[number] for number in drawn]
    return outputs * warmth, truth


def rightly_filed(found: Fit, outputs: NDArray[np.float64], truth: Truth) -> dict[str, float]:
    """Of what gets filed under each label, the share that is right."""
    values = probabilities(outputs, "softmax", found.calibration.temperature)
    said = answers(values, LABELS, NONE)
    filed, right = said.filed(found.thresholds), said.right(truth)
    return {label: float(right[filed & (said.best == i)].mean()) for i, label in enumerate(LABELS)}


@pytest.mark.parametrize("target", [0.9, 0.98])
def test_the_promise_is_kept_on_photos_nobody_has_seen(target: float) -> None:
    fresh = world(60_000, seed=1, sharpness=6.0)
    kept = 0
    for seed in range(2, 22):
        found = fit(*world(2000, seed, sharpness=6.0), LABELS, NONE, "softmax", target=target)
        assert found.notes == ()
        kept += all(share >= target for share in rightly_filed(found, *fresh).values())
    assert kept >= 16, "each of two labels may fail once in twenty"


def test_a_model_that_is_too_sure_is_cooled_down() -> None:
    outputs, truth = world(3000, 1, warmth=3.0)
    found = fit(outputs, truth, LABELS, NONE, "softmax").calibration
    assert found.temperature == pytest.approx(3.0, rel=0.1)
    assert found.ece_before is not None
    assert found.ece_after is not None
    assert found.ece_after < 0.02 < found.ece_before
    assert (found.photos, found.target) == (3000, 0.98)
    assert found.none_share == pytest.approx(truth.count(None) / 3000, abs=1e-4)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_model_without_a_class_for_none(activation: Activation) -> None:
    outputs, truth = world(3000, 1)
    found = fit(outputs[:, [0, 2]], truth, LABELS, NoneThreshold(), activation)
    values = probabilities(outputs[:, [0, 2]], activation, found.calibration.temperature)
    said = answers(values, LABELS, NoneThreshold())
    filed = said.filed(found.thresholds)
    for number, label in enumerate(LABELS):
        right = said.right(truth)[filed & (said.best == number)]
        assert right.mean() >= 0.98 or any(note.startswith(label) for note in found.notes)
        assert right.mean() >= 0.9


def test_negatives_that_get_filed_count() -> None:
    outputs = np.tile([4.0, 0.0, 0.0], (1000, 1)) + np.linspace(0, 1, 1000)[:, None] * [1, 0, 0]
    knows = fit(outputs, ["ball"] * 1000, LABELS, NONE, "softmax")
    assert FLOOR <= knows.thresholds["ball"] <= 0.75, "all above 0.95 are right, none is below"
    mixed: Truth = [None if i < 300 else "ball" for i in range(1000)]
    learns = fit(outputs, mixed, LABELS, NONE, "softmax")
    values = probabilities(outputs, "softmax", learns.calibration.temperature)
    filed = answers(values, LABELS, NONE).filed(learns.thresholds)
    assert filed[310:].all()
    assert filed[:300].sum() <= 10


def test_a_folder_with_more_that_is_none_of_these_needs_more_confidence() -> None:
    outputs, truth = world(4000, 3)
    found = [
        fit(outputs, truth, LABELS, NONE, "softmax", none_share=share).thresholds["ball"]
        for share in (0.05, 0.3, 0.8)
    ]
    assert found[0] < found[1] < found[2]


@given(seed=st.integers(0, 10_000), photos=st.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_a_higher_target_never_gives_a_lower_threshold(seed: int, photos: int) -> None:
    outputs, truth = world(photos, seed)
    before = dict.fromkeys(LABELS, 0.0)
    for target in (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999):
        found = fit(outputs, truth, LABELS, NONE, "softmax", target=target)
        for label in LABELS:
            assert max(FLOOR, before[label]) <= found.thresholds[label] <= 1
        before = dict(found.thresholds)


def test_few_photos_give_a_safe_threshold_and_say_so() -> None:
    outputs, truth = world(30, 5)
    found = fit(outputs, truth, LABELS, NONE, "softmax")
    assert min(found.thresholds.values()) >= SAFE
    assert len(found.notes) == 2
    for label, note in zip(LABELS, found.notes, strict=True):
        assert note.startswith(f"{label}: ")
        assert "photos cannot show that 98 % are right; files from 0.9" in note
    tiny = fit(outputs[:3], truth[:3], LABELS, NONE, "softmax")
    assert tiny.calibration.temperature == 1
    assert tiny.notes[0] == "3 photos are too few for a temperature: left at 1"
    none = fit(np.zeros((0, 3)), [], LABELS, NONE, "softmax")
    assert none == safe(LABELS)
    assert dict(none.thresholds) == {"ball": SAFE, "doll": SAFE}
    assert none.calibration == Calibration()


def test_without_a_mistake_it_does_not_become_surer() -> None:
    outputs = np.array([[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0]] * 100)
    truth: Truth = ["ball", None, "doll"] * 100
    assert fit(outputs, truth, LABELS, NONE, "softmax").calibration.temperature >= 1


def test_a_label_that_is_mostly_wrong_is_hardly_ever_filed() -> None:
    outputs = np.array([[5.0, 0, 0]] * 50)
    found = fit(outputs, [None] * 40 + ["ball"] * 10, LABELS, NONE, "softmax")
    assert found.thresholds["ball"] > float(probabilities(outputs, "softmax", 8.0)[0, 0])
    assert (
        answers(probabilities(outputs, "softmax", found.calibration.temperature), LABELS, NONE)
        .filed(found.thresholds)
        .sum()
        == 0
    )


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="expected"):
        fit(np.zeros((2, 3)), ["ball"], LABELS, NONE, "softmax")
    with pytest.raises(ValueError, match="expected"):
        fit(np.zeros((1, 3)), ["ball"], LABELS, NoneThreshold(), "softmax")


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3), st.floats(0.3, 5))
@settings(deadline=None)
def test_the_engine_decides_as_was_calculated(outputs: list[float], temperature: float) -> None:
    bears = ModelPackage.load(BEARS, verify=False)
    card = msgspec.structs.replace(
        bears.card,
        labels=LABELS,
        thresholds={"ball": 0.5, "doll": 0.7},
        none=NONE,
        calibration=Calibration(temperature),
        activation="softmax",
    )
    package = ModelPackage(Path(), card)
    judged = package.judge(package.probabilities(outputs))
    values = probabilities(np.array([outputs]), "softmax", temperature)
    said = answers(values, LABELS, NONE)
    assert LABELS[said.best[0]] == max(judged.scores, key=judged.scores.__getitem__)
    assert bool(said.filed(card.thresholds)[0]) == (judged.label is not None)
    assert said.confidence[0] == pytest.approx(judged.confidence)


def test_measures_by_hand() -> None:
    values = np.array([[0.9, 0.05, 0.05], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.1, 0.8]])
    truth: Truth = ["ball", None, None, "ball"]
    said = answers(values, LABELS, NONE)
    thresholds = {"ball": 0.55, "doll": 0.9}
    assert said.filed(thresholds).tolist() == [True, True, False, False]
    assert confusion(said, truth, thresholds).tolist() == [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    assert first_choice(said, truth) == 0.5
    kinds = ["web", "pets/cats", "pets/dogs", "web"]
    rows = [
        (m.data, m.photos, m.filed, m.right, m.best) for m in tally(said, truth, kinds, thresholds)
    ]
    assert rows == [
        ("pets", 2, 1, 0, 0),
        ("pets/cats", 1, 1, 0, 0),
        ("pets/dogs", 1, 0, 0, 0),
        ("web", 2, 1, 1, 1),
    ]
    bins = reliability(said, truth)
    assert sum(part.photos for part in bins) == 4
    # Confidences 0.9, 0.6, 0.7 (rightly refused) and 0.8, of which the first and third are right.
    assert calibration_error(bins) == pytest.approx((0.1 + 0.6 + 0.3 + 0.8) / 4)
    points = curve(said, truth)
    assert points[0].filed == 1
    assert points[0].refused == 0.5
    assert points[-1].filed == 0
    assert points[-1].right == 1


def test_measured_on_others_than_the_thresholds_were_chosen_on() -> None:
    outputs, truth = world(2000, 7)
    kinds = ["none" if label is None else "photos" for label in truth]
    parts = np.arange(2000) % 5
    rows = cross_fitted(outputs, truth, kinds, parts, LABELS, NONE, "softmax", target=0.95)
    assert [(row.data, row.photos) for row in rows] == [
        ("none", truth.count(None)),
        ("photos", 2000 - truth.count(None)),
    ]
    filed = sum(row.filed for row in rows)
    assert sum(row.right for row in rows) / filed >= 0.94
    assert filed > 500
