"""A running Beartray with its review page, and a client that says exactly what a test wants."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import picture, wait_until
from tests.test_actions import ITEM, NoLogin
from tests.test_live import Running, watching
from trayapp.app.actions import TrayActions
from trayapp.app.face import Face
from trayapp.app.reviewing import Reviewing


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def ids(self) -> list[int]:
        return [int(found) for found in re.findall(r'data-id="(\d+)"', self.text)]


class Review:
    """The page of a running Beartray; `cookie` is that of a person who was let in."""

    def __init__(self, running: Running, folder: Path) -> None:
        self.running, self.live, self.folder = running, running.live, folder
        self.reviewing = Reviewing(running.live, running.paths, lambda: self.actions)
        login = NoLogin()
        face = Face(running.live, login, ITEM.place, running.paths)
        self.actions = TrayActions(
            *(running.live, face, login, running.paths, running.notices.append, running.live.stop),
            self.reviewing.link,
        )
        running.live._changed = self.reviewing.changed
        self.cookie = ""

    def link(self) -> str:
        """A one-time address, less the host."""
        address = self.reviewing.link()
        self.host, _, path = address.removeprefix("http://").partition("/")
        return f"/{path}"

    def enter(self) -> None:
        answer = self.ask("GET", self.link())
        assert (answer.status, answer.headers["location"]) == (303, "/")
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str | None
    ) -> Answer:
        """With the page's own headers, unless told otherwise; None leaves one out."""
        sent: dict[str, str | None] = {"Host": self.host, "Cookie": self.cookie or None}
        if method != "GET":
            sent["Origin"] = f"http://{self.host}"
        if body is not None:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", int(self.host[10:]), timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value is not None:
                    connection.putheader(name, value)
            connection.endheaders(body)
            found = connection.getresponse()
            headers_of = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, headers_of, found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.ask("GET", path, None, **headers)

    def post(self, path: str, message: object) -> Answer:
        return self.ask("POST", path, json.dumps(message).encode())

    def file(self, name: str, colour: str = "red") -> int:
        """Drop a photo and wait until the journal knows it; its entry's id."""
        before = set(self.get("/tiles").ids)
        picture(self.folder / name, (640, 480), colour=colour)
        (found,) = wait_until(lambda: set(self.get("/tiles").ids) - before, 30, f"{name} is listed")
        return found


@pytest.fixture
def review(tmp_path: Path, inbox: Path) -> Iterator[Review]:
    """Beartray at work on the folder `inbox`; red photos are grizzlies, blue ones teddies."""
    running = Running(tmp_path / "home", watching(inbox), None)
    found = Review(running, inbox)
    try:
        found.enter()
        yield found
    finally:
        found.reviewing.close()
        running.end()
