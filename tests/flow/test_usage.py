"""What all commands share: help, wrong words, exit statuses, one-line errors, missing streams."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import require_programs
from tests.program import BEARTRAY, ROOT, Program

pytestmark = pytest.mark.flow

Photo = Callable[..., bytes]
COMMANDS = (
    *("run", "status", "pause", "resume", "quit", "classify", "sort", "history", "undo"),
    *("model", "autostart", "config", "doctor", "open", "about"),
)
IN_GROUPS = ("model list", "model info", "model use", "model verify", "config path", "config set")


def test_help_names_every_command(program: Program) -> None:
    text = program.command("--help")
    assert [name for name in COMMANDS if f" {name} " not in text] == []
    assert program.command("-h") == text


@pytest.mark.parametrize("command", [*COMMANDS, *IN_GROUPS])
def test_every_command_has_help(program: Program, command: str) -> None:
    done = program.try_command(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: beartray {command}" in done.stdout
    assert not list(program.home.glob("journal*")), "asking for help makes nothing"


def test_version(program: Program) -> None:
    assert program.command("--version").startswith("beartray 0.")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("frobnicate",), "No such command 'frobnicate' (see `beartray --help`)"),
        (("--frobnicate",), "No such option: --frobnicate (see `beartray --help`)"),
        (("classify",), "Missing argument 'PATH…' (see `beartray classify --help`)"),
        (("run", "--folder"), "requires an argument (see `beartray --help`)"),
        (("run", "--frobnicate"), "No such option: --frobnicate (see `beartray run --help`)"),
        (("run", "extra"), "unexpected extra argument"),
        (("history", "-n", "0"), "greater than or equal to 1 (see `beartray history --help`)"),
        (("history", "-n", "x"), "valid integer"),
        (("pause", "--for", "1x"), "'1x' is not a span of time; write for example 30m, 1h"),
        (("pause", "--until", "soon"), "'soon' is no time to come; write for example tomorrow"),
        (("pause", "--for", "1h", "--until", "18:30"), "use one of --for and --until"),
        (("open", "sesame"), "'sesame' is not one of 'folder', 'unsure', 'settings', 'log'"),
        (("model",), "Missing command (see `beartray model --help`)"),
        (("config",), "Missing command (see `beartray config --help`)"),
        (("autostart", "maybe"), "'maybe' is not one of 'on', 'off', 'status'"),
    ],
)
def test_wrong_words_are_status_2_and_one_line(
    program: Program, words: tuple[str, ...], complaint: str
) -> None:
    done = program.try_command(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("beartray: ")
    assert done.stderr.count("\n") == 1
    assert complaint in done.stderr


def test_not_running_is_status_3(program: Program) -> None:
    timed = (["pause", "--for", "1h"], ["pause", "--until", "tomorrow"])
    for words in (["status"], ["pause"], *timed, ["resume"], ["quit"]):
        done = program.try_command(*words)
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr.startswith("beartray: Beartray is not running; start it")
    done = program.try_command("status", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (3, {"state": "not running"})


def test_a_traceback_only_when_asked_for(program: Program) -> None:
    plain = program.try_command("undo", "99")
    assert plain.stderr == "beartray: there is no entry 99 in the history; see `beartray history`\n"
    for words in (("--debug", "undo", "99"), ("undo", "99", "--debug")):
        shown = program.try_command(*words)
        assert shown.returncode == 1
        assert shown.stderr.startswith("Traceback")
        assert shown.stderr.endswith(plain.stderr)


def test_a_home_that_cannot_be_written_is_one_line(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    program.environ["BEARTRAY_HOME"] = str(tmp_path / "file" / "home")
    for words in (["history"], ["run", "--headless"], ["config", "set", "sort.action", "copy"]):
        done = program.try_command(*words)
        assert done.returncode in (1, 2)
        assert (done.stdout, done.stderr.count("\n")) == ("", 1), done.stderr
        assert "a file is where a folder should be; rename it" in done.stderr


def test_a_read_only_home_is_one_line(program: Program, inbox: Path, photo: Photo) -> None:
    photo(inbox / "a.jpg")
    program.command("sort", inbox)
    if os.geteuid() == 0:  # root, but without root's right to write everywhere
        require_programs("setpriv")
        program.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    for path in (program.home, program.home / "private"):
        path.chmod(0o500)
    done = program.try_command("undo")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
    assert f"{program.home}/" in done.stderr
    assert "no permission" in done.stderr
    assert (inbox / "grizzly" / "a.jpg").exists()
    for path in (program.home, program.home / "private"):
        path.chmod(0o700)
    program.command("undo")


def test_a_damaged_journal_is_one_line(program: Program) -> None:
    (program.home / "journal.sqlite").write_bytes(b"not a database" * 100)
    for words in (["history"], ["undo"]):
        done = program.try_command(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
        assert f"{program.home}/journal.sqlite" in done.stderr
        assert "rename the file to start a new one" in done.stderr


def test_wrong_settings_stop_every_command_that_needs_them(program: Program, inbox: Path) -> None:
    program.settings.write_text("[sort]\naction = 'mov'\n")
    for words in (["classify", str(inbox)], ["sort", str(inbox)], ["model", "list"]):
        done = program.try_command(*words)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert f"{program.settings}: sort.action: found 'mov'; allowed: " in done.stderr


@pytest.mark.parametrize("words", [["--help"], ["config", "show"], ["model", "info"]])
def test_a_reader_that_goes_away_is_no_error(program: Program, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*BEARTRAY, *words], env=program.environ, stdout=writer, stderr=subprocess.PIPE
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


WINDOWED = """
import json, sys
sys.stdin = sys.stdout = sys.stderr = None
from trayapp.cli import main
found = [main(words) for words in json.loads(sys.argv[1])]
open(sys.argv[2], "w").write(json.dumps(found))
"""


def test_without_any_streams_as_in_a_windowed_program(
    program: Program, inbox: Path, photo: Photo, tmp_path: Path
) -> None:
    photo(inbox / "a.jpg")
    commands = {
        ("--help",): 0, ("--version",): 0, ("bogus",): 2, ("status",): 3, ("config", "show"): 0,
        ("classify", str(inbox), "nowhere.jpg"): 1, ("sort", str(inbox)): 0, ("history",): 0,
        ("undo",): 0, ("undo", "99", "--debug"): 1, ("model", "info"): 0,
    }  # fmt: skip
    answer = tmp_path / "answer"
    subprocess.run(
        [sys.executable, "-c", WINDOWED, json.dumps(list(commands)), str(answer)],
        env=program.environ,
        cwd=ROOT,
        check=True,
    )
    assert dict(zip(commands, json.loads(answer.read_text()), strict=True)) == commands
    assert (inbox / "a.jpg").exists()
