"""The review page of the bundle: its templates, its server and its pictures are all there."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.frozen.conftest import Bundled
from tests.helpers import picture, wait_until

pytestmark = pytest.mark.frozen


def test_the_page_shows_what_was_filed_and_puts_it_right(program: Bundled, tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with program.running(inbox):
        picture(inbox / "a.jpg", (640, 480), colour="red")
        wait_until((inbox / "grizzly" / "a.jpg").exists, 20, "it is filed")
        address = program.command("review", "--print").strip()
        host, _, path = address.removeprefix("http://").partition("/")
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            cookie = get(connection, f"/{path}", "", 303)[1]
            for page in ("/", "/what", "/overview", "/settings", "/photo/1"):
                text = get(connection, page, cookie)[0].decode()
                for name in re.findall(r"/static/[\w.]+", text):
                    assert get(connection, name, cookie)[0]
            for page in ("/thumb/1", "/large/1"):
                assert get(connection, page, cookie)[0].startswith(b"\xff\xd8\xff")
            assert get(connection, "/photo/2", cookie, 404)

            def post(path: str, content: bytes) -> Any:
                headers = {"Cookie": cookie, "Origin": f"http://{host}"}
                headers["Content-Type"] = "application/json"
                connection.request("POST", path, content, headers)
                answer = connection.getresponse()
                assert answer.status == 200, answer.read()
                return json.loads(answer.read())

            (done,) = post("/correct", b'{"ids": [1], "label": "teddy"}')["done"]
            assert (inbox / "teddy" / "a.jpg").exists()
            assert post("/classify", (inbox / "teddy" / "a.jpg").read_bytes())["label"] == "grizzly"
            assert post("/undo", f'{{"ids": [{done["new"]}]}}'.encode())["done"]
            assert (inbox / "grizzly" / "a.jpg").exists()
            post("/set", b'{"name": "notify", "value": "off"}')
            wait_until(lambda: program.status()["notify"] == "off", 20, "it is set")
        finally:
            connection.close()


def get(
    connection: http.client.HTTPConnection, path: str, cookie: str, status: int = 200
) -> tuple[bytes, str]:
    connection.request("GET", path, headers={"Cookie": cookie})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == status, (path, answer.status, content)
    return content, (answer.headers["set-cookie"] or "").partition(";")[0]
