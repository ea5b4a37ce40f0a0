"""Keeps the design's arrows: who may import whom, how long a module is, and who may print."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "trayapp"
MODULES = sorted(PACKAGE.rglob("*.py"))
STAGES = {"watch", "settle", "decide", "place", "journal", "tell"}
PARTS_OF = {  # what a stage is made of, besides photo and settings
    "corrections": {"database"},
    "database": {"shared_memory"},
    "history": {"corrections", "database", "rows", "steps"},
    "journal": {"corrections", "database", "history", "notes", "rows", "steps"},
    "notes": {"corrections", "database", "disk"},
    "place": {"disk", "rewrite", "steps"},
    "rewrite": {"disk", "steps", "tags"},
    "rows": {"corrections", "database", "disk", "notes", "steps"},
    "steps": {"disk", "tags"},
    "tags": {"xmp"},
    "watch": {"inotify"},
    "xmp": {"xmlsource"},
}
TOP = {"app", "cli", "commands", "__main__"}  # wires the parts; nothing knows it
VALUES = {"photo", "settings"}
MAX_LINES = 300
LEARNERS = {"engine.learner", "engine.operators", "engine.unpickle"}
LEARNING_ONLY = {"torch", "torchvision", "fastai", "timm", "onnx"}

each_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE))
)


@cache
def imported(path: Path) -> set[str]:
    """Full names of the modules that `path` imports, wherever in it, type checking included."""
    package = [PACKAGE.name, *path.relative_to(PACKAGE).parent.parts]
    return {name for node in ast.walk(_tree(path)) for name in _names(node, package)}


def _names(node: ast.AST, package: list[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        yield base
        # `from trayapp import tags` imports a module, `from trayapp.photo import Photo` a name.
        yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def own(path: Path) -> set[str]:
    """Our modules that `path` imports, less the package's name: "photo", "engine.pool"."""
    known = {_name(module) for module in MODULES}
    found = {name.removeprefix("trayapp.") for name in imported(path) if name.startswith("trayapp")}
    return found & known - {_name(path)}


@cache
def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _room(path: Path) -> str:
    """The first part of a module's name: the folder, or the module at the package's top."""
    return _name(path).split(".")[0]


def test_stages_import_only_the_values_and_their_own_parts() -> None:
    for path in MODULES:
        name = _name(path)
        if name in STAGES or name in {part for parts in PARTS_OF.values() for part in parts}:
            allowed = VALUES | PARTS_OF.get(name, set())
            assert own(path) <= allowed, f"{name} may import {sorted(allowed)} only"


def test_the_values_import_nothing_of_ours_but_each_other() -> None:
    assert own(PACKAGE / "photo.py") == set()
    assert own(PACKAGE / "settings.py") <= {"files", "photo", "paths"}


def test_only_the_top_imports_the_desktop() -> None:
    for path in MODULES:
        if _room(path) not in TOP | {"desktop"}:
            desktop = {name for name in own(path) if name.split(".")[0] == "desktop"}
            assert not desktop, f"{_name(path)} imports {sorted(desktop)}"


def test_only_the_app_imports_the_review_page_and_only_inside_functions() -> None:
    """The app without it costs nothing."""
    for path in MODULES:
        page = {name for name in own(path) if name.split(".")[0] == "review"}
        if _room(path) != "review" and page:
            assert _room(path) == "app", f"{_name(path)} imports {sorted(page)}"
            for node in _tree(path).body:
                assert not any("review" in name for name in _names(node, ["trayapp", "app"])), node


def test_nothing_below_imports_the_top() -> None:
    for path in MODULES:
        if _room(path) not in TOP:
            top = {name for name in own(path) if name.split(".")[0] in TOP}
            assert not top, f"{_name(path)} imports {sorted(top)}"


def test_the_engine_and_the_desktop_know_no_stage_but_the_words_to_show() -> None:
    for path in MODULES:
        if _room(path) in {"engine", "desktop"}:
            assert not own(path) & (STAGES - {"tell"} | {"pipeline"}), _name(path)


def test_torch_and_fastai_are_for_the_learner_and_learning_only() -> None:
    for path in MODULES:
        if _name(path) not in LEARNERS and _room(path) != "learning":
            heavy = {name.split(".")[0] for name in imported(path)} & LEARNING_ONLY
            assert not heavy, f"{_name(path)} imports {sorted(heavy)}"


@each_module
def test_a_module_is_short_and_opens_with_its_purpose(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES, f"{lines} lines: split it by what it does"
    assert not lines or ast.get_docstring(_tree(path)), "open it with one sentence of purpose"


@each_module
def test_only_the_commands_print(path: Path) -> None:
    if _room(path) not in {"cli", "commands", "__main__"}:
        calls = [node for node in ast.walk(_tree(path)) if isinstance(node, ast.Call)]
        names = {call.func.id for call in calls if isinstance(call.func, ast.Name)}
        assert "print" not in names, "people are spoken to through tell and cli"
