"""The pages to look at: gallery, photo, overview, settings, and the small pictures in them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from trayapp.photo import Entry
from trayapp.review.filters import address, label_chips, read_filter, show_chips
from trayapp.review.gallery import PAGE, Cursor, Details, Gallery, NoSuchPhotoError, Tile
from trayapp.review.overview import PERIODS, Overview
from trayapp.review.pages import Pages, colours
from trayapp.review.parts import Parts
from trayapp.review.thumbs import NoPictureError, Thumbs
from trayapp.steps import sidecars
from trayapp.times import local_now

THUMB, LARGE = 480, 1600  # pixels of the longer side
LARGEST_ID = 2**63 - 1


class Looking:
    """Endpoints that read the journal; they run on threads, beside the server's loop."""

    def __init__(self, parts: Parts, pages: Pages, gallery: Gallery, thumbs: Thumbs) -> None:
        self._parts, self._pages, self._gallery, self._thumbs = parts, pages, gallery, thumbs
        self._overview = Overview(parts.database)

    def photos(self, request: Request) -> Response:
        """The gallery, its first page."""
        wanted = read_filter(request.query_params)
        tiles = self._gallery.page(wanted)
        return self._pages.response(
            "photos.html",
            page="photos",
            headline=self._parts.controls.headline(),
            problem=self._parts.controls.problem(),
            wanted=wanted,
            shows=show_chips(wanted),
            labels=label_chips(wanted, sorted(self._colours(), key=str.casefold)),
            any_day=address(replace(wanted, day=None)),
            models=self._gallery.models(),
            query=address(wanted).partition("?")[2],
            grid=self._tiles(tiles),
        )

    def tiles(self, request: Request) -> Response:
        """More of the gallery: the tiles only."""
        after = Cursor.parse(request.query_params.get("after", ""))
        tiles = self._gallery.page(read_filter(request.query_params), after)
        return HTMLResponse(self.tiles_html(tiles))

    def tiles_html(self, tiles: Sequence[Tile]) -> str:
        return self._pages.render("_tiles.html", grid=self._tiles(tiles))

    def photo(self, request: Request) -> Response:
        """One photo, large."""
        found = self._details(request)
        if found is None:
            return self._pages.response("missing.html", 404, page="")
        entry = found.entry
        newer, older = self._gallery.newer(entry.id), self._gallery.older(entry.id)
        return self._pages.response(
            "photo.html",
            page="photos",
            found=found,
            entry=entry,
            tile=found.tile,
            newer=newer,
            older=older,
            scores=sorted(found.scores.items(), key=lambda item: -item[1]),
            place=entry.place,
            there=os.path.lexists(entry.place),
            sidecars=_sidecars(entry) if found.current else [],
            labels=self._parts.labels(),
            colours=self._colours(),
        )

    def thumb(self, request: Request) -> Response:
        return self._picture(request, THUMB, "private, max-age=3600")

    def large(self, request: Request) -> Response:
        return self._picture(request, LARGE, "private, max-age=600")

    def overview(self, request: Request) -> Response:
        period = request.query_params.get("period", "month")
        found = self._overview.of(period if period in PERIODS else "month", local_now().date())
        return self._pages.response(
            "overview.html", page="overview", found=found, periods=PERIODS, colours=self._colours()
        )

    def what(self, _request: Request) -> Response:
        return self._pages.response("what.html", page="what", colours=self._colours())

    def settings(self, _request: Request) -> Response:
        return self._pages.response(
            "settings.html",
            page="settings",
            choices=self._parts.controls.choices(),
            problem=self._parts.controls.problem(),
        )

    def _tiles(self, tiles: Sequence[Tile]) -> dict[str, object]:
        more = tiles[-1].cursor if len(tiles) == PAGE else ""
        labels = self._parts.labels()
        return {"tiles": tiles, "more": more, "labels": labels, "colours": self._colours()}

    def _colours(self) -> dict[str, int]:
        return colours(sorted({*self._parts.labels(), *self._gallery.labels()}))

    def _details(self, request: Request) -> Details | None:
        try:
            return self._gallery.details(read_id(request))
        except NoSuchPhotoError:
            return None

    def _picture(self, request: Request, side: int, caching: str) -> Response:
        """Of an entry of the journal: no other file of this disk can be named."""
        found = self._details(request)
        try:
            if found is None:
                raise NoPictureError
            content = self._thumbs.jpeg(found.entry.place, side)
        except NoPictureError:
            return PlainTextResponse("This photo cannot be shown.\n", 404)
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        headers = {"cache-control": caching, "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="image/jpeg", headers=headers)


def read_id(request: Request) -> int:
    """The number in the path; one that no entry has where there is none."""
    text = str(request.path_params["id"])
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


def _sidecars(entry: Entry) -> list[str]:
    try:
        return [path.name for path in sidecars(entry.place)]
    except OSError:
        return []
