"""Reads one photo for a classifier, whichever engine it is, and finds words for what is wrong."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from trayapp.engine import printable
from trayapp.engine.decode import UnreadableError, decode
from trayapp.engine.package import ModelPackage
from trayapp.photo import NotAPhotoError, Photo, Verdict

Answer = Callable[[Image.Image], Sequence[float]]
"""An upright RGB picture → the model's raw outputs, one number for each."""

# 0 where the system has no such flag. NOFOLLOW and NONBLOCK are for a link or a pipe put there
# between looking and opening.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class Reader:
    """Photo → verdict, with the model's `answer` in the middle.

    `enough` is how many pixels of both sides a JPEG must keep when it is decoded at a fraction of
    its size; without it every photo is decoded in full. `min_confidence` is the person's.
    """

    def __init__(
        self,
        package: ModelPackage,
        min_confidence: Mapping[str, float] | None,
        answer: Answer,
        *,
        enough: int | None = None,
    ) -> None:
        self._package = package
        self._min_confidence = dict(min_confidence or {})
        self._answer = answer
        self._enough = enough

    def classify(self, path: Path) -> Verdict:
        """Look at one photo; whatever is wrong with it is said in an "unreadable" verdict.

        `seen` is taken from the open file, before and after reading it.
        """
        try:
            return self._classify(path)
        except (UnreadableError, NotAPhotoError) as error:
            return _unreadable(str(error))
        except MemoryError:
            return _unreadable(f"{printable(path.name)} needs more memory than the engine may use")
        except OSError as error:
            return _unreadable(cannot_open(printable(path.name), error))

    def _classify(self, path: Path) -> Verdict:
        with open_photo(path) as file:
            seen = Photo.from_stat(path, os.fstat(file.fileno()))
            image, taken, error = None, None, ""
            try:
                image, taken = decode(file, name=path.name, enough=self._enough)
            except UnreadableError as unreadable:
                error = str(unreadable)
            if not seen.is_same_file(Photo.from_stat(path, os.fstat(file.fileno()))):
                return _unreadable(f"{printable(path.name)} changed while it was read")
        if image is None:
            return replace(_unreadable(error), seen=seen)
        return replace(self._judge(image, path.name), taken=taken, seen=seen)

    def _judge(self, image: Image.Image, name: str) -> Verdict:
        problem = f"the model has no answer for {printable(name)}"
        try:
            outputs = self._answer(image)
        except MemoryError:
            raise
        except Exception as error:  # onnxruntime has a dozen kinds, a learner any
            return _unreadable(f"{problem}: {one_line(error)}")
        if not all(map(math.isfinite, outputs)):
            return _unreadable(problem)
        found = self._package.judge(self._package.probabilities(outputs), self._min_confidence)
        return Verdict(found.label, found.confidence, found.scores, found.reason)


def one_line(error: Exception) -> str:
    """What `error` says, or its name where it says nothing: one line, not too long a one."""
    text = printable(" ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"


def open_photo(path: Path) -> BinaryIO:
    """A regular file, to read; raises `NotAPhotoError` and `OSError`."""
    Photo.at(path)  # refuses links, pipes and devices: opening some of them has effects
    return os.fdopen(os.open(path, _FLAGS), "rb")


def _unreadable(error: str) -> Verdict:
    return Verdict(None, None, reason="unreadable", error=error)


def cannot_open(name: str, error: OSError) -> str:
    """One line for a photo whose `name` is printable."""
    if isinstance(error, FileNotFoundError):
        return f"{name} is not there"
    if isinstance(error, PermissionError):
        return f"{name} may not be read: permission denied"
    if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):  # put there just now
        return f"{name} is not a regular file; Beartray leaves it alone"
    return f"{name} could not be read: {error.strerror or error}"
