"""What is done around PyInstaller: choosing what goes in, drawing icons, weighing the bundle."""

from __future__ import annotations

import ast
import re
import struct
import subprocess
import sys
from functools import partial
from importlib import metadata
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


def library(offset: int, address: int, folders: bytes = b"") -> bytes:
    """One with a part to load, by pages of 4096 bytes, that looks for others in `folders`."""
    head = struct.pack(
        "<16s HHI QQQ IHHHHHH", b"\x7fELF", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0
    )
    table = struct.pack("<qQ qQ qQ qQ", 1, 0, 29, 1, 5, address + 176 + 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, offset, address, address, 4096, 4096, 4096)
    dynamic = struct.pack("<IIQQQQQQ", 2, 6, 176, address + 176, 0, len(table), 0, 8)
    return head + load + dynamic + table + b"\0" + folders + b"\0"


def test_a_library_that_strip_has_broken_is_noticed() -> None:
    from elf import loads

    assert loads(library(0x2010, 0x7010))
    assert not loads(library(0x2000, 0x7010))


@pytest.mark.parametrize(
    ("folders", "tags"),
    [
        (b"$ORIGIN:$ORIGIN/../pillow.libs", [1, 29, 5, 0]),
        (b"/home/ann/python/lib", [1, 5, 0, 0]),
        (b"$ORIGIN:/opt/lib", [1, 5, 0, 0]),
    ],
)
def test_a_library_forgets_the_folders_of_the_machine_it_is_from(
    folders: bytes, tags: list[int]
) -> None:
    from elf import without_foreign_paths

    made = library(0, 0, folders)
    found = without_foreign_paths(made)
    assert len(found) == len(made)
    assert [tag for tag, _ in struct.iter_unpack("<qQ", found[176:240])] == tags


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
    assert done.stdout.endswith("unpacked: 200.0 MB, goal 95 MB NOT REACHED\n")
    assert done.stdout.splitlines()[1] == "   200.0  onnx.so"
    assert done.stderr == "unpacked: 200.0 MB, 104.0 MB too much\n"


@pytest.mark.parametrize(
    ("module", "used"),
    [
        ("pygments.lexers", True),
        ("pygments.lexers._mapping", True),
        ("pygments.lexers.python", False),
        ("pydantic.types", True),
        ("pydantic.v1.main", False),
    ],
)
def test_modules_that_nobody_asks_for_stay_out(module: str, used: bool) -> None:
    from contents import wanted_modules

    entry = (module, "/somewhere.py", "PYMODULE")
    assert wanted_modules([entry]) == ([entry] if used else [])


def test_nothing_of_ours_multiplies_matrices() -> None:
    """Without BLAS that would be slow; training, which does, has scipy's and torch's own."""
    matrices = {"dot", "vdot", "inner", "outer", "matmul", "einsum", "tensordot", "linalg"}
    text = {path: path.read_text(encoding="utf-8") for path in (ROOT / "trayapp").rglob("*.py")}
    users = {path for path in text if "import numpy" in text[path] and "learning" not in path.parts}
    assert {path.name for path in users} > {"onnx.py", "preprocess.py"}
    for path in users:
        nodes = list(ast.walk(ast.parse(text[path])))
        asked = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        assert not asked & matrices, path
        assert not [node for node in nodes if isinstance(node, ast.MatMult)], path


def test_numpy_is_compiled_once_for_each_way_to_do_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lean_numpy

    def make(place: Path) -> None:
        made.append(place)
        place.mkdir()

    made: list[Path] = []
    monkeypatch.setattr(lean_numpy, "_make", make)
    assert lean_numpy.ready(tmp_path) == lean_numpy.ready(tmp_path) == made[0]
    monkeypatch.setattr(lean_numpy, "OPTIONS", ("-Dblas=none",))
    assert lean_numpy.ready(tmp_path) == made[1] != made[0]


def test_without_a_compiler_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lean_numpy import CompileError, ready

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CompileError, match=r"no C\+\+ compiler .* apt install g\+\+ python3-dev"):
        ready(tmp_path / "cache")


def test_what_could_not_be_compiled_leaves_the_reason_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lean_numpy

    monkeypatch.setattr(lean_numpy, "_check", lambda: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python"))
    see = f"see {re.escape(str(tmp_path))}.numpy-.*log"
    with pytest.raises(lean_numpy.CompileError, match=see):
        lean_numpy.ready(tmp_path)
    assert {Path(name).suffix for name in names(tmp_path)} <= {".log", ""}


def test_a_build_sees_the_lean_numpy_first_and_no_chance(tmp_path: Path) -> None:
    from build import surroundings

    found = surroundings({"PATH": "/bin", "PYTHONHASHSEED": "random"}, [tmp_path])
    assert found["PYTHONPATH"] == str(tmp_path)
    assert (found["PATH"], found["PYTHONHASHSEED"]) == ("/bin", "0")


def test_without_what_goes_into_a_bundle_none_is_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One without the review page's packages was made, and its page failed."""
    import build
    import needs

    def version(name: str) -> str:
        if name in ("starlette", "uvicorn"):
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "Pillow" else "99999"

    monkeypatch.setattr(needs, "missing", partial(needs.missing, version=version))
    monkeypatch.setattr(build, "build", lambda *_: pytest.fail("it was made"))
    assert build.main([]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "lacks Pillow>=12 (here is 1.0), starlette, uvicorn; install" in line
    assert line.endswith('--constraint requirements.txt --editable ".[bundle]"`')


def test_this_python_has_what_the_program_needs() -> None:
    import needs

    required = set(needs.needed("fastai"))
    assert {"starlette>=1.0", "pyinstaller>=6.16", "fastai>=2.8"} <= required
    assert needs.missing(["starlette>=1.0", "pywin32; sys_platform == 'plan9'"]) == []
