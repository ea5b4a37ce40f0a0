"""Every way a file is not the learner that was meant is said in a line; the rest just loads."""

from __future__ import annotations

import io
import os
import pathlib
import pickle
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped, unused-ignore]
import pytest
import torch
from fastai.tabular.all import Categorify, TabularDataLoaders, tabular_learner
from PIL import Image
from torch import nn

from tests.helpers import picture
from tests.learning import learners
from tests.learning.learners import fv
from trayapp.engine import EngineError, unpickle
from trayapp.engine.card import Input
from trayapp.engine.pickles import check_pickle
from trayapp.engine.unpickle import load_learner
from trayapp.learning.convert import convert

pytestmark = pytest.mark.learning


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("unpickle")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "export.pkl"


def refusal(file: Path, define: Path | None = None) -> str:
    with pytest.raises(EngineError) as found:
        load_learner(file, define)
    line = str(found.value)
    assert str(file) in line
    assert "\n" not in line
    return line.replace(str(file), "FILE")


def small(base: Path) -> Any:
    return learners.untrained(base, "test_efficientnet", fv.Resize(48))


def test_a_good_one_comes_ready_for_use(base: Path, file: Path) -> None:
    small(base).export(file)
    learner = load_learner(file)
    assert list(learner.dls.vocab) == ["amber", "cyan", "plum"]
    assert not learner.model.training
    assert str(learner.dls.device) == "cpu"


OLD = Path(__file__).parent / "fastai-2.7.pkl"
"""Made by make_old_export.py."""


@pytest.mark.parametrize(
    ("colour", "answer"),
    [
        ((40, 60, 200), [9.9407e-01, 1.3911e-05, 5.9140e-03]),
        ((60, 190, 50), [2.3295e-04, 9.9954e-01, 2.2372e-04]),
        ((210, 40, 50), [4.0651e-04, 6.5447e-03, 9.9305e-01]),
    ],
)
def test_exports_of_older_fastai_answer_as_they_did_there(
    colour: tuple[int, int, int], answer: list[float]
) -> None:
    learner = load_learner(OLD)
    assert list(learner.dls.vocab) == ["blue", "green", "red"]
    with learner.no_bar(), learner.no_logging():
        found = learner.predict(fv.PILImage.create(Image.new("RGB", (90, 40), colour)))
    assert found[2].tolist() == pytest.approx(answer, rel=1e-3)
    mean, std = map(tuple, fv.imagenet_stats)
    assert convert(learner).input == Input(32, 32, "squish", "bilinear", mean, std, scaled=(40, 40))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty: copy or download it again"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "run `git lfs pull`"),
        (b"\n<!DOCTYPE html><html><body>Sign in", "is a web page; download the file itself"),
        (b"grizzly, black, teddy", "is not a pickle; name the file that learn.export() wrote"),
        (b"\x80\x04\x95\x10", "is cut short or damaged: copy or download it again"),
        (b"PK\x03\x04" + bytes(100), "is cut short or damaged: copy or download it again"),
    ],
)
def test_what_is_no_pickle(file: Path, content: bytes, words: str) -> None:
    file.write_bytes(content)
    assert refusal(file).endswith(words)


def test_a_picture_and_a_folder_and_nothing(file: Path, tmp_path: Path) -> None:
    photo = picture(tmp_path / "bear.jpg")
    assert "is a picture" in refusal(photo)
    assert "cannot be read" in refusal(file)
    assert "cannot be read" in refusal(tmp_path)


def test_other_archives(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photos/bear.txt", "a bear")
    assert "is a zip archive and no learner: unpack it" in refusal(file)
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), file)
    assert "is a TorchScript network without its transforms and labels" in refusal(file)


def test_a_truncated_export(base: Path, file: Path) -> None:
    small(base).export(file)
    file.write_bytes(file.read_bytes()[:100_000])
    assert refusal(file) == "FILE is cut short or damaged: copy or download it again"


def test_weights_alone_are_not_enough(base: Path, file: Path) -> None:
    learner = small(base)
    instead = ": export the learner with learn.export() instead"
    torch.save(learner.model.state_dict(), file)
    assert refusal(file) == f"FILE holds weights only (learn.save, or a state_dict){instead}"
    saved = learner.save(file.with_suffix(""))
    assert "holds weights only" in refusal(Path(saved))
    torch.save(nn.Linear(2, 2), file)
    assert "is a network without its transforms and labels" in refusal(file)
    torch.save([1, 2], file)
    assert refusal(file) == f"FILE is no learner but a list{instead}"


def test_an_export_of_fastai_1(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("fastai.basic_train")
    kind = type("Learner", (), {"__module__": module.__name__})
    vars(module)["Learner"] = kind
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for legacy in (False, True):
        torch.save({"cls": kind}, file, _use_new_zipfile_serialization=not legacy)
        assert refusal(file) == (
            "FILE is an export of fastai 1, which fastai 2 cannot load: train it again"
        )


@pytest.fixture
def elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[str, str], Callable[..., Any]]]:
    """Define a function `name` in the module `module`, until the test ends or takes it away."""
    with monkeypatch.context() as patch:

        def define(module: str, name: str) -> Callable[..., Any]:
            def function(path: Any) -> Any:
                return path.parent.name

            function.__module__, function.__qualname__, function.__name__ = module, name, name
            if module not in sys.modules:
                patch.setitem(sys.modules, module, types.ModuleType(module))
            patch.setitem(vars(sys.modules[module]), name, function)
            return function

        yield define


def _labelled_by(base: Path, function: Callable[..., Any]) -> Any:
    block = fv.DataBlock(
        (fv.ImageBlock, fv.CategoryBlock),
        get_items=fv.get_image_files,
        get_y=function,
        item_tfms=fv.Resize(48),
    )
    loaders = block.dataloaders(learners.photos(base), bs=12, num_workers=0)
    return fv.vision_learner(loaders, "test_efficientnet", pretrained=False)


def test_functions_of_a_notebook(
    base: Path,
    file: Path,
    elsewhere: Callable[[str, str], Callable[..., Any]],
    tmp_path: Path,
) -> None:
    learner = _labelled_by(base, elsewhere("__main__", "bear_of"))
    learner.also = elsewhere("__main__", "is_bear")
    learner.export(file, pickle_module=pickle)  # as fastai did until it took cloudpickle
    for name in ("bear_of", "is_bear"):
        del vars(sys.modules["__main__"])[name]
    assert refusal(file) == (
        "FILE names what its notebook defined: bear_of, is_bear; put these definitions into a "
        "Python file and name it with --define FILE.py"
    )
    define = tmp_path / "mine.py"
    define.write_text("def is_bear(path): return True\n")
    assert "names what its notebook defined: bear_of; put" in refusal(file, define)
    define.write_text("from pathlib import Path\ndef is_bear(p): ...\ndef bear_of(p): return 'x'\n")
    assert load_learner(file, define).also(1) is None
    define.write_text("def is_bear(:")
    with pytest.raises(EngineError, match=r"mine.py does not run \(SyntaxError"):
        load_learner(file, define)
    define.write_text("open('/nowhere')")
    with pytest.raises(EngineError, match=r"mine.py does not run \(FileNotFoundError"):
        load_learner(file, define)
    define.unlink()
    with pytest.raises(EngineError, match=r"mine.py cannot be read"):
        load_learner(file, define)


def test_a_module_that_is_not_here(
    base: Path,
    file: Path,
    elsewhere: Callable[[str, str], Callable[..., Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learner = _labelled_by(base, elsewhere("bears_of_mine", "bear_of"))
    learner.export(file, pickle_module=pickle)
    del sys.modules["bears_of_mine"]
    assert refusal(file) == (
        "FILE needs the module bears_of_mine, which is not installed: if it is a package, `pip "
        "install bears_of_mine`; if a file of its maker's, name that with --define FILE.py"
    )
    monkeypatch.setattr(unpickle, "frozen", lambda: True)
    assert "import it with a Beartray that is installed with pip, beside that package" in refusal(
        file
    )
    define = tmp_path / "mine.py"
    define.write_text("def bear_of(path): return 'x'\n")
    load_learner(file, define)


def test_what_another_fastai_had(
    base: Path,
    file: Path,
    elsewhere: Callable[[str, str], Callable[..., Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    learner = _labelled_by(base, elsewhere("fastai.vision.augment", "bear_label"))
    learner.export(file, pickle_module=pickle)
    del vars(sys.modules["fastai.vision.augment"])["bear_label"]
    line = refusal(file)
    assert "was made with another version than this computer's fastai 2." in line
    assert "bear_label" in line
    assert "`pip install --upgrade fastai`" in line
    monkeypatch.setattr(unpickle, "frozen", lambda: True)
    assert "get the newest Beartray, or export it again" in refusal(file)


class Foreign:
    """A path of a system that this one is not."""

    def __init__(self, kind: type, text: str) -> None:
        self.kind, self.text = kind, text

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return self.kind, (self.text,)


def test_paths_of_other_systems(base: Path, file: Path) -> None:
    learner = small(base)
    learner.photos = [
        Foreign(pathlib.WindowsPath, r"C:\bears"),
        Foreign(pathlib.PosixPath, "/bears"),
    ]
    learner.export(file)
    assert all(isinstance(path, Path) for path in load_learner(file).photos)


def test_tensors_of_a_gpu(base: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learner = small(base)
    monkeypatch.setattr(torch.serialization, "location_tag", lambda storage: "cuda:0")
    learner.export(file)
    monkeypatch.undo()
    with pytest.raises(RuntimeError, match="CUDA"):
        torch.load(file, weights_only=False)
    assert {str(p.device) for p in load_learner(file).model.parameters()} == {"cpu"}


def _loaders(base: Path, blocks: tuple[Any, Any], get_y: Callable[..., Any]) -> Any:
    block = fv.DataBlock(blocks, get_items=fv.get_image_files, get_y=get_y, item_tfms=fv.Resize(48))
    return block.dataloaders(learners.photos(base), bs=12, num_workers=0)


def zeros(path: Any) -> Any:
    return [0.0, 0.0]


def itself(path: Any) -> Any:
    return path


def name(path: Any) -> Any:
    return path.parent.name


OTHERS: dict[str, tuple[Callable[[], Any], Callable[..., Any], str]] = {
    "regression": (lambda: (fv.ImageBlock, fv.RegressionBlock(2)), zeros, "a regression model"),
    "points": (lambda: (fv.ImageBlock, fv.PointBlock), zeros, "a regression model"),
    "masks": (lambda: (fv.ImageBlock, fv.MaskBlock([1, 2])), itself, "a segmentation model"),
    "grey": (
        lambda: (fv.ImageBlock(fv.PILImageBW), fv.CategoryBlock),
        name,
        "a model of greyscale pictures",
    ),
}


@pytest.mark.parametrize(("blocks", "get_y", "words"), OTHERS.values(), ids=OTHERS)
def test_what_is_no_classifier_of_photos(
    base: Path, file: Path, blocks: Callable[[], Any], get_y: Callable[..., Any], words: str
) -> None:
    loaders = _loaders(base, blocks(), get_y)
    fv.Learner(loaders, nn.Linear(2, 2), loss_func=fv.MSELossFlat()).export(file)
    line = refusal(file)
    assert line.startswith(f"FILE is {words}")
    assert "not a classifier of colour pictures" in line


def test_a_model_of_tables(file: Path) -> None:
    table = pd.DataFrame({"fur": ["brown", "black"] * 20, "bear": ["grizzly", "teddy"] * 20})
    loaders = TabularDataLoaders.from_df(
        table, procs=[Categorify], cat_names=["fur"], y_names="bear", bs=8, num_workers=0
    )
    tabular_learner(loaders, layers=[4]).export(file)
    assert refusal(file).startswith("FILE is a model of tables")


class Malice:
    """A pickle that runs a program."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.file}",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_looking_for_names_runs_nothing(file: Path, tmp_path: Path, protocol: int) -> None:
    proof = tmp_path / "it ran"
    file.write_bytes(pickle.dumps(Malice(proof), protocol))
    if protocol:
        assert ("system" in {name for _, name in check_pickle(file)}) is True
    torch.save(Malice(proof), file)
    assert check_pickle(file) == {("posix" if os.name == "posix" else "nt", "system")}
    assert not proof.exists()


def test_names_that_are_remembered_are_found(file: Path) -> None:
    """The second time, a pickle takes a name's text from its memory."""
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 4)
    pickler.dump(("pathlib", "x", [1], "PosixPath", pathlib.PurePosixPath("/"), pathlib.PosixPath))
    file.write_bytes(buffer.getvalue())
    assert {("pathlib", "PurePosixPath"), ("pathlib", "PosixPath")} <= check_pickle(file)
