"""The review page's addresses, and who answers them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from trayapp.review.doing import Doing
from trayapp.review.gallery import Gallery
from trayapp.review.guard import CLOSED, ENTRANCE
from trayapp.review.keys import Keys
from trayapp.review.looking import Looking
from trayapp.review.news import News
from trayapp.review.pages import Pages
from trayapp.review.parts import Parts
from trayapp.review.thumbs import Thumbs
from trayapp.review.upload import Upload


def build(parts: Parts, pages: Pages, keys: Keys, news: News, host: str) -> Starlette:
    """The application behind the guard; `host` is the server's own address."""
    gallery = Gallery(parts.database, parts.journal)
    looking = Looking(parts, pages, gallery, Thumbs(parts.cache, parts.view))
    doing, upload = Doing(parts, gallery, looking), Upload(parts.classify, parts.scratch)
    return Starlette(
        routes=[
            Route(ENTRANCE, _entrance(keys, f"beartray-{host.rpartition(':')[2]}")),
            Route("/", looking.photos),
            Route("/tiles", looking.tiles),
            Route("/photo/{id}", looking.photo),
            Route("/thumb/{id}", looking.thumb),
            Route("/large/{id}", looking.large),
            Route("/what", looking.what),
            Route("/overview", looking.overview),
            Route("/settings", looking.settings),
            Route("/events", news.endpoint),
            Route("/static/{name}", pages.static),
            Route("/correct", doing.correct, methods=["POST"]),
            Route("/undo", doing.undo, methods=["POST"]),
            Route("/listed", doing.listed, methods=["POST"]),
            Route("/set", doing.set, methods=["POST"]),
            Route("/classify", upload.endpoint, methods=["POST"]),
        ],
        exception_handlers={404: _missing, 405: _missing, 500: _failed},
    )


def _entrance(keys: Keys, cookie: str) -> Callable[[Request], Awaitable[Response]]:
    async def enter(request: Request) -> Response:
        """Exchange a key for a session; the key leaves the address bar with it."""
        given = parse_qs(request.url.query).get("key", [""])
        token = keys.redeem(given[0]) if request.method == "GET" else None
        if token is None:
            return PlainTextResponse(CLOSED, 401)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(cookie, token, path="/", httponly=True, samesite="strict")
        return answer

    return enter


async def _missing(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("There is no such page.\n", 404)


async def _failed(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("That did not work; Beartray's log says why.\n", 500)
