"""Stands in for what learners name that fastai < 2.8 exported, and fastai 2.8 left behind.

fastai 2.8 took its transforms from fasttransform in place of fastcore.transform, and their choice
of a function by type from plum in place of fastcore.dispatch.
"""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any


def find_older(module: str, name: str) -> Any:
    """What an older export means by `module`.`name`; None where that has not moved."""
    if module == "fastcore.transform":
        return getattr(importlib.import_module("fasttransform.transform"), name)
    if module == "fastcore.dispatch":
        return {"TypeDispatch": TypeDispatch, "_TypeDict": TypeDict}.get(name)
    return None


def _unchanged(item: Any, **_: Any) -> Any:
    return item


class TypeDict:
    """Types → what is for them and their subclasses, the most special first; unpickled only."""

    d: dict[Any, Any]

    def match(self, kind: type) -> Any:
        for known, found in self.d.items():
            if isinstance(known, type) and issubclass(kind, known):
                return found
        return None


class TypeDispatch:
    """A function of a transform, chosen by the type of what it is given; unpickled only.

    fastcore kept them by the types of two parameters, of which a transform has one.
    """

    funcs: TypeDict

    def _resolve_method_with_cache(self, arguments: tuple[Any, ...]) -> tuple[Any, Any]:
        """As `plum.Function`, which fasttransform's Transform asks: the function and its type.

        What no function is for is left as it is.
        """
        found = self.funcs.match(type(arguments[0]))
        function = found.match(object) if found is not None else None
        return function or _unchanged, Any

    @property
    def methods(self) -> list[Any]:
        inner = [f for found in self.funcs.d.values() for f in found.d.values()]
        return [SimpleNamespace(implementation=function) for function in inner]
