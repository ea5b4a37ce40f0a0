"""The fastai engine runs a learner as fastai would, in the engine process, once that was agreed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import picture, skip, wait_until
from tests.program import Program
from trayapp.engine import EngineError
from trayapp.engine.package import ModelPackage
from trayapp.engine.pool import Pool
from trayapp.engine.trust import Trust, code_of

pytestmark = pytest.mark.learning

LIMIT = 90.0
"""Seconds for torch and fastai to start on a busy machine."""


@pytest.fixture(scope="module")
def learner(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A learner of amber, cyan and plum, in a package without model.onnx."""
    if find_spec("fastai") is None:
        skip("needs `pip install '.[fastai]'`")
    from tests.learning import learners

    folder = tmp_path_factory.mktemp("learner") / "models" / "colours"
    folder.mkdir(parents=True)
    exported = learners.squished(tmp_path_factory.mktemp("trained")).read_bytes()
    (folder / "learner.pkl").write_bytes(exported)
    write_card(folder, {})
    return folder


def write_card(folder: Path, changes: dict[str, Any]) -> None:
    labels = ["amber", "cyan", "plum"]
    content = (folder / "learner.pkl").read_bytes()
    card = {
        "format": 1,
        "name": "colours",
        "description": "",
        "labels": labels,
        "input": {
            "width": 48,
            "height": 48,
            "resize": "squish",
            "resampling": "bilinear",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
        },
        "activation": "softmax",
        "thresholds": dict.fromkeys(labels, 0.4),
        "none": {"kind": "threshold"},
        "licence": "MIT",
        "provenance": "made by a test",
        "files": {"learner.pkl": hashlib.sha256(content).hexdigest()},
        **changes,
    }
    (folder / "model.json").write_text(json.dumps(card))


@pytest.fixture
def trusted(learner: Path, tmp_path: Path) -> Path:
    """A record in which the learner is known."""
    for sha256 in code_of(ModelPackage.load(learner)):
        Trust(tmp_path / "trusted.json").remember(sha256, "colours")
    return tmp_path / "trusted.json"


@pytest.fixture
def pool(learner: Path, trusted: Path) -> Iterator[Pool]:
    with Pool(learner, engine="fastai", trust_file=trusted) as pool:
        yield pool


def photos(folder: Path) -> list[Path]:
    from tests.learning.learners import COLOURS, colour_photo

    made = []
    for number, label in enumerate([*COLOURS, *COLOURS]):
        path = folder / f"{label}-{number}.png"
        colour_photo(label, 900 + number).save(path)
        made.append(path)
    return made


def test_it_answers_with_the_numbers_of_learn_predict(
    learner: Path, pool: Pool, tmp_path: Path
) -> None:
    import torch

    from trayapp.engine.unpickle import load_learner

    torch.set_num_threads(1)
    original = load_learner(learner / "learner.pkl")
    for path in photos(tmp_path):
        verdict = pool.submit(path).result(LIMIT)
        assert verdict.error is None
        with original.no_bar(), original.no_logging():
            label, _, probabilities = original.predict(path)
        expected = dict(zip(original.dls.vocab, map(float, probabilities), strict=True))
        assert verdict.scores == pytest.approx(expected, abs=1e-6)
        assert verdict.label == label
        assert path.name.startswith(label)


def test_the_cards_calibration_and_thresholds_count(
    learner: Path, trusted: Path, tmp_path: Path
) -> None:
    path = photos(tmp_path)[0]
    with Pool(learner, trust_file=trusted, min_confidence={"amber": 1.0}) as pool:
        plain = pool.submit(path).result(LIMIT)
    assert (plain.label, plain.reason) == (None, "unsure")
    write_card(learner, {"calibration": {"temperature": 5.0}})
    try:
        with Pool(learner, trust_file=trusted) as pool:
            mild = pool.submit(path).result(LIMIT)
    finally:
        write_card(learner, {})
    assert plain.confidence and mild.confidence
    assert 1 / 3 < mild.confidence < plain.confidence


def test_a_bad_photo_gets_the_words_that_every_engine_has(pool: Pool, tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "words.jpg").write_text("words")
    for name, words in (
        ("empty.jpg", "empty.jpg is empty"),
        ("words.jpg", "words.jpg is not a picture Beartray can read"),
        ("gone.jpg", "gone.jpg is not there"),
    ):
        verdict = pool.submit(tmp_path / name).result(LIMIT)
        assert (verdict.reason, verdict.error) == ("unreadable", words)
    assert pool.submit(picture(tmp_path / "a.jpg")).result(LIMIT).seen is not None


def test_a_card_that_means_another_learner_is_refused(
    learner: Path, trusted: Path, tmp_path: Path
) -> None:
    write_card(learner, {"none": {"kind": "class", "index": 0}})
    try:
        with (
            Pool(learner, trust_file=trusted) as pool,
            pytest.raises(EngineError, match=r"gives 3 numbers, model\.json means 4") as caught,
        ):
            pool.submit(picture(tmp_path / "a.jpg")).result(LIMIT)
    finally:
        write_card(learner, {})
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_it_has_no_network_and_a_bound_of_its_own(pool: Pool, tmp_path: Path) -> None:
    pool.start()
    wait_until(lambda: pool.state == "ready", LIMIT, "the learner to be loaded")
    (pid,) = pool.pids
    limits = Path(f"/proc/{pid}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max data size")]
    assert line.split()[3] == str(4 << 30)
    network = Path(f"/proc/{pid}/ns/net").readlink()
    if network == Path("/proc/self/ns/net").readlink():
        pytest.skip("this system lets nobody leave its network; Python refuses it all the same")


def test_a_person_agrees_and_uses_it(learner: Path, tmp_path: Path) -> None:
    program = Program(tmp_path / "home")
    (program.home / "models").mkdir()
    (program.home / "models" / "colours").symlink_to(learner)
    path = photos(tmp_path)[1]
    done = program.try_command("model", "use", "colours")
    assert (done.returncode, done.stdout) == (2, "")
    assert "say so with --trust" in done.stderr
    said = program.command("model", "use", "colours", "--trust", "--engine", "fastai")
    assert said == "Using colours (with the fastai engine): amber, cyan, plum\n"
    (found,) = program.rows("config", "show")
    assert (found["model"]["package"], found["model"]["engine"]) == ("colours", "fastai")
    assert "colours: the fastai engine answers" in program.command("model", "verify")
    (row,) = program.rows("classify", path)
    assert (row["label"], row["error"]) == ("cyan", None)
    program.command("model", "use", "colours")  # agreed before: no word needed
