"""Whether this Beartray can run and teach learners, and what to do where it cannot."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.util import find_spec

RUN = ("fastai", "torch", "timm")
IMPORT = (*RUN, "onnx")
TRAIN = (*IMPORT, "imagehash")


def frozen() -> bool:
    """Whether this is the program of a bundle, to which nothing can be added with pip."""
    return bool(getattr(sys, "frozen", False))


def missing(modules: Iterable[str]) -> list[str]:
    """Those of the modules that are not there; imports none of them."""
    return [name for name in modules if find_spec(name) is None]


def get_fastai() -> str:
    """What to do to have what learners need: an imperative, for the second half of a message."""
    if frozen():
        return "get the fastai edition of Beartray; this one runs model.onnx only"
    return "`pip install 'beartray[fastai]'`"
