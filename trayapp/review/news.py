"""Tells open pages that something was filed, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

MOST_STREAMS = 16
BEAT_SECONDS = 15.0  # so that a connection that is gone is noticed
APART_SECONDS = 0.5  # between two news of one burst


class News:
    """`changed` and `close` may be called from any thread, the rest is for the server's loop."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: set[asyncio.Event] = set()
        self._over = False

    @property
    def streams(self) -> int:
        """How many pages listen."""
        return len(self._waiting)

    def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    def changed(self) -> None:
        """Something was filed, taken back or put right."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def close(self) -> None:
        """End all streams, now and from now on."""
        self._over = True
        self.changed()

    async def endpoint(self, _request: Request) -> Response:
        if self.streams >= MOST_STREAMS:
            return PlainTextResponse("Too many pages are open.\n", 503)
        return StreamingResponse(self._stream(), media_type="text/event-stream")

    async def _stream(self) -> AsyncIterator[bytes]:
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            yield b"retry: 3000\n\n"
            while not self._over:
                try:
                    await asyncio.wait_for(event.wait(), BEAT_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                event.clear()
                if not self._over:
                    yield b"event: news\ndata: 1\n\n"
                    await asyncio.sleep(APART_SECONDS)
        finally:
            self._waiting.discard(event)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()
