"""Photos become a model for the app, the same one however often the training was stopped."""

from __future__ import annotations

import csv
import pickletools
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers import files, picture
from tests.learning.photos import class_folders, textured
from trayapp.engine import EngineError
from trayapp.engine.card import NoneClass, NoneThreshold
from trayapp.engine.onnx import OnnxClassifier
from trayapp.engine.package import ModelPackage
from trayapp.engine.unpickle import load_learner
from trayapp.learning import network, train
from trayapp.learning.findings import Findings
from trayapp.learning.progress import Advance
from trayapp.learning.recipe import Recipe
from trayapp.learning.train import Options

pytestmark = pytest.mark.learning

TINY = Recipe("test_efficientnet", size=64, epochs=5, batch_size=12)


class Heard:
    """Remembers what a training tells; ends it like Ctrl+C after so many pictures of a part."""

    def __init__(self, stop_in: str = "", after: int = 0) -> None:
        self.lines: list[str] = []
        self.parts: dict[str, int] = {}
        self._stop_in, self._after = stop_in, after

    def say(self, line: str) -> None:
        self.lines.append(line)

    @contextmanager
    def bar(self, description: str, total: int) -> Iterator[Advance]:
        self.parts[description] = 0

        def advance(count: int) -> None:
            self.parts[description] += count
            if description == self._stop_in and self.parts[description] > self._after:
                raise KeyboardInterrupt

        yield advance
        assert self.parts[description] == total, description


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("photos"))


@pytest.fixture
def options(photos: Path, tmp_path: Path) -> Options:
    return Options(photos, tmp_path / "out", "colours", recipe=TINY)


def scores(folder: Path) -> list[list[float]]:
    with (folder / "predictions.csv").open(encoding="utf-8", newline="") as file:
        return [[float(row[name]) for name in ("red", "none")] for row in csv.DictReader(file)]


def test_a_model_for_the_app_and_a_learner_for_everybody(options: Options) -> None:
    heard = Heard()
    package, findings = train.run(options, heard)
    assert sorted(files(options.out)) == [
        "README.md",
        "learner.pkl",
        "model.json",
        "model.onnx",
        "predictions.csv",
        "report.html",
        "suspects.csv",
    ]
    card = ModelPackage.load(options.out).card
    assert (card.name, card.labels, card.none) == (
        "colours",
        ("blue", "green", "red"),
        NoneClass(2),
    )
    assert card.parity is not None
    assert card.parity.top1_agreement >= 0.99
    assert [metric.data for metric in card.metrics] == ["photos", "stones", "stones/round", "walls"]
    assert card.calibration.photos == len(findings.asked.pictures)
    assert findings.answers.right(findings.asked.truth).sum() >= 10, "of 14 or 15"
    red = textured(options.out.parent / "new.jpg", (190, 40, 40), 999)
    bold = OnnxClassifier(package, dict.fromkeys(package.labels, 0.1))
    assert bold.classify(red).label == "red"
    learner = load_learner(options.out / "learner.pkl")
    with learner.no_bar():
        assert learner.predict(red)[0] == "red"


def test_a_body_that_knows_pictures_keeps_what_it_knows(options: Options) -> None:
    recipe = Recipe("tf_efficientnet_lite0", size=32, epochs=2, batch_size=12)
    _, found = train.run(replace(options, recipe=recipe), Heard())
    assert found.answers.right(found.asked.truth).sum() >= 14, "of 15"
    before = network.create("tf_efficientnet_lite0", 4, 0.0).module.state_dict()
    after = load_learner(options.out / "learner.pkl").model.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert not any("running_" in name or name.startswith("conv_stem") for name in changed)
    assert any(name.startswith("blocks.6") for name in changed)


def test_the_learner_names_nothing_of_ours_and_no_place(options: Options) -> None:
    train.run(options, Heard())
    with zipfile.ZipFile(options.out / "learner.pkl") as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
        said = [arg for _, arg, _ in pickletools.genops(archive.read(name)) if isinstance(arg, str)]
    for text in said:
        assert not re.search(r"trayapp|__main__|CodeType|site-packages|^/", text), text
    assert "PILBase" in " ".join(said)


def test_stopped_at_any_time_it_ends_the_same(options: Options) -> None:
    options = replace(options, folds="2", recipe=replace(TINY, average=0.8, epochs=3))
    train.run(replace(options, out=options.out.with_name("whole")), Heard())
    for part, after in [
        ("Reading pictures", 40),
        ("Training 1 of 2", 50),
        ("Training 1 of 2", 110),
        ("Testing 1 of 2", 0),
        ("Training 2 of 2", 60),
        ("Training the last", 100),
        ("Comparing", 0),
    ]:
        heard = Heard(part, after)
        with pytest.raises(KeyboardInterrupt):
            train.run(options, heard)
        assert sorted(files(options.out))[0].startswith("work/")
    heard = Heard()
    train.run(options, heard)
    assert "Going on where the last run was stopped" in heard.lines
    assert "Training 1 of 2" not in heard.parts, "it was done"
    assert not [line for line in heard.lines if "epoch" in line], "so was all of the last"
    whole = options.out.with_name("whole")
    assert np.allclose(scores(options.out), scores(whole), atol=1e-4)
    ours, theirs = (load_learner(folder / "learner.pkl") for folder in (options.out, whole))
    for one, other in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_other_photos_start_anew(options: Options, tmp_path: Path) -> None:
    options = replace(options, folder=class_folders(tmp_path / "photos", 12))
    with pytest.raises(KeyboardInterrupt):
        train.run(options, Heard("Training", 15))
    textured(options.folder / "red" / "new.jpg", (190, 40, 40), 999)
    heard = Heard("Training", 15)
    with pytest.raises(KeyboardInterrupt):
        train.run(options, heard)
    assert heard.lines[0] == "The pictures or the options have changed: starting anew"


def test_what_cannot_be_read_is_named_and_left_out(options: Options, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "photos", 12)
    (folder / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff no")
    (folder / "red" / "empty.png").touch()
    copy = folder / "blue" / "copy.jpg"
    copy.write_bytes((folder / "blue" / "025.jpg").read_bytes())
    (folder / "none" / "wrong.jpg").write_bytes((folder / "green" / "013.jpg").read_bytes())
    heard = Heard("Training", 0)
    with pytest.raises(KeyboardInterrupt):
        train.run(replace(options, folder=folder), heard)
    assert sorted(heard.lines) == [
        "left out: blue/copy.jpg: the same as blue/025.jpg",
        "left out: green/013.jpg: the same picture is green and none: see none/wrong.jpg",
        "left out: none/wrong.jpg: the same picture is green and none: see green/013.jpg",
        "left out: red/broken.jpg: broken.jpg is cut short or damaged",
        "left out: red/empty.png: empty.png is empty",
    ]


def test_a_folder_with_something_in_it_is_not_written_to(options: Options) -> None:
    picture(options.out / "mine.jpg")
    before = files(options.out)
    with pytest.raises(EngineError, match=r"is not empty \(mine.jpg\): name a new folder"):
        train.run(options, Heard())
    assert files(options.out) == before


def test_without_photos_of_none_of_these(options: Options, tmp_path: Path) -> None:
    class_folders(tmp_path / "photos", 12)
    for path in (tmp_path / "photos" / "none").rglob("*.jpg"):
        path.unlink()
    recipe = replace(TINY, epochs=1)
    found: Findings
    package, found = train.run(replace(options, folder=tmp_path / "photos", recipe=recipe), Heard())
    assert package.card.none == NoneThreshold()
    assert found.fit.notes[-1].startswith("no photos of none of these")


def test_an_unknown_architecture() -> None:
    with pytest.raises(EngineError, match="neither timm nor torchvision has 'resnet0'"):
        network.create("resnet0", 3, 0.0)


@pytest.mark.parametrize(
    ("name", "packaged"), [("tf_efficientnet_lite0", True), ("mobilenetv3_small_050", False)]
)
def test_weights_come_from_this_machine_only(
    name: str, packaged: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    made = network.create(name, 4, 0.2)
    assert (made.weights is not None) == packaged
    stem, stages = network.parts(made.module)
    assert len(stem) == 2
    assert stages[-1] is network.head(made.module)
    assert network.head(made.module).out_features == 4


def test_weights_that_an_earlier_download_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    first = network.create("squeezenet1_1", 1000, 0.0).module
    assert network.create("squeezenet1_1", 3, 0.0).weights is None
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    state: dict[str, Any] = first.state_dict()
    torch.save(state, folder / "squeezenet1_1-b8a52dc0.pth")
    made = network.create("squeezenet1_1", 3, 0.0)
    assert made.weights == "ImageNet (squeezenet1_1-b8a52dc0.pth)"
    assert torch.equal(made.module.features[0].weight, first.features[0].weight)
