"""The page of a running Beartray: what a person does on it, on the disk and in the journal."""

from __future__ import annotations

import http.client
import io
import json
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import names, picture, wait_until
from tests.program import ROOT, Program
from tests.review.conftest import Review
from trayapp.corrections import Corrections
from trayapp.photo import Photo
from trayapp.review import upload

pytestmark = pytest.mark.flow


def test_what_was_filed_is_shown_put_right_and_taken_back(review: Review) -> None:
    id_ = review.file("a.jpg")
    tiles = review.get("/tiles").text
    assert "grizzly" in tiles and "a.jpg" in tiles
    page = review.get(f"/photo/{id_}").text
    assert "<meter" in page and str(review.folder / "grizzly") in page.replace("<wbr>", "")
    (done,) = review.post("/correct", {"ids": [id_], "label": "teddy"}).json["done"]
    assert names(review.folder) == {"teddy/a.jpg"}
    assert done["old"] == id_ and "you said" in done["html"]
    assert review.get("/tiles").ids == [done["new"]]
    assert review.get("/tiles?show=corrected").ids == [done["new"]]
    assert "put right" in review.get(f"/photo/{id_}").text
    (back,) = review.post("/undo", {"ids": [done["new"]]}).json["done"]
    assert back["new"] == id_ and names(review.folder) == {"grizzly/a.jpg"}
    (gone,) = review.post("/undo", {"ids": [id_]}).json["done"]
    assert gone["new"] is None and names(review.folder) == {"a.jpg"}
    assert review.get("/tiles").ids == []
    assert "was taken back" in review.get(f"/photo/{id_}").text
    assert [entry.state for entry in review.live.journal.history()] == ["undone", "undone"]
    assert "not filed any more" not in review.get("/").text


def test_what_was_not_recognised_is_shown_where_it_lies(review: Review) -> None:
    id_ = review.file("desk.jpg", "black")
    assert review.get("/tiles?show=none").ids == [id_]
    assert "Not recognised" in review.get(f"/photo/{id_}").text
    assert review.post("/undo", {"ids": [id_]}).json["refused"]
    (done,) = review.post("/correct", {"ids": [id_], "label": "grizzly"}).json["done"]
    assert names(review.folder) == {"grizzly/desk.jpg"}
    wait_until(
        lambda: review.live.notes.noted(Photo.at(review.folder / "grizzly" / "desk.jpg")), 10, "it"
    )
    (back,) = review.post("/undo", {"ids": [done["new"]]}).json["done"]
    assert back["new"] == id_ and names(review.folder) == {"desk.jpg"}


def test_several_at_once_and_what_cannot_be_is_said(review: Review) -> None:
    ids = [review.file(f"{number}.jpg") for number in range(3)]
    (review.folder / "grizzly" / "1.jpg").unlink()
    answer = review.post("/correct", {"ids": ids, "label": None}).json
    assert [done["old"] for done in answer["done"]] == [ids[0], ids[2]]
    page = review.get(f"/photo/{ids[1]}").text
    assert "no longer where it was" in page and '<img src="/large' not in page
    assert len(answer["refused"]) == 1 and "no longer there" in answer["refused"][0]
    assert names(review.folder) == {"0.jpg", "2.jpg"}
    batches = {review.live.journal.entry(done["new"]).batch for done in answer["done"]}
    assert len(batches) == 1  # `beartray undo --batch` takes them back together
    listed = review.post("/listed", {"ids": ids}).json["listed"]
    assert listed == [ids[1]]
    wait_until(lambda: not review.live.pipeline.pending, 10, "nothing on its way")
    assert names(review.folder) == {"0.jpg", "2.jpg"}, "and they are not filed again"
    found = Corrections(review.live.database).all()
    assert [(one.was, one.label) for one in found] == [("grizzly", None)] * 2


def test_pictures_are_upright_small_and_made_once(review: Review) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(review.folder / "a.jpg", (1200, 800), colour="red", exif=exif)
    (id_,) = wait_until(lambda: review.get("/tiles").ids, 30, "it is filed")
    answer = review.get(f"/thumb/{id_}")
    assert Image.open(io.BytesIO(answer.body)).size == (320, 480)
    kept = names(review.running.paths.cache)
    assert len(kept) == 1
    again = review.get(f"/thumb/{id_}", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert names(review.running.paths.cache) == kept
    (review.folder / "grizzly" / "a.jpg").unlink()
    assert review.get(f"/thumb/{id_}").status == 404


def test_what_is_this(review: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = picture(tmp_path / "x.jpg", colour="blue").read_bytes()
    found = review.ask("POST", "/classify", content).json
    assert (found["label"], found["reason"], found["error"]) == ("teddy", None, None)
    assert next(iter(found["scores"])) == "teddy"
    bad = review.ask("POST", "/classify", b"no picture").json
    assert bad["reason"] == "unreadable" and "is not a picture" in bad["error"]
    assert str(tmp_path) not in json.dumps(bad)
    large = review.ask("POST", "/classify", None, Content_Length=str(upload.LARGEST_BYTES + 1))
    assert large.status == 413
    scratch = review.running.paths.private / "review"
    assert names(scratch) == set() and review.live.journal.history() == []
    statuses = [review.ask("POST", "/classify", content).status for _ in range(upload.A_MINUTE)]
    assert statuses[0] == 200 and statuses[-1] == 429
    assert list(scratch.iterdir()) == []


def test_an_upload_without_a_length_is_cut_off(review: Review) -> None:
    """Sent in pieces, as a program can that does not say how much will come."""
    connection = http.client.HTTPConnection("127.0.0.1", int(review.host[10:]), timeout=30)
    piece = b"x" * 1_000_000

    def pieces() -> object:
        for _ in range(upload.LARGEST_BYTES // len(piece) + 20):
            yield piece

    headers = {"Cookie": review.cookie, "Origin": f"http://{review.host}"}
    try:
        connection.request("POST", "/classify", pieces(), headers, encode_chunked=True)  # type: ignore[arg-type]
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server has hung up before all was sent
    finally:
        connection.close()
    scratch = review.running.paths.private / "review"
    wait_until(lambda: not list(scratch.iterdir()), 10, "nothing is left of it")


def test_open_pages_hear_of_what_is_filed(review: Review) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(review.host[10:]), timeout=60)
    connection.request("GET", "/events", headers={"Cookie": review.cookie, "Host": review.host})
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")
    heard = threading.Event()

    def listen() -> None:
        while line := stream.readline():
            if line.startswith(b"event: news"):
                heard.set()

    thread = threading.Thread(target=listen, name="listener")
    thread.start()
    review.file("a.jpg")
    assert heard.wait(20)
    review.reviewing.close()  # Beartray ends: so does the stream
    thread.join(10)
    assert not thread.is_alive()
    connection.close()


def test_no_answer_waits_for_word_that_its_beginning_has_come(review: Review) -> None:
    """Which takes 40 ms where the system gathers what is sent (Nagle's algorithm)."""
    connection = http.client.HTTPConnection("127.0.0.1", int(review.host[10:]), timeout=30)
    connection.request("GET", "/what", headers={"Cookie": review.cookie})
    assert connection.getresponse().read()
    server = review.reviewing._server
    assert server is not None
    (kept,) = server._server.server_state.connections
    sock = kept.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    connection.close()


def test_settings_are_those_of_the_tray(review: Review, tmp_path: Path) -> None:
    page = review.get("/settings").text
    assert str(review.folder) in page and "Copy into folders" in page
    for name, value in [("action", "copy"), ("notify", "digest"), ("paused", "on")]:
        assert review.post("/set", {"name": name, "value": value}).status == 200
    review.running.wait_for_pause(True)
    wait_until(lambda: review.live.settings.sort.action == "copy", 10, "in force")
    text = review.running.paths.settings_file.read_text()
    assert "# mine" in text and 'mode = "digest"' in text
    other = tmp_path / "other"
    wrong = [
        *(("action", "delete"), ("notify", ""), ("model", "../x"), ("at_login", "1")),
        *(
            ("folder", "relative"),
            ("folder", str(other)),
            ("folder", "\0"),
            ("startup.paused", "x"),
        ),
    ]
    for name, value in wrong:
        answer = review.post("/set", {"name": name, "value": value})
        assert answer.status == 409 and answer.json["error"], (name, value)
    assert review.post("/set", {"name": "action"}).status == 400
    assert review.running.paths.settings_file.read_text() == text
    other.mkdir()
    assert review.post("/set", {"name": "folder", "value": str(other)}).status == 200
    wait_until(lambda: review.live.root == other, 10, "the folder was changed")


def test_the_overview_counts(review: Review) -> None:
    ids = [review.file(f"{number}.jpg") for number in range(4)]
    review.file("desk.jpg", "black")
    review.post("/correct", {"ids": ids[:1], "label": "teddy"})
    for period in ("month", "year", "nonsense"):
        text = review.get(f"/overview?period={period}").text
        assert "<svg" in text and "75 %" in text and "1 teddy" in text
        assert "<dt>photos</dt><dd>5</dd>" in text and "20 %" in text


def printed_by(script: str) -> str:
    """What a Python of its own prints, in which nothing is loaded yet."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_of_the_page_is_loaded_before_somebody_looks(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "import trayapp.cli, trayapp.app.program, trayapp.app.reviewing, trayapp.live\n"
        "heavy = {'starlette', 'uvicorn', 'jinja2', 'anyio', 'h11', 'asyncio.sslproto',"
        " 'trayapp.review', 'PIL', 'numpy', 'onnxruntime'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    assert printed_by(script) == "[]\n"


def test_the_tray_process_never_decodes(tmp_path: Path) -> None:
    """Not even with the page open: neither Pillow nor numpy come into it."""
    script = (
        "import sys\n"
        "import trayapp.review.server, trayapp.review.site\n"
        "print(sorted({'PIL', 'numpy', 'onnxruntime', 'torch'} & set(sys.modules)))\n"
    )
    assert printed_by(script) == "[]\n"


def test_it_starts_where_python_cannot_encrypt(tmp_path: Path) -> None:
    """As in the bundle, which goes without OpenSSL."""
    script = (
        "import importlib.util as util, sys\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, *more: None if name == '_ssl' else find(name, *more)\n"
        "sys.modules['_ssl'] = None\n"
        "from trayapp.review.nossl import do_without_ssl\n"
        "do_without_ssl()\n"
        "import trayapp.review.server, anyio.to_thread, ssl\n"
        "print(ssl.__doc__)\n"
    )
    assert "Stands in" in printed_by(script)


def test_the_command_says_where_and_only_a_running_one_can(tmp_path: Path, inbox: Path) -> None:
    program = Program(tmp_path / "home")
    done = program.try_command("review", "--print")
    assert (done.returncode, done.stdout) == (3, "")
    assert "not running" in done.stderr
    with program.running(inbox):
        first, second = (program.command("review", "--print").strip() for _ in range(2))
        assert first.startswith("http://127.0.0.1:") and first != second
        host = first.split("/")[2]
        connection = http.client.HTTPConnection("127.0.0.1", int(host[10:]), timeout=10)
        connection.request("GET", first.partition(host)[2])
        assert connection.getresponse().status == 303
        connection.close()
    log = (program.home / "log" / "beartray.log").read_text()
    assert "key=" not in log, "the log keeps no keys"
