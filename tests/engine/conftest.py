"""The project's own model package, and small made-up ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BEARS = Path(__file__).parents[2] / "models" / "bears"


@pytest.fixture
def card() -> dict[str, Any]:
    """The content of a sound model.json, to be spoiled."""
    return {
        "format": 1,
        "name": "toys",
        "description": "",
        "labels": ["ball", "doll"],
        "input": {
            "width": 8,
            "height": 8,
            "resize": "crop",
            "resampling": "bilinear",
            "mean": [0.5, 0.5, 0.5],
            "std": [0.5, 0.5, 0.5],
        },
        "activation": "softmax",
        "thresholds": {"ball": 0.6, "doll": 0.7},
        "none": {"kind": "class", "index": 1},
        "licence": "MIT",
        "provenance": "made up",
        "files": {"model.onnx": hashlib.sha256(b"a model").hexdigest()},
    }


@pytest.fixture
def write_package(tmp_path: Path) -> Callable[..., Path]:
    """Write a package of a model.json and `content` as its model; returns the folder."""

    def write(card: dict[str, Any], content: bytes = b"a model") -> Path:
        folder = tmp_path / "package"
        folder.mkdir(exist_ok=True)
        (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
        (folder / "model.onnx").write_bytes(content)
        return folder

    return write
