"""What a learner might do when it is run: harmless things, and others."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

Request = Mapping[str, Any]
Say = Callable[[Mapping[str, Any]], None]


def add(request: Request, say: Say) -> dict[str, Any]:
    say({"step": "adding"})
    return {"sum": sum(request["numbers"])}


def shout(request: Request, say: Say) -> dict[str, Any]:
    print("SHOUTING")
    print("SHOUTING", file=sys.stderr)
    os.write(1, b"SHOUTING")
    subprocess.run(["echo", "SHOUTING"], check=True)
    return {}


def hang(request: Request, say: Say) -> dict[str, Any]:
    """With a child of its own, which says that it lives by a file."""
    Path(request["file"]).write_text(str(_sleeper()))
    ctypes.CDLL(None).sleep(600) if request.get("hard") else time.sleep(600)
    return {}


def leave_one_behind(request: Request, say: Say) -> dict[str, Any]:
    return {"pid": _sleeper()}


def crash(request: Request, say: Say) -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGSEGV)
    return {}


def exit_(request: Request, say: Say) -> dict[str, Any]:
    sys.exit("I am leaving")


def exit_hard(request: Request, say: Say) -> dict[str, Any]:
    os._exit(7)


def eat_memory(request: Request, say: Say) -> dict[str, Any]:
    return {"size": len([b"x" * (64 << 20) for _ in range(1000)])}


def fail(request: Request, say: Say) -> dict[str, Any]:
    raise RuntimeError("on\nmore lines")


def connect(request: Request, say: Say) -> dict[str, Any]:
    """By Python, and behind its back."""
    found = {}
    try:
        socket.create_connection(("127.0.0.1", request["port"]), 2).close()
        found["python"] = "reached"
    except OSError as error:
        found["python"] = type(error).__name__
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{request['port']}", timeout=2):
            found["urllib"] = "reached"
    except OSError as error:
        found["urllib"] = type(error).__name__
    code = f"import socket; socket.create_connection(('127.0.0.1', {request['port']}), 2)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True)
    found["another program"] = "reached" if done.returncode == 0 else "not reached"
    return found


def look_around(request: Request, say: Say) -> dict[str, Any]:
    return {
        "temporary": tempfile.gettempdir(),
        "user": os.getuid(),
        "home": str(Path.home()),
        "nice": os.nice(0),
    }


def lie(request: Request, say: Say) -> dict[str, Any]:
    """What the other side must not take for an answer."""
    say(b"no JSON")  # type: ignore[arg-type]
    return {}


def _sleeper() -> int:
    return subprocess.Popen(["sleep", "600"]).pid
