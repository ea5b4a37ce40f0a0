"""Stands before every request: what does not come from the page itself is refused, in silence."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trayapp.review.keys import Keys

ENTRANCE = "/enter"
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
        " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
CLOSED = "This page opens from Beartray: choose Review… in its menu, or run `beartray review`.\n"
REFUSED = "Refused.\n"


class Guard:
    """ASGI middleware for a server that is known as `host` ("127.0.0.1:40000") and nothing else.

    Host stops DNS rebinding; Origin and Sec-Fetch-Site stop other pages, also those that another
    local server shows, which is the same site but not the same origin; the cookie stops all who
    were not let in. `seen` is called with each request that passes.
    """

    def __init__(self, app: ASGIApp, host: str, keys: Keys, seen: Callable[[], None]) -> None:
        self._app, self._host, self._keys, self._seen = app, host, keys, seen
        self.cookie = f"beartray-{host.rpartition(':')[2]}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no lifespan, no WebSockets

        async def harden(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        app = self._refusal(scope) or self._app
        await app(scope, receive, harden)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers, reading = Headers(scope=scope), scope["method"] in ("GET", "HEAD")
        if headers.getlist("host") != [self._host]:
            return _refused(REFUSED, 403)
        origins, own = headers.getlist("origin"), [f"http://{self._host}"]
        if origins != own and (origins or not reading):
            return _refused(REFUSED, 403)
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return _refused(REFUSED, 403)
        if scope["path"] == ENTRANCE and reading:
            return None
        # Not http.cookies: that takes none where one of another local server's is ill-formed.
        if not self._keys.knows(HTTPConnection(scope).cookies.get(self.cookie, "")):
            return _refused(CLOSED, 401)
        self._seen()
        return None


def _refused(words: str, status: int) -> ASGIApp:
    """What else such a visitor sends is not listened to."""
    return PlainTextResponse(words, status, {"connection": "close"})
