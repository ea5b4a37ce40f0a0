"""The review page's web server: a thread of the running Beartray, only while somebody looks."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import uvicorn

from trayapp.review.guard import ENTRANCE, Guard
from trayapp.review.keys import Keys
from trayapp.review.news import News
from trayapp.review.pages import Pages
from trayapp.review.parts import Parts
from trayapp.review.site import build
from trayapp.review.visitor import Visitor

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
END_SECONDS = 5.0
BACKLOG = 32  # connections that are taken in at once, each with a file descriptor


@dataclass
class Activity:
    """When a page was last asked for; `now` is a steady clock in seconds."""

    now: Callable[[], float] = time.monotonic
    last: float = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.now()

    def touch(self) -> None:
        self.last = self.now()


class Server:
    """Listens on a port of 127.0.0.1 that the system chooses; from `start` on until `stop`, or
    until no page has been open for `idle_seconds`. Then it closes the parts' database, and
    `ended` is called, on the server's own thread.
    """

    def __init__(
        self,
        parts: Parts,
        idle_seconds: float,
        ended: Callable[[Server], None] = lambda _: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle_seconds, self._activity = idle_seconds, Activity(now)
        self._database, self._ended = parts.database, ended
        self._keys, self._news, self._pages = Keys(), News(), Pages()
        # asyncio sends at once only where the protocol is named; else each answer waits for 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        if alone := getattr(socket, "SO_EXCLUSIVEADDRUSE", None):  # Windows lets others join
            self._socket.setsockopt(socket.SOL_SOCKET, alone, 1)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(BACKLOG)  # from here on a browser can connect, and waits
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        site = build(parts, self._pages, self._keys, self._news, self.host)
        self._server = uvicorn.Server(_config(Guard(site, self.host, self._keys, self._touch)))
        self._thread = threading.Thread(target=self._run, name="review", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive() and not self._server.should_exit

    def link(self) -> str:
        """An address that opens the page once."""
        self._touch()
        return f"http://{self.host}{ENTRANCE}?key={self._keys.issue()}"

    def changed(self) -> None:
        """Tell open pages that there is something new; cheap, from any thread."""
        self._news.changed()

    def stop(self) -> None:
        """Returns soon, also while pages are open."""
        self._news.close()
        self._server.should_exit = True
        self._thread.join(END_SECONDS)

    def _touch(self) -> None:
        self._activity.touch()

    def _run(self) -> None:
        try:
            self._pages.prepare()  # while the browser starts
            asyncio.run(self._serve())
        except Exception:  # a mistake of ours must not pass unseen
            logger.exception("the review page's server failed")
        finally:
            self._socket.close()
            self._database.close()
            self._ended(self)

    async def _serve(self) -> None:
        self._news.open()
        watching = asyncio.create_task(self._watch())
        try:
            await self._server.serve(sockets=[self._socket])
        finally:
            watching.cancel()

    async def _watch(self) -> None:
        """End when nobody looks any more, and let open streams go when it is time to end."""
        while not self._server.should_exit:
            await asyncio.sleep(min(LOOK_SECONDS, self._idle_seconds / 2))
            if self._news.streams:
                self._touch()
            if self._activity.now() - self._activity.last > self._idle_seconds:
                logger.info("no review page is open; its server ends")
                self._server.should_exit = True
        self._news.close()


def _config(app: Guard) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="asyncio",
        http=Visitor,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="error",  # what is merely no good request is not worth a line each
        access_log=False,  # it would keep the one-time keys
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=2,
        h11_max_incomplete_event_size=16_384,
    )
