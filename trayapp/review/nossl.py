"""Lets the web server start where Python has no ssl module, as in the bundle."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType


def do_without_ssl() -> None:
    """Put an empty ssl module where there is none; call it before uvicorn is imported.

    uvicorn and anyio import it for its names only: a page that never leaves this computer is not
    encrypted. With the real one the bundle would carry 0.9 MB more, and OpenSSL with it.
    """
    if "ssl" in sys.modules or _is_there():
        return
    importlib.import_module("asyncio")  # looks for ssl itself, and does without

    ssl = ModuleType("ssl", "Stands in for Python's own; encrypts nothing.")
    vars(ssl).update(CERT_NONE=0, PROTOCOL_TLS_SERVER=16, SSLContext=type("SSLContext", (), {}))
    sys.modules["ssl"] = ssl


def _is_there() -> bool:
    return all(importlib.util.find_spec(name) is not None for name in ("ssl", "_ssl"))
