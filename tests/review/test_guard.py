"""Requests made by hand: who is not let in learns nothing, above all not about the disk."""

from __future__ import annotations

import gc
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.helpers import make_tree, picture, wait_until
from tests.review.conftest import Answer, Review
from trayapp.review import visitor
from trayapp.review.guard import CLOSED, REFUSED

pytestmark = pytest.mark.flow

PAGES = ["/", "/tiles", "/photo/1", "/thumb/1", "/large/1", "/what", "/overview", "/settings"]
STRANGER = 12_345
OTHERS = ["/events", "/static/review.js", "/nothing", "/..%2f..%2fetc/passwd"]
POSTS = ["/correct", "/undo", "/listed", "/set", "/classify"]


def says_nothing(answer: Answer, review: Review) -> bool:
    """Refused in words that are always the same."""
    assert answer.status in (401, 403), answer
    assert answer.text in (CLOSED, REFUSED)
    whole = f"{answer.headers} {answer.text}"
    return str(review.folder.parent) not in whole and "uvicorn" not in whole.lower()


def test_without_the_cookie_nothing_is_shown(review: Review) -> None:
    review.file("a.jpg")
    for cookie in (None, "", "x", f"beartray-{review.host[10:]}=guess", "beartray=1; a=b"):
        for path in PAGES + OTHERS:
            assert says_nothing(review.get(path, Cookie=cookie), review)
        for path in POSTS:
            assert says_nothing(review.ask("POST", path, b'{"ids": [1]}', Cookie=cookie), review)
    assert (review.folder / "grizzly" / "a.jpg").exists()


def test_another_host_is_refused(review: Review) -> None:
    """A page of an attacker whose name was made to mean this machine (DNS rebinding)."""
    port = review.host[10:]
    for host in (f"evil.example:{port}", f"localhost:{port}", "127.0.0.1", "", f"[::1]:{port}"):
        for path in ("/", "/thumb/1", "/events", review.link()):
            assert says_nothing(review.get(path, Host=host), review)


def test_other_pages_are_refused(review: Review) -> None:
    id_ = review.file("a.jpg")
    undo = f'{{"ids": [{id_}]}}'.encode()
    port = int(review.host[10:])
    for origin in ("http://evil.example", "null", f"http://127.0.0.1:{port - 1}", None):
        assert says_nothing(review.ask("POST", "/undo", undo, Origin=origin), review)
    for site in ("cross-site", "same-site"):
        for path in ("/", "/events", "/thumb/1", review.link()):
            assert says_nothing(review.get(path, Sec_Fetch_Site=site), review)
        assert says_nothing(review.ask("POST", "/undo", undo, Sec_Fetch_Site=site), review)
    assert says_nothing(review.get("/events", Origin="http://evil.example"), review)
    assert says_nothing(review.ask("OPTIONS", "/undo", Origin="http://evil.example"), review)
    assert (review.folder / "grizzly" / "a.jpg").exists()
    assert review.get("/", Sec_Fetch_Site="same-origin").status == 200
    assert review.get("/", Sec_Fetch_Site="none").status == 200


def test_cookies_of_other_local_servers_do_not_lock_the_page(review: Review) -> None:
    """A browser sends them along, as it knows of no ports."""
    for other in ('a={"b": 1}', "a[b]=1", "a=\u00e9", "a", 'a="'):
        assert review.get("/tiles", Cookie=f"{other}; {review.cookie}").status == 200
        assert review.get("/tiles", Cookie=f"{review.cookie}; {other}").status == 200
        assert says_nothing(review.get("/tiles", Cookie=other), review)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says whose a connection is")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two")
def test_another_user_is_not_even_heard(review: Review) -> None:
    """Who reads the link in the list of processes, or the cookie at another port, is too late."""
    ask = "exec 3<>/dev/tcp/127.0.0.1/$0 && printf '%b' \"$1\" >&3 && cat <&3"
    for path in (review.link(), "/tiles"):
        request = f"GET {path} HTTP/1.1\r\nHost: {review.host}\r\nCookie: {review.cookie}\r\n"
        command = ["bash", "-c", ask, review.host[10:], f"{request}Connection: close\r\n\r\n"]
        own = subprocess.run(command, capture_output=True, check=False)
        assert own.stdout.startswith((b"HTTP/1.1 303", b"HTTP/1.1 200"))
    command[-1] = command[-1].replace("/tiles", review.link())
    done = subprocess.run(command, capture_output=True, check=False, user=STRANGER, cwd="/")
    assert done.stdout == b"" and done.returncode != 0, done.stderr  # reset, or a broken pipe
    assert review.get("/tiles").status == 200


def test_those_who_say_nothing_take_no_room(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each connection is an open file, of which the filing needs some too."""
    monkeypatch.setattr(visitor, "WORD_SECONDS", 1.0)
    monkeypatch.setattr(visitor, "MOST", 20)
    port, start = int(review.host[10:]), time.monotonic()
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=20))
            for _ in range(2 * visitor.MOST)
        ]
        for one in silent[visitor.MOST :]:
            assert is_over(one), "one too many"
        silent[0].sendall(b"GET / HTTP/1.1\r\nHost: ")
        for one in silent[: visitor.MOST]:
            assert is_over(one), "not a word"
        assert time.monotonic() - start < 15
        assert review.get("/tiles").status == 200


def is_over(connection: socket.socket) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_who_is_refused_is_not_listened_to(review: Review) -> None:
    request = f"POST /classify HTTP/1.1\r\nHost: {review.host}\r\nContent-Length: 99999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(review.host[10:])), timeout=5) as connection:
        connection.sendall(request.encode())
        heard = b""
        while piece := connection.recv(10_000):
            heard += piece
        assert heard.startswith(b"HTTP/1.1 403") and heard.endswith(REFUSED.encode())


def test_a_form_of_another_kind_is_not_taken(review: Review) -> None:
    id_ = review.file("a.jpg")
    body = f'{{"ids": [{id_}]}}'.encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None):
        assert review.ask("POST", "/undo", body, Content_Type=kind).status == 400
    assert review.get("/undo").status == 404
    assert (review.folder / "grizzly" / "a.jpg").exists()


def test_a_link_opens_once_and_not_for_long(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = review.link()
    assert review.ask("HEAD", link, Origin=None).status == 401  # a preview does not use it up
    first = review.get(link, Cookie=None)
    assert first.status == 303
    assert "HttpOnly" in first.headers["set-cookie"]
    assert "samesite=strict" in first.headers["set-cookie"].lower()
    assert says_nothing(review.get(link, Cookie=None), review)
    assert says_nothing(review.get("/enter?key=", Cookie=None), review)
    assert says_nothing(review.get("/enter", Cookie=None), review)
    late = review.link()
    monkeypatch.setattr("trayapp.review.keys.LIFE_SECONDS", -1.0)
    assert says_nothing(review.get(review.link(), Cookie=None), review)
    assert review.get(late, Cookie=None).status == 303


def test_numbers_name_photos_and_nothing_else_does(review: Review, tmp_path: Path) -> None:
    secret = picture(tmp_path / "secret.jpg")
    id_ = review.file("a.jpg")
    assert review.get(f"/thumb/{id_}").headers["content-type"] == "image/jpeg"
    tricks = [
        *(
            "0",
            "-1",
            "999999",
            "9" * 40,
            "9" * 5000,
            "1e3",
            "1.0",
            "0x1",
            "٣",
            "%00",
            "1%00",
            "' OR 1=1",
        ),
        *("..", "../secret.jpg", "%2e%2e%2fsecret.jpg", "..%2f..%2fsecret.jpg", "%2fetc%2fpasswd"),
        *(str(secret).replace("/", "%2f"), "file:%2f%2f%2fetc%2fpasswd", "a.jpg"),
    ]
    for trick in tricks:
        for page in ("photo", "thumb", "large", "static"):
            path = f"/{page}/{trick}".encode("ascii", "replace").decode().replace(" ", "%20")
            answer = review.get(path)
            assert answer.status == 404, path
            assert str(tmp_path) not in answer.text
    wrong: list[object] = [[0], [-1], ["1"], [1.5], [True], [2**70], "1", None, {}, [id_] * 600]
    for ids in wrong:
        assert review.post("/undo", {"ids": ids}).status == 400
    assert review.post("/undo", {"ids": [12345]}).json["refused"]
    for body in (b"", b"[]", b"{", b"[" * 50_000, b"\xff", b'{"ids": [1]' + b" " * 200_000):
        assert review.ask("POST", "/undo", body).status == 400


def test_every_answer_says_what_a_browser_may_do_with_it(review: Review) -> None:
    id_ = review.file("a.jpg")
    for path in (*PAGES[:3], f"/thumb/{id_}", f"/large/{id_}", "/static/review.js", "/nothing"):
        headers = review.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers and "server" not in headers
        assert headers["cache-control"].startswith(("no-store", "private"))
    for page in ("/", "/what", "/overview", "/settings", f"/photo/{id_}"):
        text = review.get(page).text
        assert "<script>" not in text and " style=" not in text and " onclick=" not in text
        assert "http://" not in text and "https://" not in text


@pytest.mark.skipif(sys.platform == "win32", reason="such a name cannot be there")
def test_a_name_is_a_name_and_no_markup(review: Review) -> None:
    id_ = review.file("<img src=x onerror=alert(1)>\"'.jpg")
    for path in ("/", f"/photo/{id_}"):
        text = review.get(path).text
        assert "<img src=x" not in text and "&lt;img src=x onerror=alert(1)&gt;" in text


def test_it_listens_on_the_loopback_only(review: Review) -> None:
    port = int(review.host[10:])
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None)}
    for address in others - {"127.0.0.1", "::1"}:
        with pytest.raises(OSError), socket.create_connection((str(address), port), timeout=2):
            pass
    hexed = f"0100007F:{port:04X}"
    if sys.platform == "linux":
        listening = [
            line.split()[1]
            for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        ]
        assert hexed in listening and f"00000000:{port:04X}" not in listening


def test_the_server_ends_when_nobody_looks(review: Review) -> None:
    review.reviewing.close()
    review.reviewing.idle_seconds = 0.5
    before = review.host
    review.enter()
    assert review.host != before and review.get("/").status == 200
    running = weakref.ref(review.reviewing._server)
    wait_until(lambda: review.reviewing._server is None, 20, "the server to end")
    with pytest.raises(OSError):
        review.get("/")
    wait_until(lambda: not serving(), 10, "its threads to end")
    gc.collect()
    assert running() is None, "nor is anything of it kept, such as what it knew of the journal"
    review.enter()  # and it comes back, for those with a new link
    assert review.get("/").status == 200


def serving() -> list[str]:
    """The page's server, and those that read and wait for it."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name == "review" or name.startswith("AnyIO")]


def test_what_was_looked_at_when_beartray_was_killed_is_not_kept(review: Review) -> None:
    review.reviewing.close()
    scratch = review.running.paths.private / "review"
    make_tree(scratch, {"look-x": {"the picture": "private"}})
    review.enter()
    assert not scratch.exists()
