"""What a click on the page does: put photos right, take them back, set something."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from trayapp.photo import BeartrayError
from trayapp.review.gallery import MOST_IDS, Gallery
from trayapp.review.looking import LARGEST_ID, Looking
from trayapp.review.pages import shown
from trayapp.review.parts import Parts

LARGEST = 100_000  # bytes of a request that is no picture


class BadRequestError(BeartrayError):
    """A request that our own page does not make."""


class Doing:
    """Endpoints that change something; every body is a JSON object."""

    def __init__(self, parts: Parts, gallery: Gallery, looking: Looking) -> None:
        self._parts, self._gallery, self._looking = parts, gallery, looking

    async def correct(self, request: Request) -> Response:
        """{"ids": […], "label": "teddy" or null}"""
        return await _answer(request, self._correct)

    async def undo(self, request: Request) -> Response:
        """{"ids": […]}"""
        return await _answer(request, self._undo)

    async def listed(self, request: Request) -> Response:
        """{"ids": […]}: which of them the gallery still shows, and how Beartray does."""
        return await _answer(request, self._listed)

    async def set(self, request: Request) -> Response:
        """{"name": "action", "value": "copy"}"""
        return await _answer(request, self._set)

    def _correct(self, asked: dict[str, Any]) -> dict[str, object]:
        label = asked.get("label")
        if label is not None and not isinstance(label, str):
            raise BadRequestError("a label is a text")
        batch: int | None = None
        done, refused = [], []
        for id_ in _ids(asked):
            try:
                entry = self._parts.correct(id_, label, batch)
            except BeartrayError as error:
                refused.append(shown(error))
                continue
            batch = entry.batch
            done.append(self._replaced(id_, entry.id))
        return {"done": done, "refused": refused}

    def _undo(self, asked: dict[str, Any]) -> dict[str, object]:
        done, refused = [], []
        for id_ in sorted(_ids(asked), reverse=True):
            try:
                self._parts.undo([id_])
            except BeartrayError as error:
                refused.append(shown(error))
                continue
            done.append(self._replaced(id_, self._gallery.older(id_)))
        return {"done": done, "refused": refused}

    def _listed(self, asked: dict[str, Any]) -> dict[str, object]:
        controls = self._parts.controls
        problem = controls.problem()
        return {
            "listed": self._gallery.listed(_ids(asked)),
            "headline": shown(controls.headline()),
            "problem": None if problem is None else shown(problem),
        }

    def _replaced(self, old: int, new: int | None) -> dict[str, object]:
        """What the gallery shows in the place of entry `old` now."""
        tile = None if new is None else self._gallery.tile(new)
        html = "" if tile is None else self._looking.tiles_html([tile])
        return {"old": old, "new": new if tile else None, "html": html}

    def _set(self, asked: dict[str, Any]) -> dict[str, object]:
        name, value = asked.get("name"), asked.get("value")
        if not isinstance(name, str) or not isinstance(value, str):
            raise BadRequestError("a setting has a name and a value")
        self._parts.controls.set(name, value)
        return {}


async def _answer(request: Request, act: Callable[[dict[str, Any]], dict[str, object]]) -> Response:
    """Do it on a thread of its own; what a person can mend is said in words."""
    try:
        asked = await _read(request)
        return JSONResponse(await run_in_threadpool(act, asked))
    except BadRequestError as error:
        return JSONResponse({"error": str(error)}, 400)
    except BeartrayError as error:
        return JSONResponse({"error": shown(error)}, 409)


async def _read(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise BadRequestError("the page sends JSON")
    content = bytearray()
    try:
        async for piece in request.stream():
            content += piece
            if len(content) > LARGEST:
                raise BadRequestError("that is too long")
        asked = json.loads(content)
    except (ValueError, RecursionError, ClientDisconnect):
        raise BadRequestError("that is no JSON") from None
    if not isinstance(asked, dict):
        raise BadRequestError("the page sends an object")
    return asked


def _ids(asked: dict[str, Any]) -> list[int]:
    """Journal ids, each once."""
    ids = asked.get("ids")
    if not isinstance(ids, list) or len(ids) > MOST_IDS:
        raise BadRequestError(f"name up to {MOST_IDS} photos")
    if not all(type(id_) is int and 0 < id_ <= LARGEST_ID for id_ in ids):
        raise BadRequestError("a photo is named by its number")
    return list(dict.fromkeys(ids))
