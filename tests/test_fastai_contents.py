"""What the fastai edition's bundle is made of besides the standard one's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import make_tree
from tests.program import ROOT


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A torch with its settings, functions that are compiled from their source, and others."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return make_tree(
        tmp_path / "torch_like",
        {
            "__init__.py": "from torch.jit import script\n@script\ndef f(): pass",
            "layers.py": "@script\ndef swish(x): return x",
            "config.py": "install_config_module(sys.modules[__name__])",
            "nn": {"__init__.py": "", "plain.py": "x = 1"},
        },
    )


def test_only_modules_that_are_read_as_source_come_as_source(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fastai_contents

    monkeypatch.setattr(fastai_contents, "_WITH_SOURCES", (package.name,))
    assert fastai_contents.sources() == {
        "anyio": "pyz+py",
        "torch_like": "pyz",
        "torch_like.config": "pyz+py",
        "torch_like.layers": "pyz+py",
    }


def test_a_torch_for_graphics_processors_is_refused(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fastai_contents

    make_tree(package, {"lib": {"libtorch_cuda.so": "gigabytes"}})
    monkeypatch.setattr(fastai_contents, "_folder", lambda name: package)
    with pytest.raises(RuntimeError, match=r"is for CUDA: pip install .*/whl/cpu"):
        fastai_contents.more(ROOT)


def test_what_fastai_uses_is_not_left_out_with_what_the_standard_edition_does_without() -> None:
    from contents import UNUSED
    from fastai_contents import excluded

    found = set(excluded(UNUSED))
    for module in ("unittest", "numpy.random", "onnxruntime.quantization"):
        assert module in UNUSED
        assert module not in found
    assert {"tkinter", "distutils", "spacy"} <= found


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("matplotlib/mpl-data/fonts/ttf/DejaVuSans-Bold.ttf", True),
        ("matplotlib/mpl-data/fonts/ttf/cmr10.ttf", False),
        ("matplotlib/mpl-data/fonts/ttf/DejaVuSansMono.ttf", False),
        ("matplotlib/mpl-data/fonts/ttf/LastResortHE-Regular.ttf", True),
        ("matplotlib/mpl-data/matplotlibrc", True),
        ("matplotlib\\mpl-data\\images\\home.png", False),
        ("scipy/sparse/tests/data/x.npz", False),
        ("sklearn/datasets/images/china.jpg", False),
        ("torch-2.13.0.dist-info/METADATA", True),
        ("torch-2.13.0.dist-info/RECORD", False),
        ("pyi_rth_mplconfig", False),
        ("pyi_rth_multiprocessing", True),
        ("models/bears/learner.pkl", True),
    ],
)
def test_only_what_is_used_goes_in(name: str, used: bool) -> None:
    from fastai_contents import _UNUSED_FILES, NOTHING, More

    entry = (name, "/somewhere", "DATA")
    assert More(unused=_UNUSED_FILES).wanted([entry]) == ([entry] if used else [])
    assert NOTHING.wanted([entry]) == [entry]
