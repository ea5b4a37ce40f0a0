"""The engine process: loads a model, then answers one photo after another until told to stop."""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from trayapp.edition import get_fastai
from trayapp.engine import Classifier, EngineError, printable
from trayapp.engine.confine import confine
from trayapp.engine.offline import go_offline
from trayapp.engine.trust import check_consent
from trayapp.engine.wire import (
    Answer,
    Ask,
    Broken,
    Connection,
    Ready,
    Shown,
    ToEngine,
    hear_parent,
    send,
)

if TYPE_CHECKING:
    from trayapp.engine.package import ModelPackage

Engine = Literal["auto", "onnx", "fastai"]

PHOTO_LIMIT_SECONDS = 20.0
MEMORY_LIMIT_BYTES = 2 << 30
"""Enough for a photo of 220 megapixels in RGB (880 MB) and a copy."""
LEARNER_MEMORY_BYTES = 2 << 30
"""What torch, fastai and a learner may take besides."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a worker is started with."""

    folder: Path
    engine: Engine = "auto"
    min_confidence: Mapping[str, float] = field(default_factory=dict)
    photo_limit_seconds: float = PHOTO_LIMIT_SECONDS
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES
    trust_file: Path | None = None


def start(connection: Connection, options: Options) -> BaseProcess:
    """Start an engine process on the other end of `connection`; works in a frozen program too."""
    process = multiprocessing.get_context("spawn").Process(
        target=main, args=(connection, options), name="beartray-engine", daemon=True
    )
    if sys.platform == "win32":
        process.start()
        return process
    # Ctrl+C reaches the whole process group; a child still starting would answer with a
    # traceback. It inherits the mask. The tracker comes first because its start unmasks.
    resource_tracker.ensure_running()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return process


def main(connection: Connection, options: Options) -> None:
    """What the process does; ends when the parent closes the connection or is gone."""
    try:
        behave(options)
        classifier = load(options)
    except Exception as error:  # such as a library of the system that onnxruntime misses
        known = isinstance(error, EngineError)
        problem = str(error) if known else f"the engine cannot start: {error!r}"
        with suppress(OSError):
            send(connection, Broken(printable(problem)))
        return
    serve(connection, classifier, options)


def behave(options: Options) -> None:
    """Stay out of the way: below everything else in priority, memory bounded, deaf to Ctrl+C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and closes us
    if sys.platform == "win32":
        below_normal = 0x4000  # learn.microsoft.com, SetPriorityClass
        kernel = ctypes.windll.kernel32
        kernel.SetPriorityClass(kernel.GetCurrentProcess(), below_normal)
        return
    os.nice(10)
    if sys.platform == "linux":
        _limit_memory(options.memory_limit_bytes)
        _return_large_blocks()
        with suppress(OSError):  # if the system runs out of memory, rather we than the desktop
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")


def _limit_memory(limit: int) -> None:
    if sys.platform == "linux":
        import resource

        # DATA, not AS: address space counts what onnxruntime and threads reserve but never use.
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        if hard == resource.RLIM_INFINITY or hard > limit:
            resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def _return_large_blocks() -> None:
    """Let glibc give the memory of a large photo back; else 55 MB stay resident after one.

    Its threshold for blocks of their own grows with use unless it is set (mallopt(3)).
    """
    mmap_threshold = -3
    with suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(mmap_threshold, 1 << 20)


def load(options: Options) -> Classifier:
    """The classifier of a model package. Raises `EngineError`."""
    from trayapp.engine.package import ModelPackage

    # Each engine checks the files that it uses; hashing the others only takes time.
    package = ModelPackage.load(options.folder, verify=False)
    try:
        if package.engine_for(options.engine) == "fastai":
            return _load_learner(package, options)
        confine()
        from trayapp.engine.onnx import OnnxClassifier

        return OnnxClassifier(package, options.min_confidence)
    except MemoryError:
        raise EngineError(f"{package.name} needs more memory than the engine may use") from None


def _load_learner(package: ModelPackage, options: Options) -> Classifier:
    check_consent(package, options.trust_file)  # before anything of it, or for it, is loaded
    go_offline()
    _limit_memory(options.memory_limit_bytes + LEARNER_MEMORY_BYTES)
    try:
        from trayapp.engine.learner import LearnerClassifier
    except ImportError as error:
        raise EngineError(
            f"the fastai engine is not installed ({error}): {get_fastai()}, or set engine = "
            '"onnx" under [model]'
        ) from None
    return LearnerClassifier(package, options.min_confidence)


def serve(connection: Connection, classifier: Classifier, options: Options) -> None:
    """Answer until the connection ends."""
    gc.freeze()  # what is loaded now stays; no need to look through it again
    with suppress(EOFError, OSError), Path(os.devnull).open("w") as nowhere:
        # libtiff and others mutter there, on the person's terminal; a verdict says what is wrong.
        os.dup2(nowhere.fileno(), 2)
        send(connection, Ready(classifier.labels))
        while True:
            message = hear_parent(connection)
            # The parent ends a worker that hangs; this is for one whose parent is gone. It needs
            # neither the interpreter, which native code may hold, nor a signal.
            faulthandler.dump_traceback_later(
                2 * options.photo_limit_seconds + 1, exit=True, file=nowhere
            )
            reply = answer(classifier, message)
            faulthandler.cancel_dump_traceback_later()
            send(connection, reply)


def answer(classifier: Classifier, message: ToEngine) -> Answer | Shown:
    """What one photo shows, or what it looks like."""
    path = Path(os.fsdecode(message.path))
    if isinstance(message, Ask):
        return Answer.of(classifier.classify(path))
    from trayapp.engine.preview import shrink

    return shrink(path, message.side)
