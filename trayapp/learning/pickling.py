"""Writes learner.pkl so that it loads with other versions of Python and on other machines."""

from __future__ import annotations

import importlib
import io
from operator import attrgetter
from pathlib import Path
from types import FunctionType, SimpleNamespace
from typing import Any

from trayapp.engine.operators import declare_torchvision_operators

declare_torchvision_operators()

import cloudpickle  # type: ignore[import-untyped, unused-ignore] # noqa: E402
import torch  # noqa: E402


def export(learner: Any, file: Path) -> None:
    """As `learner.export`, which writes paths of this machine and bytecode of this Python into
    the file; the learner is of no other use afterwards.
    """
    learner.model.cpu()
    learner.dls = learner.dls.new_empty()
    learner.dls.cpu()
    learner.opt = None
    learner.path = learner.dls.path = "."
    stream = io.BytesIO()  # torch tells of a full disk in its own words
    module = SimpleNamespace(__name__=__name__, Pickler=ByName)  # what torch asks of one
    torch.save(learner, stream, pickle_module=module, pickle_protocol=2)
    file.write_bytes(stream.getbuffer())


class ByName(cloudpickle.Pickler):  # type: ignore[misc, unused-ignore]
    """Names class methods as functions, such as what is behind `PILImage.create`, by their class.

    fastcore wraps them bare, and cloudpickle writes as bytecode what it cannot find by its name.
    """

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, FunctionType) and (owner := _owner(obj)) is not None:
            return attrgetter(f"{obj.__name__}.__func__"), (owner,)
        return super().reducer_override(obj)


def _owner(function: FunctionType) -> Any:
    """The class that `function` is a class method of, if any."""
    path, _, name = function.__qualname__.rpartition(".")
    try:
        owner = attrgetter(path)(importlib.import_module(function.__module__))
        found = getattr(owner, name)
    except (AttributeError, ImportError, TypeError):
        return None
    return owner if getattr(found, "__func__", None) is function else None
