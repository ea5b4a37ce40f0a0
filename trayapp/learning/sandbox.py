"""Runs work that is not trusted in a process of its own: no network, bounded, killed at the end.

It is another process of the same person, so it could still harm their files: that is what the
consent is about. What it cannot do is hang or fill the memory, reach the network, or say anything
to this process but JSON.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection as mpc
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from trayapp.engine import EngineError, printable
from trayapp.engine.offline import go_offline

Say = Callable[[Mapping[str, Any]], None]
"""Tells the other process something; what cannot be JSON is an error."""

LARGEST = 1 << 20
"""Bytes of a message."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`silent_seconds`: how long it may say nothing; `memory_bytes`: what it may allocate."""

    silent_seconds: float = 300.0
    memory_bytes: int = 8 << 30


def run_apart(
    work: str, request: Mapping[str, Any], folder: Path, limits: Limits, hear: Say
) -> dict[str, Any]:
    """Call the function `work` ("package.module:name") with `request` and a `Say`, elsewhere.

    Its temporary files go to `folder`. What it says meanwhile is passed on to `hear`; returns
    what it returns. Nothing of it is left when this returns or raises, Ctrl+C included.

    Raises:
        EngineError: what the work raised as one, or how its process ended.
    """
    ours, theirs = mpc.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=_child, args=(theirs, work, dict(request), folder, limits), daemon=True
    )
    try:
        with _deaf_at_start():
            process.start()
        theirs.close()
        return _listen(process, ours, limits, hear)
    finally:
        ours.close()
        theirs.close()
        _end(process)


def _listen(process: BaseProcess, connection: Any, limits: Limits, hear: Say) -> dict[str, Any]:
    while True:
        try:
            if not connection.poll(limits.silent_seconds):
                raise EngineError(
                    f"the learner did nothing for {limits.silent_seconds:g} seconds and was stopped"
                )
            message = json.loads(connection.recv_bytes(LARGEST))
            kind, content = message["kind"], message["content"]
        except (EOFError, OSError):
            raise EngineError(_last_words(process)) from None
        except (ValueError, KeyError, TypeError):
            raise EngineError("the learner's process spoke nonsense and was stopped") from None
        if kind == "error":
            raise EngineError(printable(str(content)))
        if kind == "result" and isinstance(content, dict):
            return content
        hear(content)


def _last_words(process: BaseProcess) -> str:
    process.join(5)
    code = process.exitcode
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
        hint = "; it may have run out of memory" if -code in (9, 6, 7) else ""
        return f"the learner's process crashed ({name}){hint}"
    return f"the learner ended its process by itself (status {code}) before it was read"


def _end(process: BaseProcess) -> None:
    """End it and all that it started."""
    if process.pid is None:
        return
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()
    process.close()


@contextmanager
def _deaf_at_start() -> Iterator[None]:
    """A child still starting would answer Ctrl+C with a traceback; it inherits the mask."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # its start unmasks
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _child(
    connection: Any, work: str, request: Mapping[str, Any], folder: Path, limits: Limits
) -> None:
    started = time.monotonic()

    def tell(kind: str, content: Any) -> None:
        connection.send_bytes(json.dumps({"kind": kind, "content": content}).encode())

    try:
        network = _confine(folder, limits)
        module, _, name = work.partition(":")
        function = getattr(importlib.import_module(module), name)
        result = function(request, lambda content: tell("news", dict(content)))
        tell("result", {**result, "network": network, "seconds": time.monotonic() - started})
    except EngineError as error:
        tell("error", str(error))
    except MemoryError:
        tell("error", "the learner needs more memory than the import may use")
    except BaseException as error:  # a pickle may raise even SystemExit
        tell("error", f"the import failed: {' '.join(repr(error).split())[:300]}")
    finally:
        os._exit(0)  # whatever the learner left running


def _confine(folder: Path, limits: Limits) -> str:
    """Returns how the network is kept away. First of all, for it must be the only thread."""
    if sys.platform != "win32":
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.nice(10)
    network = go_offline()
    _silence()
    _bound_memory(limits.memory_bytes)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("TMPDIR", "TEMP", "TMP", "TORCH_HOME", "HF_HOME", "FASTAI_HOME"):
        os.environ[name] = str(folder)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return network


def _silence() -> None:
    """Whatever it prints, at whatever level, is not for the person."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _bound_memory(limit: int) -> None:
    if sys.platform == "linux":
        import resource

        limit = min(limit, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 3 // 4)
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        # DATA, not AS: address space counts what torch reserves but never uses.
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with suppress(OSError):  # if the system runs out of memory, rather this than the desktop
            Path("/proc/self/oom_score_adj").write_text("900", encoding="ascii")


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        mpc.wait([parent.sentinel])
        os._exit(1)
