"""Who may connect to the page's server: this user's programs, not too many, none for nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST = 64  # connections; a browser opens six
WORD_SECONDS = 10.0  # until the first request is there
TABLE = Path("/proc/net/tcp")
ESTABLISHED = "01"  # connections that are about to end have lost their user's number


class Visitor(H11Protocol):
    """A connection. What uvicorn itself has no limits for would use up the files that the filing
    needs to open, and the one-time link can be read in the list of processes.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > MOST or not _is_welcome(self.client, self.server):
            transport.abort()
        else:
            self.loop.call_later(WORD_SECONDS, self._mind_silence)

    def _mind_silence(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def _is_welcome(client: tuple[str, int] | None, server: tuple[str, int | None] | None) -> bool:
    """Whether the program at the other end is this user's, or root's as in a virtual machine.

    Only Linux says: https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
    """
    if sys.platform != "linux" or client is None or server is None:
        return True
    try:
        rows = [line.split() for line in TABLE.read_text().splitlines()]
    except OSError:
        return True
    ends = [_hexed(*client), _hexed(server[0], server[1] or 0), ESTABLISHED]
    return any(row[1:4] == ends and int(row[7]) in (os.getuid(), 0) for row in rows)


def _hexed(address: str, port: int) -> str:
    return f"{int.from_bytes(socket.inet_aton(address), sys.byteorder):08X}:{port:04X}"
