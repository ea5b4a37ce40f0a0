"""What needs fastai says how to get it: from a bundle, which pip adds nothing to, and elsewhere."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.program import COLOURS
from trayapp import adopt, cli, edition
from trayapp.engine import EngineError
from trayapp.engine.trust import Trust
from trayapp.engine.worker import Options, load
from trayapp.files import sha256
from trayapp.paths import Paths

FROM_PIP = "`pip install 'beartray[fastai]'`"
FROM_A_BUNDLE = "get the fastai edition of Beartray; this one runs model.onnx only"


@pytest.fixture(params=[False, True], ids=["installed", "frozen"])
def advice(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Nothing of fastai is there, in a bundle and elsewhere; what is to be done about it."""
    for name in edition.TRAIN:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(edition, "find_spec", lambda name: None)
    monkeypatch.setattr(edition, "frozen", lambda: request.param)
    return FROM_A_BUNDLE if request.param else FROM_PIP


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    environ = {"BEARTRAY_HOME": str(tmp_path / "home")}
    monkeypatch.setenv(*next(iter(environ.items())))
    return Paths.from_environment(environ)


@pytest.fixture
def mine(paths: Paths) -> Path:
    """A model package with a learner, which somebody agreed to run."""
    folder = paths.models / "mine"
    shutil.copytree(COLOURS, folder)
    learner = folder / "learner.pkl"
    learner.write_bytes(b"a pickle")
    card = json.loads((folder / "model.json").read_text())
    card["files"][learner.name] = sha256(learner)
    (folder / "model.json").write_text(json.dumps(card))
    Trust(paths.trust).remember(sha256(learner), "mine")
    return folder


Refuses = Callable[..., str]


@pytest.fixture
def refuses(capsys: pytest.CaptureFixture[str], paths: Paths) -> Refuses:
    """The one line that a command ends with."""

    def refuses(*words: str) -> str:
        assert cli.main(words) == 2
        said = capsys.readouterr()
        assert (said.out, said.err.count("\n")) == ("", 1)
        return said.err.removeprefix("beartray: ").removesuffix("\n")

    return refuses


def test_a_bundle_knows_that_it_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not edition.frozen()
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert edition.frozen()


def test_training_and_importing(advice: str, refuses: Refuses) -> None:
    assert refuses("train", "photos", "--out", "model") == (
        f"training needs fastai, torch, timm, onnx, imagehash: {advice}"
    )
    assert refuses("model", "import", "export.pkl", "--name", "mine") == (
        f"importing a learner needs fastai, torch, timm, onnx: {advice}"
    )


def test_the_engine_process(advice: str, mine: Path, paths: Paths) -> None:
    options = Options(mine, "fastai", trust_file=paths.trust)
    with pytest.raises(EngineError) as found:
        load(options)
    assert str(found.value).startswith("the fastai engine is not installed (")
    assert str(found.value).endswith(f': {advice}, or set engine = "onnx" under [model]')


def test_nobody_is_asked_to_trust_what_cannot_run(advice: str, mine: Path, paths: Paths) -> None:
    def agree(package: object) -> None:
        pytest.fail("asked")

    with pytest.raises(EngineError) as found:
        adopt.adopt("mine", "fastai", paths, agree, lambda key, value: None)
    assert str(found.value) == f"the fastai engine needs fastai, torch, timm: {advice}"


def test_a_model_is_verified_with_the_engine_that_is_there(
    advice: str, mine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["model", "verify", "mine"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "colours: the onnx engine answers",
        f"colours: the fastai engine was not tried: {advice}",
    ]


def test_a_learner_that_is_listed_but_not_there(mine: Path, refuses: Refuses) -> None:
    (mine / "learner.pkl").unlink()
    missing = f"{mine / 'learner.pkl'} is missing: copy the model package again, or choose another"
    for words in (["info", "mine"], ["use", "mine", "--engine", "fastai"], ["verify", "mine"]):
        assert refuses("model", *words) == f"{missing} with `beartray model use`"


def test_a_model_that_has_no_learner(paths: Paths, refuses: Refuses) -> None:
    folder = Path(shutil.copytree(COLOURS, paths.models / "mine"))
    assert refuses("model", "use", "mine", "--engine", "fastai") == (
        f'{folder} has no learner.pkl: set engine = "onnx" under [model]'
    )
