"""A second start, and commands, reach the Beartray that runs; nobody else does."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Client, answer_challenge, deliver_challenge
from pathlib import Path

import pytest

from tests.desktop.desk import wait_until
from trayapp.desktop.control import (
    LIMIT,
    ControlPaths,
    ControlServer,
    Handler,
    NotAnsweringError,
    NotRunningError,
    SingleInstance,
    _read_note,
    hand_over,
    send,
)
from trayapp.desktop.sockets import LONGEST_SOCKET_PATH, make_private
from trayapp.photo import BeartrayError

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Unix sockets")
Serve = Callable[[Handler], ControlServer]


@pytest.fixture
def paths(in_memory: Path) -> ControlPaths:
    return ControlPaths.for_unix(in_memory / "private", {}, in_memory)


@pytest.fixture
def serve(paths: ControlPaths) -> Iterator[Serve]:
    servers = []

    def start(handler: Handler) -> ControlServer:
        server = ControlServer(paths, handler)
        server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


def echo(request: dict[str, object]) -> dict[str, object]:
    return {"you said": request}


def raw_client(paths: ControlPaths) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(paths.addresses[0])  # waits where the queue is full
    client.settimeout(5)
    return client


def test_a_request_is_answered(paths: ControlPaths, serve: Serve) -> None:
    serve(echo)
    request = {"command": "pause", "seconds": 3600, "name": "Bär\udcff.jpg"}
    assert send(paths, request) == {"you said": request}


def test_nobody_else_can_even_see_the_socket(paths: ControlPaths, serve: Serve) -> None:
    serve(echo)
    folder = Path(paths.addresses[0]).parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert Path(paths.addresses[0]).stat().st_mode & 0o777 == 0o600
    assert paths.note.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_done_is_said_in_the_words_of_the_running_one(
    paths: ControlPaths, serve: Serve
) -> None:
    def refuse(request: dict[str, object]) -> dict[str, object]:
        if request == {"command": "crash"}:
            raise RuntimeError("secret inner life")
        raise BeartrayError("there is nothing to undo")

    serve(refuse)
    with pytest.raises(BeartrayError, match="there is nothing to undo"):
        send(paths, {"command": "undo"})
    with pytest.raises(BeartrayError, match="its log says why"):
        send(paths, {"command": "crash"})
    with pytest.raises(BeartrayError, match="nothing to undo"):
        send(paths, {"command": "undo"})


def test_without_a_running_beartray_one_is_told_how_to_start_it(paths: ControlPaths) -> None:
    with pytest.raises(NotRunningError, match="not running; start it"):
        send(paths, {})


def test_after_close_nothing_answers_and_nothing_is_left(paths: ControlPaths, serve: Serve) -> None:
    server = serve(echo)
    server.close()
    server.close()
    with pytest.raises(NotRunningError):
        send(paths, {})
    assert list((paths.note.parent).iterdir()) == []


def test_who_does_not_know_the_secret_learns_and_does_nothing(
    paths: ControlPaths, serve: Serve
) -> None:
    asked: list[object] = []

    def note_it(request: dict[str, object]) -> dict[str, object]:
        asked.append(request)
        return {"done": True}

    serve(note_it)
    note = json.loads(paths.note.read_text())
    honest = paths.note.read_text()
    paths.note.write_text(json.dumps({**note, "secret": "00" * 32}))
    with pytest.raises(NotRunningError):
        send(paths, {"command": "quit"})
    with Client(paths.addresses[0]) as client:  # no handshake at all
        client.send_bytes(json.dumps({"command": "quit"}).encode())
        wait_until(lambda: client.poll(0.1), "the server had something to say")
        with pytest.raises((EOFError, OSError)):
            while True:
                client.recv_bytes()
    paths.note.write_text(honest)
    assert send(paths, {}) == {"done": True}
    assert asked == [{}]


@pytest.mark.parametrize("words", [b"", b"GET / HTTP/1.1\r\n\r\n", bytes(1000), b"\xff" * 9])
def test_garbage_is_hung_up_on(paths: ControlPaths, serve: Serve, words: bytes) -> None:
    serve(echo)
    with raw_client(paths) as client:
        client.sendall(words)
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while client.recv(4096):
                pass
    assert send(paths, {"still": "there"})


def test_a_message_beyond_the_limit_is_not_read(paths: ControlPaths, serve: Serve) -> None:
    serve(echo)
    assert send(paths, {"long": "a" * (LIMIT // 4)})
    with pytest.raises(NotRunningError):
        send(paths, {"too long": "a" * LIMIT})
    assert send(paths, {"still": "there"})


def test_silent_clients_keep_nobody_waiting_and_do_not_delay_the_end(
    paths: ControlPaths, serve: Serve
) -> None:
    server = serve(echo)
    silent = [raw_client(paths) for _ in range(5)]
    half = raw_client(paths)
    half.sendall(struct.pack("!i", 100) + b"half")
    assert send(paths, {"me": 1}, timeout=1.0)
    closing = threading.Thread(target=server.close)
    closing.start()
    closing.join(1.0)
    assert not closing.is_alive()
    for client in (*silent, half):
        client.close()


def test_more_silent_clients_than_there_is_room_for_are_turned_away_in_time(
    paths: ControlPaths, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trayapp.desktop.control.PATIENCE", 0.2)
    serve(echo)
    silent = [raw_client(paths) for _ in range(20)]

    def answered() -> bool:
        try:
            return bool(send(paths, {"me": 1}, timeout=1.0))
        except NotRunningError:
            return False

    wait_until(answered, "a friend was heard among the silent")
    for client in silent:
        client.close()


def test_a_server_that_never_answers_is_given_up(in_memory: Path) -> None:
    address = str(in_memory / "control")
    note = in_memory / "control.json"
    found = {"address": address, "family": "AF_UNIX", "secret": "00", "pid": 1}
    note.write_text(json.dumps(found))
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(address)
        deaf.listen(1)
        paths = ControlPaths(note, (address,), "AF_UNIX")
        with pytest.raises(NotRunningError):
            send(paths, {}, timeout=0.3)


def test_the_socket_of_a_killed_beartray_is_replaced(paths: ControlPaths, serve: Serve) -> None:
    make_private(paths.note.parent)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(paths.addresses[0])
    dead.close()
    with pytest.raises(NotRunningError):
        send(paths, {})
    serve(echo)
    assert send(paths, {"me": 1})


def test_a_living_one_is_not_replaced(paths: ControlPaths, serve: Serve) -> None:
    serve(echo)
    with pytest.raises(BeartrayError, match="another Beartray"):
        ControlServer(paths, echo).start()
    assert send(paths, {"me": 1})


def test_a_deep_home_gets_its_socket_elsewhere(in_memory: Path) -> None:
    private = in_memory.joinpath(*["a very deep folder"] * 8)
    runtime = in_memory / "run"
    paths = ControlPaths.for_unix(private, {"XDG_RUNTIME_DIR": str(runtime)}, in_memory)
    assert all(len(os.fsencode(path)) <= LONGEST_SOCKET_PATH for path in paths.addresses)
    assert Path(paths.addresses[0]).is_relative_to(runtime)
    server = ControlServer(paths, echo)
    server.start()
    assert send(paths, {"me": 1})
    server.close()


DEEP = ["a very deep folder"] * 8


def test_in_a_shared_place_it_listens_in_a_folder_that_nobody_can_take_first(
    in_memory: Path,
) -> None:
    shared = in_memory / "tmp"
    shared.mkdir()
    paths = ControlPaths.for_unix(in_memory.joinpath(*DEEP), {}, shared)
    assert paths.addresses == ()
    servers = [ControlServer(paths, echo) for _ in range(2)]
    places = []
    for server in servers:
        server.start()
        (folder,) = (one for one in shared.iterdir() if one not in places)
        places.append(folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert send(paths, {"me": 1}) == {"you said": {"me": 1}}
        server.close()
        assert not folder.exists()
        places.remove(folder)


def test_what_a_killed_one_left_in_a_shared_place_goes_at_the_next_start(
    in_memory: Path, serve: Serve
) -> None:
    shared = in_memory / "tmp"
    shared.mkdir()
    paths = ControlPaths.for_unix(in_memory.joinpath(*DEEP), {}, shared)
    left = shared / "beartray-12345678"
    left.mkdir(mode=0o700)
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(left / "control"))
    dead.close()
    make_private(paths.note.parent)
    note = {"address": str(left / "control"), "family": "AF_UNIX", "secret": "00", "pid": 1}
    paths.note.write_text(json.dumps(note))
    server = ControlServer(paths, echo)
    server.start()
    assert not left.exists() and send(paths, {"me": 1})
    server.close()
    assert list(shared.iterdir()) == []


def test_a_folder_that_somebody_prepared_is_not_used(in_memory: Path) -> None:
    runtime, trap = in_memory / "run", in_memory / "trap"
    for folder in (runtime, trap):
        folder.mkdir()
    environ = {"XDG_RUNTIME_DIR": str(runtime)}
    paths = ControlPaths.for_unix(in_memory.joinpath(*DEEP), environ, in_memory)
    Path(paths.addresses[0]).parent.symlink_to(trap)
    server = ControlServer(paths, echo)
    server.start()
    assert list(trap.iterdir()) == [] and send(paths, {"me": 1}), "it listens elsewhere"
    server.close()


def test_a_temporary_folder_with_a_long_name_is_no_obstacle(in_memory: Path) -> None:
    paths = ControlPaths.for_unix(in_memory.joinpath(*DEEP), {}, in_memory.joinpath(*DEEP))
    assert [str(place) for place in paths.shared] == ["/tmp"]


@pytest.mark.parametrize(
    "note",
    [
        {"address": ["192.0.2.1", 80], "family": "AF_INET", "secret": "00", "pid": 1},
        {"address": "192.0.2.1", "family": "AF_INET", "secret": "00", "pid": 1},
        {"address": "x", "family": "AF_UNIX", "secret": "no hex", "pid": 1},
        {"address": "x", "family": "AF_UNIX", "pid": 1},
        ["x"],
    ],
)
def test_a_note_that_is_none_is_not_followed(paths: ControlPaths, note: object) -> None:
    make_private(paths.note.parent)
    paths.note.write_text(json.dumps(note))
    with pytest.raises(NotRunningError, match="not running"):
        send(paths, {})


def test_a_note_that_somebody_else_put_there_is_not_read(
    paths: ControlPaths, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(echo)
    real = paths.note.with_name("elsewhere.json")
    paths.note.rename(real)
    paths.note.symlink_to(real)
    with pytest.raises(NotRunningError):
        send(paths, {})
    paths.note.unlink()
    real.rename(paths.note)
    assert send(paths, {"me": 1})
    own = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: own + 1)
    with pytest.raises(NotRunningError):
        send(paths, {})


def test_deeply_nested_words_are_turned_away(paths: ControlPaths, serve: Serve) -> None:
    serve(echo)
    secret = _read_note(paths.note).secret
    with Client(paths.addresses[0], "AF_UNIX") as client:
        answer_challenge(client, secret)
        deliver_challenge(client, secret)
        client.send_bytes(b"[" * 100_000)
        with pytest.raises((EOFError, OSError)):
            client.recv_bytes()
    assert send(paths, {"still": "there"})


def test_a_stopped_one_is_told_from_one_that_does_not_run(paths: ControlPaths) -> None:
    serve = (
        "import sys; from pathlib import Path\n"
        "from trayapp.desktop.control import ControlPaths, ControlServer, SingleInstance\n"
        "private, address = Path(sys.argv[1]), sys.argv[2]\n"
        "one = SingleInstance(private / 'running.lock'); one.acquire()\n"
        "server = ControlServer(ControlPaths(private / 'control.json', (address,), 'AF_UNIX'), "
        "lambda request: request)\n"
        "server.start(); print('up', flush=True); sys.stdin.read(); server.close()\n"
    )
    private = paths.note.parent
    with running(serve, str(private), paths.addresses[0]) as first:
        assert first.stdout is not None and first.stdout.readline() == "up\n"
        assert send(paths, {"me": 1}) == {"me": 1}
        first.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        for ask in (send, hand_over):
            with pytest.raises(NotAnsweringError, match=f"process {first.pid}.*end it"):
                ask(paths, {"me": 2}, 0.3)
        assert time.monotonic() - started < 2.0
        assert not SingleInstance(private / "running.lock").acquire(), "there is still only one"
        first.send_signal(signal.SIGCONT)
        assert send(paths, {"me": 3}) == {"me": 3}


def test_a_second_start_reaches_a_first_one_that_is_only_just_starting(
    paths: ControlPaths, serve: Serve
) -> None:
    with pytest.raises(NotRunningError):
        hand_over(paths, {"command": "show"}, 0.1)
    answers: list[dict[str, object]] = []
    second = threading.Thread(target=lambda: answers.append(hand_over(paths, {"command": "show"})))
    second.start()
    serve(echo)
    second.join(5)
    assert answers == [{"you said": {"command": "show"}}]


def test_windows_gets_a_pipe_that_nobody_can_name_first() -> None:
    one, other = (ControlPaths.for_windows(Path("/home/ann")) for _ in range(2))
    assert one.family == "AF_PIPE" and one.addresses[0].startswith("\\\\.\\pipe\\beartray-")
    assert one.addresses != other.addresses


@contextlib.contextmanager
def running(program: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another Python process that can import the project; killed at the end."""
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


HOLD = (
    "import sys; from pathlib import Path\n"
    "from trayapp.desktop.control import SingleInstance\n"
    "one = SingleInstance(Path(sys.argv[1]))\n"
    "sys.stdin.readline()\n"
    "print(one.acquire(), flush=True); sys.stdin.read()\n"
)


def test_only_one_beartray_runs(tmp_path: Path) -> None:
    lock = tmp_path / "private" / "lock"
    with running(HOLD, str(lock)) as first:
        assert said(first) == "True"
        assert not SingleInstance(lock).acquire()
    again = SingleInstance(lock)
    assert again.acquire()
    again.release()


def test_of_several_that_start_at_the_same_moment_one_runs(tmp_path: Path) -> None:
    lock = tmp_path / "private" / "lock"
    with contextlib.ExitStack() as stack:
        starts = [stack.enter_context(running(HOLD, str(lock))) for _ in range(4)]
        with ThreadPoolExecutor(len(starts)) as pool:
            assert sorted(pool.map(said, starts)) == ["False", "False", "False", "True"]


def said(process: subprocess.Popen[str]) -> str:
    """Let it go on; what it says."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return process.stdout.readline().strip()
