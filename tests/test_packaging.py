"""What is done around PyInstaller: choosing what goes in, drawing icons, weighing the bundle."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import make_tree, names
from tests.program import ROOT
from trayapp.engine.package import ModelPackage

PACKAGING = ROOT / "packaging"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PACKAGING))


def test_the_bundled_model_lacks_the_learner_and_still_verifies(tmp_path: Path) -> None:
    from contents import lean_model

    source = ROOT / "models" / "bears"
    lean = ModelPackage.load(lean_model(source, tmp_path / "bears"))
    whole = ModelPackage.load(source, verify=False)
    assert lean.engines == ("onnx",)
    assert names(lean.folder) == names(source) - {"learner.pkl"}
    assert {**lean.card.files, "learner.pkl": whole.card.files["learner.pkl"]} == whole.card.files
    assert (lean.card.thresholds, lean.card.metrics) == (whole.card.thresholds, whole.card.metrics)


@pytest.mark.parametrize(
    ("name", "used"),
    [
        ("onnxruntime/capi/onnxruntime_pybind11_state.cpython-311-x86_64-linux-gnu.so", True),
        ("onnxruntime/capi/libonnxruntime.so.1.31.1", False),
        ("onnxruntime\\capi\\libonnxruntime.so.1.31.1", False),
        ("onnxruntime/capi/libonnxruntime_providers_shared.so", True),
        ("numpy/_core/include/numpy/ndarraytypes.h", False),
        ("config/default.toml", True),
        ("libstdc++.so.6", True),
    ],
)
def test_only_what_is_used_goes_in(name: str, used: bool) -> None:
    from contents import wanted

    entry = (name, "/somewhere", "BINARY")
    assert wanted([entry]) == ([entry] if used else [])


def elf(offset: int, address: int) -> bytes:
    """A library with one part to load, by pages of 4096 bytes."""
    head = struct.pack(
        "<16s HHI QQQ IHHHHHH", b"\x7fELF", 3, 62, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0
    )
    return head + struct.pack("<IIQQQQQQ", 1, 5, offset, address, address, 9, 9, 4096)


def test_a_library_that_strip_has_broken_is_noticed() -> None:
    from contents import loads

    assert loads(elf(0x2010, 0x7010))
    assert not loads(elf(0x2000, 0x7010))


def test_what_is_installed_but_not_needed_stays_out() -> None:
    from contents import excluded, foreign, needed

    packages = needed("beartray")
    assert {"pillow", "typer", "rich"} <= packages  # rich comes with typer
    assert not packages & {"pytest", "fastai", "torch"}
    assert {"pytest", "ruff", "mypy"} & set(foreign(packages)) == {"pytest", "mypy", "ruff"}
    assert "PIL" not in excluded("standard")


def test_the_icon_comes_in_every_size_that_systems_ask_for(tmp_path: Path) -> None:
    from icons import MACOS, WINDOWS, write

    paths = write(tmp_path)
    with Image.open(paths["png"]) as png, Image.open(paths["ico"]) as ico:
        assert png.size == (256, 256)
        assert ico.info["sizes"] == {(size, size) for size in WINDOWS}
    with Image.open(paths["icns"]) as icns:
        widths = {width * scale for width, _, scale in icns.info["sizes"]}
        assert widths >= set(MACOS) - {16, 64}


def test_what_is_too_large_is_told_with_what_takes_the_space(tmp_path: Path) -> None:
    make_tree(tmp_path, {"beartray": "x" * 10, "_internal": {"numpy": {"core.so": "x" * 3000}}})
    with (tmp_path / "_internal" / "onnx.so").open("wb") as large:
        large.truncate(200_000_000)
    done = subprocess.run(
        [sys.executable, str(PACKAGING / "report.py"), str(tmp_path)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout.endswith("unpacked: 200.0 MB, goal 110 MB NOT REACHED\n")
    assert done.stdout.splitlines()[1] == "   200.0  onnx.so"
    assert done.stderr == "unpacked: 200.0 MB, 70.0 MB too much\n"
