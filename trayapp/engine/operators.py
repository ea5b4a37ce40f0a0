"""Declare the torchvision operators that a CPU-only torch lacks, so that its import succeeds.

torchvision from PyPI brings operators compiled for another torch. Where they do not load, its own
import fails at the two that find objects, which classifying never calls.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def declare_torchvision_operators() -> None:
    """Call this before torchvision, timm or fastai.vision is imported; a second call is harmless.

    The compiled operators are tried first, and only what is missing then is declared: a name that
    is declared twice ends in an error.

    Raises:
        ImportError: torch is not installed.
    """
    import torch

    _load_compiled()
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", schema)


def _load_compiled() -> None:
    """What torchvision's import does first, without that import."""
    import torch

    package = find_spec("torchvision")
    folder = Path(package.origin).parent if package and package.origin else Path()
    for suffix in EXTENSION_SUFFIXES:
        with suppress(ImportError, OSError):  # made for another torch, or not there
            torch.ops.load_library(folder / f"_C{suffix}")
            return
