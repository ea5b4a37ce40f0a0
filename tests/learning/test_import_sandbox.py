"""What a learner does while it is imported stays where it is, ends in time, and leaves nothing."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import wait_until
from trayapp.engine import EngineError
from trayapp.learning.sandbox import Limits, run_apart

pytestmark = pytest.mark.learning

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")


def apart(
    name: str, folder: Path, request: Mapping[str, Any] | None = None, limits: Limits | None = None
) -> dict[str, Any]:
    said: list[Mapping[str, Any]] = []
    work = f"tests.learning.chores:{name}"
    found = run_apart(work, request or {}, folder, limits or Limits(60), said.append)
    return {**found, "said": said}


def is_gone(pid: int) -> bool:
    """Ended, whoever is to be told of it."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def test_work_is_done_elsewhere_and_reported(tmp_path: Path) -> None:
    found = apart("add", tmp_path, {"numbers": [1, 2, 3]})
    assert found["sum"] == 6
    assert found["said"] == [{"step": "adding"}]


def test_its_output_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    apart("shout", tmp_path)
    assert capfd.readouterr() == ("", "")


@linux
@pytest.mark.parametrize("hard", [False, True])
def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, hard: bool) -> None:
    file = tmp_path / "pid"
    with pytest.raises(EngineError, match=r"did nothing for 3 seconds and was stopped"):
        apart("hang", tmp_path, {"file": str(file), "hard": hard}, Limits(3))
    wait_until(lambda: is_gone(int(file.read_text())), 5, "the learner's own child to be gone")


@linux
def test_what_it_leaves_running_is_ended(tmp_path: Path) -> None:
    pid = apart("leave_one_behind", tmp_path)["pid"]
    wait_until(lambda: is_gone(pid), 5, "the learner's own child to be gone")


@linux
def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    file = tmp_path / "pid"

    def interrupt() -> None:
        wait_until(lambda: file.exists() and file.read_text(), 60, "the learner to hang")
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        apart("hang", tmp_path, {"file": str(file)})
    thread.join()
    wait_until(lambda: is_gone(int(file.read_text())), 5, "the learner's own child to be gone")


@pytest.mark.parametrize(
    ("chore", "words"),
    [
        ("crash", r"crashed \(SIGSEGV\)"),
        ("exit_", "the import failed: SystemExit"),
        ("exit_hard", r"ended its process by itself \(status 7\)"),
        ("fail", r"the import failed: RuntimeError\('on.*more lines'\)"),
        ("lie", "the import failed: "),
    ],
)
def test_every_other_end_is_one_line(tmp_path: Path, chore: str, words: str) -> None:
    with pytest.raises(EngineError, match=words) as found:
        apart(chore, tmp_path)
    assert "\n" not in str(found.value)


@linux
def test_it_cannot_fill_the_memory(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="needs more memory than the import may use"):
        apart("eat_memory", tmp_path, None, Limits(60, memory_bytes=1 << 30))


@linux
def test_it_reaches_no_network(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = apart("connect", tmp_path, {"port": server.getsockname()[1]})
    assert (found["python"], found["urllib"]) == ("PermissionError", "PermissionError")
    assert found["network"] in {"own namespace", "refused by Python"}
    if found["network"] == "own namespace":
        assert found["another program"] == "not reached"


@linux
def test_it_is_still_the_same_person_who_works(tmp_path: Path) -> None:
    found = apart("look_around", tmp_path)
    assert found["user"] == os.getuid()
    assert found["home"] == str(Path.home())
    assert found["temporary"] == str(tmp_path)
    assert found["nice"] >= 10
