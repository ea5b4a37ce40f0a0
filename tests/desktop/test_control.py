"""A second start, and commands, reach the Beartray that runs; nobody else does."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from multiprocessing.connection import Client
from pathlib import Path

import pytest

from tests.desktop.desk import wait_until
from trayapp.desktop.control import (
    LIMIT,
    ControlPaths,
    ControlServer,
    Handler,
    NotRunningError,
    SingleInstance,
    send,
)
from trayapp.desktop.sockets import LONGEST_SOCKET_PATH, make_private
from trayapp.photo import BeartrayError

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Unix sockets")
Serve = Callable[[Handler], ControlServer]


@pytest.fixture
def paths(short_folder: Path) -> ControlPaths:
    return ControlPaths.for_unix(short_folder / "private", {}, short_folder)


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


def test_a_server_that_never_answers_is_given_up(short_folder: Path) -> None:
    address = str(short_folder / "control")
    note = short_folder / "control.json"
    note.write_text(json.dumps({"address": address, "family": "AF_UNIX", "secret": "00"}))
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


def test_a_deep_home_gets_its_socket_elsewhere(short_folder: Path) -> None:
    private = short_folder.joinpath(*["a very deep folder"] * 8)
    runtime = short_folder / "run"
    paths = ControlPaths.for_unix(private, {"XDG_RUNTIME_DIR": str(runtime)}, short_folder)
    assert all(len(os.fsencode(path)) <= LONGEST_SOCKET_PATH for path in paths.addresses)
    assert Path(paths.addresses[0]).is_relative_to(runtime)
    server = ControlServer(paths, echo)
    server.start()
    assert send(paths, {"me": 1})
    server.close()


def test_a_folder_that_somebody_prepared_in_a_shared_place_is_not_used(
    short_folder: Path,
) -> None:
    shared = short_folder / "tmp"
    shared.mkdir()
    paths = ControlPaths.for_unix(short_folder.joinpath(*["deep folder"] * 12), {}, shared)
    trap = short_folder / "trap"
    trap.mkdir()
    Path(paths.addresses[0]).parent.symlink_to(trap)
    with pytest.raises(BeartrayError, match="not a folder of this user's"):
        ControlServer(paths, echo).start()
    assert list(trap.iterdir()) == []


def test_windows_gets_a_pipe_of_its_own_per_home() -> None:
    one, other = (ControlPaths.for_windows(Path("/home") / name) for name in ("ann", "bob"))
    assert one.family == "AF_PIPE" and one.addresses[0].startswith("\\\\.\\pipe\\beartray-")
    assert one.addresses != other.addresses


def test_only_one_beartray_runs(tmp_path: Path) -> None:
    lock = tmp_path / "private" / "lock"
    hold = (
        "import sys; from pathlib import Path\n"
        "from trayapp.desktop.control import SingleInstance\n"
        "one = SingleInstance(Path(sys.argv[1]))\n"
        "print(one.acquire(), flush=True); sys.stdin.read()\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "True\n"
        assert not SingleInstance(lock).acquire()
        first.kill()
        first.wait(10)
    again = SingleInstance(lock)
    assert again.acquire()
    again.release()
