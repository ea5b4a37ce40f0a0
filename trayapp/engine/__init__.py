"""What a photo shows: model packages, and the process of its own that decodes and classifies.

Importing this package, `pool` or `package` loads neither numpy, onnxruntime nor Pillow: the tray
process only ever talks to the engine process.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from trayapp.photo import BeartrayError, Verdict

if TYPE_CHECKING:
    from trayapp.engine.package import ModelPackage
    from trayapp.engine.pool import Pool

__all__ = ["Classifier", "EngineError", "ModelPackage", "Pool", "printable"]


class EngineError(BeartrayError):
    """The model or its process cannot be used; no photo is to blame, so try each again later."""


def printable(text: str) -> str:
    """`text` fit for a one-line message: no line breaks, no bytes of a name that are no text."""
    return "".join(character if character.isprintable() else "�" for character in text)


class Classifier(Protocol):
    """Anything that can say what one photo shows."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels a verdict may carry, in the model's order."""
        ...

    def classify(self, path: Path) -> Verdict:
        """Look at one photo; a bad photo is an "unreadable" verdict, never an exception."""
        ...


def __getattr__(name: str) -> Any:
    # Both import this module for EngineError, so they can only be fetched when first asked for.
    if name == "ModelPackage":
        from trayapp.engine.package import ModelPackage

        return ModelPackage
    if name == "Pool":
        from trayapp.engine.pool import Pool

        return Pool
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
