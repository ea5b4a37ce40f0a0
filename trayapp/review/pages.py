"""Templates and files of the review page, and the words in them."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from trayapp import __version__
from trayapp.tell import percent

HERE = Path(__file__).parent
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
COLOURS = 8

# A name may turn the order of letters round, or hold what is no text at all.
_HARMFUL = frozenset(
    "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2028\u2029\u2066\u2067\u2068\u2069\ufeff"
)


class Pages:
    """Renders templates; `labels` gives the order of the labels' colours."""

    def __init__(self) -> None:
        self._static = {file.name: file.read_bytes() for file in (HERE / "static").iterdir()}
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(HERE / "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters |= {
            "percent": percent,
            "shown": shown,
            "path": path,
            "moment": moment,
            "clock": clock,
            "day": day,
            "count": lambda number: f"{number:,}",
        }
        self._environment.globals["version"] = __version__

    def prepare(self) -> None:
        """Compile every template, which the first page of each would wait for."""
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    def render(self, template: str, **values: object) -> str:
        return str(self._environment.get_template(template).render(**values))

    def response(self, template: str, status: int = 200, **values: object) -> Response:
        return HTMLResponse(self.render(template, **values), status)

    async def static(self, request: Request) -> Response:
        """One of our own files; they are in memory, so no name can lead anywhere else."""
        name = request.path_params["name"]
        content = self._static.get(name)
        if content is None:
            return PlainTextResponse("There is no such page.\n", 404)
        return Response(content, media_type=TYPES[Path(name).suffix])


def colours(labels: Sequence[str]) -> dict[str, int]:
    """A number for each label's colour; the same label keeps it as long as the labels do."""
    return {label: number % COLOURS for number, label in enumerate(sorted(labels))}


def shown(text: object) -> str:
    """A name from a disk, fit to show."""
    words = str(text)
    if words.isascii() and words.isprintable():  # nearly all, and there are many on a page
        return words
    return "".join(_letter(letter) for letter in words)


def path(found: Path) -> Markup:
    """A path whose lines end after a folder rather than within a name."""
    return escape(shown(found)).replace(os.sep, Markup(f"{os.sep}<wbr>"))


def moment(seconds: float) -> str:
    """ "21 November 2026, 14:05" """
    found = datetime.fromtimestamp(seconds).astimezone()
    return f"{found.day} {found:%B %Y, %H:%M}"


def clock(seconds: float) -> str:
    """For machines: ISO 8601 with the offset."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def day(found: date) -> str:
    """ "Sat 21 November" """
    return f"{found:%a} {found.day} {found:%B}"


def _letter(letter: str) -> str:
    if unicodedata.category(letter) == "Zs":  # such as the narrow one in a Mac's screenshots
        return " "
    return "�" if not letter.isprintable() or letter in _HARMFUL else letter
