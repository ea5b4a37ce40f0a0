"""tasks.py on machines that we do not have: old Pythons, moved checkouts, pip offline, Ctrl-C."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import pytest

import tasks
from tasks import Counts, Environment, TaskError, child, main, read_counts
from tests.helpers import wait_until

posix_only = pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")


class FakeEnvironment(Environment):
    """Notes what would be called; making one copies nothing but a Python that starts."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.calls: list[list[str]] = []

    def _call(self, failure: str, *command: str | Path) -> None:
        self.calls.append([str(part) for part in command])
        if "venv" in command:
            self.python.parent.mkdir(parents=True)
            if os.name == "posix":
                self.python.symlink_to(sys.executable)
            else:
                shutil.copy(sys.executable, self.python)

    def done(self) -> list[str]:
        """What has been done since the last question: "make", or the extras that were installed."""
        done = ["make" if "venv" in call else call[-1] for call in self.calls]
        self.calls.clear()
        return done


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "a checkout"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]")
    (root / "requirements.txt").write_text("numpy==2.4.6")
    return root


@pytest.fixture
def environment(checkout: Path) -> FakeEnvironment:
    return FakeEnvironment(checkout)


def test_the_environment_is_made_once(environment: FakeEnvironment) -> None:
    assert environment.ready() == environment.python
    assert environment.done() == ["make", "."]
    environment.ready()
    assert environment.done() == []


def test_more_extras_are_added_and_stay(environment: FakeEnvironment) -> None:
    environment.ready()
    environment.ready("dev")
    environment.ready()
    assert environment.done() == ["make", ".", ".[dev]"]


def test_new_pins_are_installed_into_what_is_there(environment: FakeEnvironment) -> None:
    environment.ready("dev")
    (environment.root / "requirements.txt").write_text("numpy==2.4.7")
    environment.done()
    environment.ready()
    assert environment.done() == [".[dev]"]
    environment.ready()
    assert environment.done() == []


@pytest.mark.parametrize("damage", ["half made", "no Python", "not a stamp", "other Python"])
def test_a_broken_environment_is_made_anew(environment: FakeEnvironment, damage: str) -> None:
    environment.ready()
    environment.done()
    stamp = json.loads(environment.stamp.read_text())
    if damage == "half made":
        del stamp["built_from"]
    if damage == "other Python":
        stamp["python"] = [3, 10]
    if damage == "no Python":
        environment.python.unlink()
    environment.stamp.write_text("[]" if damage == "not a stamp" else json.dumps(stamp))

    environment.ready()
    assert environment.done() == ["make", "."]


@posix_only  # Windows cannot copy a running Python's link
def test_a_moved_environment_is_made_anew(environment: FakeEnvironment, tmp_path: Path) -> None:
    environment.ready()
    moved = FakeEnvironment(environment.root.rename(tmp_path / "moved"))
    moved.ready()
    assert moved.done() == ["make", "."]


def test_somebody_elses_environment_is_not_touched(environment: FakeEnvironment) -> None:
    (environment.folder / "bin").mkdir(parents=True)
    with pytest.raises(TaskError, match="move it away"):
        environment.ready()
    assert environment.done() == []
    assert (environment.folder / "bin").is_dir()


def test_a_failed_installation_is_tried_again(environment: FakeEnvironment) -> None:
    class Offline(FakeEnvironment):
        def _call(self, failure: str, *command: str | Path) -> None:
            if "pip" in command:
                raise TaskError(failure)
            super()._call(failure, *command)

    with pytest.raises(TaskError, match="is this machine online"):
        Offline(environment.root).ready()
    environment.ready()
    assert environment.done() == ["make", "."]


def test_what_failed_is_told_with_its_last_words(checkout: Path) -> None:
    script = "print('\\n'.join(map(str, range(99))), flush=True); raise SystemExit('no network')"
    with pytest.raises(TaskError) as failed:
        Environment(checkout)._call("pip could not.", sys.executable, "-c", script)

    lines = str(failed.value).splitlines()
    assert lines[0] == "pip could not. It ended with:"
    assert len(lines) == 16
    assert "    no network" in lines


def test_debian_without_venv_is_told_what_to_install(
    environment: FakeEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TaskError, match="apt install python3-venv"):
        environment.ready()
    assert not environment.folder.exists()


def test_an_old_python_gets_a_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))
    assert main(["run"]) == 2
    assert capsys.readouterr().err == "Beartray needs Python 3.11 or later; this is 3.9.2.\n"


def test_the_file_is_readable_for_pythons_that_are_too_old() -> None:
    # They must get as far as saying so.
    ast.parse(Path(tasks.__file__).read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["bake"], 2), (["--help"], 0)])
def test_usage(arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == status
    told = capsys.readouterr()
    assert "tasks.py test" in (told.err if status else told.out)


def test_counts_come_from_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite tests="9" failures="1" errors="2" skipped="3"/></testsuites>'
    )
    assert read_counts(report, 1) == Counts(passed=3, failed=3, skipped=3)
    assert str(read_counts(report, 1)) == "3 passed, 3 failed, 3 skipped"


def test_a_run_that_broke_off_is_a_failure(tmp_path: Path) -> None:
    assert read_counts(tmp_path / "none.xml", 4) == Counts(failed=1)
    assert read_counts(tmp_path / "none.xml", 5) == Counts()


# Each says that it runs and waits for the other: one after the other, neither would end well.
WAITS_FOR_THE_OTHER = """
import pathlib, sys, time
folder, me, other = pathlib.Path(sys.argv[1]), *sys.argv[2:]
(folder / me).touch()
end = time.monotonic() + 20
while not (folder / other).exists():
    assert time.monotonic() < end
    time.sleep(0.01)
print(f"{me} met {other}")
(folder / f"{me}.xml").write_text("<testsuite tests='1'/>")
"""


def test_two_groups_run_at_once_and_print_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def command(python: Path, name: str, marked: str, arguments: list[str], folder: Path) -> object:
        script = [python, "-c", WAITS_FOR_THE_OTHER, folder, name, marked]
        return script, folder / f"{name}.xml"

    monkeypatch.setattr(tasks, "pytest_command", command)
    groups = {"flow": "desktop", "desktop": "flow"}
    counts = tasks.pytest_side_by_side(Path(sys.executable), groups, [], tmp_path)

    assert counts == Counts(passed=2)
    told = capfdbinary.readouterr().out.splitlines()
    assert told.index(b"flow met desktop") == told.index(b"== flow tests") + 1
    assert told.index(b"desktop met flow") == told.index(b"== desktop tests") + 1


ALONE_OR_TWO = """
import pathlib, sys, time
folder, me = pathlib.Path(sys.argv[1]), sys.argv[2]
with (folder / "log").open("a") as log:
    print("begin", me, file=log, flush=True)
    time.sleep(float(sys.argv[3]))
    print("end", me, file=log, flush=True)
(folder / f"{me}.xml").write_text("<testsuite tests='1'/>")
"""


def test_a_third_group_waits_for_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(python: Path, name: str, takes: str, arguments: list[str], folder: Path) -> object:
        return [python, "-c", ALONE_OR_TWO, folder, name, takes], folder / f"{name}.xml"

    monkeypatch.setattr(tasks, "pytest_command", command)
    groups = {"flow": "0.3", "desktop": "0.1", "learning": "0", "frozen": "0"}
    counts = tasks.pytest_side_by_side(Path(sys.executable), groups, [], tmp_path)

    assert counts == Counts(passed=4)
    running: set[str] = set()
    for line in (tmp_path / "log").read_text().splitlines():
        _, name = line.split()
        running ^= {name}
        assert len(running) <= 2, f"{running} at once"


def test_no_marked_test_is_forgotten() -> None:
    """Each mark is kept out of the fast tests and belongs to a group."""
    with (tasks.ROOT / "pyproject.toml").open("rb") as stream:
        markers = tomllib.load(stream)["tool"]["pytest"]["ini_options"]["markers"]
    marks = {marker.partition(":")[0] for marker in markers}
    assert set(re.findall(r"not (\w+)", tasks.FAST)) == marks
    assert set(re.findall(r"\b(?!(?:or|and|not)\b)\w+", " ".join(tasks.SLOW.values()))) == marks


@pytest.mark.parametrize(
    ("arguments", "extras"),
    [
        ([], ("dev", "bundle", "fastai")),
        (["--quick"], ("dev",)),
        (["-k", "sidecar"], ("dev", "bundle", "fastai")),
    ],
)
def test_all_tests_need_learning_and_bundling_and_the_quick_ones_do_not(
    arguments: list[str], extras: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, ...]] = []

    def ready(self: Environment, *extras: str) -> Path:
        asked.append(extras)
        raise TaskError("enough")

    monkeypatch.setattr(Environment, "ready", ready)
    monkeypatch.setattr(tasks, "install_packages", lambda: None)
    with pytest.raises(TaskError, match="enough"):
        tasks.test(arguments)
    assert asked == [extras]


@pytest.mark.parametrize("status", [0, 1])
def test_a_bundle_is_built_then_weighed(
    status: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    called: list[list[str]] = []

    @contextmanager
    def fake_child(command: list[object], cwd: Path) -> Iterator[object]:
        called.append([str(word) for word in command])
        weighing = "report.py" in called[-1][1]
        yield SimpleNamespace(wait=lambda: status if weighing else 0)

    monkeypatch.setattr(Environment, "ready", lambda self, *extras: tmp_path / "-".join(extras))
    monkeypatch.setattr(tasks, "child", fake_child)
    assert main(["bundle", "--edition", "standard"]) == status

    build, report = called
    tools = tasks.ROOT / "packaging"
    words = ["--edition", "standard"]
    assert build == [str(tmp_path / "bundle"), str(tools / "build.py"), *words]
    assert report[2] == str(tasks.ROOT / "dist" / "standard" / "beartray")


@pytest.mark.parametrize("words", [["--edition", "pocket"], ["--edition"], ["standard", "x"]])
def test_a_bundle_that_cannot_be_built_is_not_begun(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Environment, "ready", lambda *_: pytest.fail("began"))
    assert main(["bundle", *words]) == 1
    assert "--edition standard" in capsys.readouterr().err


@posix_only
@pytest.mark.parametrize("apart", [True, False])
def test_an_interrupted_child_may_tidy_up(tmp_path: Path, apart: bool) -> None:
    script = (
        "import pathlib, signal, sys\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "try:\n"
        "    (folder / 'runs').touch()\n"
        "    signal.pause()\n"
        "finally:\n"
        "    (folder / 'tidied').touch()\n"
    )
    with (
        (tmp_path / "output").open("w+b") as output,
        pytest.raises(tasks.Terminated),
        child(
            [sys.executable, "-c", script, tmp_path], output=output if apart else None
        ) as process,
    ):
        wait_until((tmp_path / "runs").exists, 20, "the child to run")
        raise tasks.Terminated
    assert (tmp_path / "tidied").exists()
    assert process.returncode in (1, -signal.SIGINT)


@posix_only
def test_the_app_takes_over_the_process(checkout: Path, tmp_path: Path) -> None:
    # A checkout whose environment is ready; its "app" tells how it was called.
    shutil.copy(tasks.__file__, checkout)
    environment = FakeEnvironment(checkout)
    environment.ready()
    program = environment.python.with_name("beartray")
    program.write_text('#!/bin/sh\necho "$$" "$PWD" "$@"\nexit 3\n')
    program.chmod(0o755)

    command = [
        sys.executable,
        f"{checkout / 'tasks.py'}",
        "run",
        "classify",
        "my photo.jpg",
        "--json",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        told, _ = process.communicate(timeout=30)
    assert told == f"{process.pid} {tmp_path} classify my photo.jpg --json\n"
    assert process.returncode == 3


def test_packages_are_left_alone_where_there_is_no_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: pytest.fail("ran something"))
    tasks.install_packages()


@posix_only
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (0, ["update", "install"]),
        (1000, []),
    ],
)
def test_missing_packages_are_installed_where_one_may(
    user: int,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    called: list[list[str]] = []

    def fake_run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        if command[0] == "apt-get":
            called.append(command)
        found = b"not-installed" if command[-1] in {"xvfb", "dunst"} else b"installed"
        return subprocess.CompletedProcess(command, 0, stdout=found)

    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("subprocess.run", fake_run)
    monkeypatch.setattr("os.geteuid", lambda: user)
    tasks.install_packages()

    assert [command[2] for command in called] == expected
    assert all(command[-2:] == ["dunst", "xvfb"] for command in called[1:])
    told = "Installing dunst xvfb" if user == 0 else "sudo apt-get install dunst xvfb"
    assert told in capsys.readouterr().out


def test_every_pin_is_exact_and_names_no_place() -> None:
    lines = (tasks.ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.lstrip().startswith("#")]

    assert len(pins) > 50
    assert all(re.fullmatch(r"[a-z0-9-]+==[^ @/:]+( ; .+)?", pin) for pin in pins)
    assert not [pin for pin in pins if pin.startswith(("nvidia-", "cuda-", "triton"))]


def test_every_requirement_of_the_project_is_pinned() -> None:
    with (tasks.ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]
    pinned = (tasks.ROOT / "requirements.txt").read_text(encoding="utf-8")
    for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
        name = re.match(r"[\w-]+", line)
        assert name and re.search(rf"(?mi)^{name[0]}==", pinned), f"{line} is not pinned"
