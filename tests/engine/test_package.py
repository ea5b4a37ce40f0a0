"""A model package is believed only if it is whole and says what it must."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.conftest import BEARS
from trayapp.engine import EngineError
from trayapp.engine.card import Calibration, Metric, NoneClass, NoneThreshold
from trayapp.engine.package import ModelPackage

Write = Callable[..., Path]
Card = dict[str, Any]


def complaint(folder: Path) -> str:
    with pytest.raises(EngineError) as caught:
        ModelPackage.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(f"{folder}/", "")


def test_a_sound_package_loads(card: Card, write_package: Write) -> None:
    package = ModelPackage.load(write_package(card))
    assert package.name == "toys"
    assert package.labels == ("ball", "doll")
    assert package.card.outputs == 3
    assert package.read("model.onnx") == b"a model"


def test_the_bears_are_whole() -> None:
    package = ModelPackage.load(BEARS)
    assert package.labels == ("black", "grizzly", "teddy")
    (web,) = (metric for metric in package.card.metrics if metric.data == "web")
    assert web.right / web.filed >= 0.95


def test_no_package_there(tmp_path: Path) -> None:
    assert complaint(tmp_path / "nowhere") == (
        "model.json is missing: copy the model package again, "
        "or choose another with `beartray model use`"
    )


def test_a_file_of_it_is_missing(card: Card, write_package: Write) -> None:
    folder = write_package(card)
    (folder / "model.onnx").unlink()
    assert complaint(folder).startswith("model.onnx is missing: copy the model package again")


@pytest.mark.parametrize("content", [b"", b"a mod", b"a model and more", b"A model"])
def test_a_file_cut_short_or_changed(card: Card, write_package: Write, content: bytes) -> None:
    folder = write_package(card, content)
    assert "model.onnx is damaged or not the file that model.json lists" in complaint(folder)
    ModelPackage.load(folder, verify=False)


def test_a_pointer_of_git_lfs(card: Card, write_package: Write) -> None:
    folder = write_package(card, b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    assert complaint(folder) == (
        "model.onnx is a git-lfs pointer, not the model: run `git lfs pull`"
    )


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b'{"format": 1'])
def test_a_card_that_is_not_json(card: Card, write_package: Write, text: bytes) -> None:
    folder = write_package(card)
    (folder / "model.json").write_bytes(text)
    assert complaint(folder).startswith("model.json is not JSON (")


SPOILED: list[tuple[str, Any, str]] = [
    ("format", 2, "format: found 2; this Beartray reads 1: update Beartray"),
    ("format", 0, "format: found 0; allowed: int >= 1"),
    ("format", "one", 'format: found "one"; allowed: int'),
    ("name", 7, "name: found 7; allowed: str"),
    ("labels", [], "labels: found []; allowed: array of length >= 1"),
    ("labels", ["ball", "Ball"], "labels: found 'ball' twice (folders ignore case); allowed: once"),
    ("labels", ["ball", "a\nb"], "labels: found 'a\\nb'; allowed: a printable word"),
    ("labels", ["ball", " doll"], "labels: found ' doll'; allowed: a printable word"),
    ("activation", "tanh", 'activation: found "tanh"; allowed: one of softmax, sigmoid'),
    ("thresholds", {"ball": 0.5}, "thresholds: found ball; allowed: one for each of ball, doll"),
    ("thresholds", {"ball": 5, "doll": 0.5}, "; allowed: float <= 1.0"),
    ("none", {"kind": "class", "index": 3}, "none.index: found 3; allowed: 0 to 2"),
    ("none", {"kind": "magic"}, 'none.kind: found "magic"; allowed: one of class, threshold'),
    ("calibration", {"temperature": 0}, "calibration.temperature: found 0; allowed: float > 0.0"),
    (
        "calibration",
        {"target": 98, "photos": 10},
        "calibration.target: found 98; allowed: float <= 1.0",
    ),
    (
        "metrics",
        [{"data": "web", "photos": 10, "filed": 9, "right": -1}],
        "metrics[0].right: found -1; allowed: int >= 0",
    ),
    ("files", {}, "files: found no model.onnx; allowed: model.onnx or learner.pkl"),
    ("files", {"model.onnx": "12"}, "files.model.onnx: found '12'; allowed: a SHA-256"),
    ("colour", "red", "Object contains unknown field `colour`"),
]


@pytest.mark.parametrize(("key", "value", "expected"), SPOILED)
def test_a_card_with_a_wrong_value_says_key_found_and_allowed(
    card: Card, write_package: Write, key: str, value: Any, expected: str
) -> None:
    message = complaint(write_package({**card, key: value}))
    assert message.startswith("model.json: ")
    assert expected in message


def test_a_card_with_a_wrong_value_deep_inside(card: Card, write_package: Write) -> None:
    card["input"]["resize"] = "stretch"
    assert complaint(write_package(card)) == (
        'model.json: input.resize: found "stretch"; allowed: one of crop, squish, pad, none'
    )
    card["input"] |= {"resize": "pad", "std": [1, 0, 1]}
    assert "input.std[1]: found 0; allowed: float > 0.0" in complaint(write_package(card))


@pytest.mark.parametrize("key", ["labels", "input", "files", "licence"])
def test_a_card_without_a_key(card: Card, write_package: Write, key: str) -> None:
    del card[key]
    assert f"missing required field `{key}`" in complaint(write_package(card))


@pytest.mark.parametrize(
    "name", ["../secret", "/etc/passwd", "sub/file", "..", "", "C:\\x", "a\\b", "C:x", "a\0b"]
)
def test_a_card_that_points_outside_its_folder(card: Card, write_package: Write, name: str) -> None:
    card["files"][name] = "0" * 64
    assert "allowed: a file name without folders" in complaint(write_package(card))


def test_a_card_tells_where_its_thresholds_come_from(card: Card, write_package: Write) -> None:
    plain = ModelPackage.load(write_package(card)).card
    assert plain.calibration == Calibration(temperature=1.0, photos=0)
    assert plain.metrics == ()
    card["calibration"] = {
        "temperature": 1.5,
        "photos": 1000,
        "none_share": 0.25,
        "target": 0.98,
        "ece_before": 0.05,
        "ece_after": 0.01,
    }
    row = {"data": "web", "photos": 600, "filed": 500, "right": 495, "best": 590}
    card["metrics"] = [row, {**row, "best": None}]
    package = ModelPackage.load(write_package(card))
    assert package.card.calibration == Calibration(1.5, 1000, 0.25, 0.98, 0.05, 0.01)
    assert package.card.metrics == (Metric("web", 600, 500, 495, 590), Metric("web", 600, 500, 495))
    assert package.probabilities([3, 0, 0]) == pytest.approx(
        [math.exp(2) / (math.exp(2) + 2)] + [1 / (math.exp(2) + 2)] * 2
    )


def test_only_listed_files_are_read(card: Card, write_package: Write) -> None:
    package = ModelPackage.load(write_package(card))
    with pytest.raises(EngineError, match="does not list"):
        package.read("model.json")


probability = st.floats(0, 1)


@pytest.fixture(scope="module")
def toys() -> ModelPackage:
    bears = ModelPackage.load(BEARS, verify=False)
    card = msgspec.structs.replace(
        bears.card,
        labels=("ball", "doll"),
        thresholds={"ball": 0.6, "doll": 0.7},
        none=NoneClass(1),
        calibration=Calibration(),
    )
    return replace(bears, card=card)


@given(ball=probability, none=probability, doll=probability, user=st.none() | probability)
def test_what_a_judgement_promises(
    toys: ModelPackage, ball: float, none: float, doll: float, user: float | None
) -> None:
    minimum = {} if user is None else {"ball": user, "unknown label": 0.1}
    found = toys.judge([ball, none, doll], minimum)
    assert found.scores == {"ball": ball, "doll": doll}
    assert found.confidence == max(ball, doll)
    assert (found.label is None) == (found.reason == "unsure")
    if found.label is not None:
        assert found.scores[found.label] == found.confidence >= none
        needed = {"ball": 0.6 if user is None else user, "doll": 0.7}[found.label]
        assert found.confidence >= needed


def test_the_users_threshold_goes_before_the_packages(toys: ModelPackage) -> None:
    assert toys.judge([0.5, 0.3, 0.2]).reason == "unsure"
    assert toys.judge([0.5, 0.3, 0.2], {"ball": 0.4}).label == "ball"
    assert toys.judge([0.65, 0.3, 0.05], {"ball": 0.9}).reason == "unsure"
    assert toys.judge([0.3, 0.5, 0.2], {"ball": 0.1}).reason == "unsure", "none is likelier"


def test_a_model_without_a_class_for_none(toys: ModelPackage) -> None:
    package = replace(toys, card=msgspec.structs.replace(toys.card, none=NoneThreshold()))
    assert package.card.outputs == 2
    assert package.judge([0.8, 0.9]).label == "doll"
    assert package.judge([0.1, 0.5]).confidence == 0.5
    with pytest.raises(ValueError):
        package.judge([0.1, 0.5, 0.4])


@given(st.lists(st.floats(-1e4, 1e4), min_size=3, max_size=3), st.floats(0.1, 10))
def test_probabilities_are_probabilities(
    toys: ModelPackage, outputs: list[float], temperature: float
) -> None:
    warmth = type(toys.card.calibration)(temperature)
    for activation in ("softmax", "sigmoid"):
        card = msgspec.structs.replace(toys.card, calibration=warmth, activation=activation)
        values = replace(toys, card=card).probabilities(outputs)
        assert all(0 <= value <= 1 for value in values)
        assert values[outputs.index(max(outputs))] == max(values)
        if activation == "softmax":
            assert math.isclose(sum(values), 1)


def test_sigmoid_and_softmax_by_hand(toys: ModelPackage) -> None:
    assert toys.probabilities([0, math.log(2), 0]) == pytest.approx([0.25, 0.5, 0.25])
    card = msgspec.structs.replace(toys.card, activation="sigmoid")
    package = replace(toys, card=card)
    assert package.probabilities([0, math.log(3), -1000]) == pytest.approx([0.5, 0.75, 0])
