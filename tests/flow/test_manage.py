"""model, config and autostart: what Beartray works with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.models.pickles import harmful
from tests.program import COLOURS, Program

pytestmark = pytest.mark.flow


@pytest.fixture
def mine(program: Program) -> Path:
    """A model package of the person's own, called "mine"."""
    return shutil.copytree(COLOURS, program.home / "models" / "mine")


def refuses(program: Program, *words: str) -> str:
    """The one line with which a command refuses, with status 2."""
    done = program.try_command(*words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    return done.stderr


def test_models_are_listed_and_the_one_in_use_is_marked(program: Program, mine: Path) -> None:
    assert program.command("model", "use", "mine") == "Using colours: grizzly, black, teddy\n"
    listed = program.command("model", "list").splitlines()
    assert [line[:7] for line in listed] == ["  bears", "* mine:"]
    assert listed[1] == "* mine: grizzly, black, teddy (onnx)"
    rows = program.rows("model", "list")
    assert [list(row) for row in rows] == [["name", "used", "labels", "path", "engines"]] * 2
    assert [(row["name"], row["used"]) for row in rows] == [("bears", False), ("mine", True)]
    assert rows[1]["engines"] == ["onnx"]
    program.command("config", "set", "model.package", str(COLOURS))
    assert f"* {COLOURS}: grizzly, black, teddy (onnx)" in program.command("model", "list")


def test_a_model_that_cannot_be_used_is_listed_with_the_reason(
    program: Program, mine: Path
) -> None:
    (mine / "model.json").write_text("{")
    (line,) = [line for line in program.command("model", "list").splitlines() if "mine" in line]
    assert line.startswith(f"  mine: cannot be used: {mine}/model.json is not JSON")
    (row,) = [row for row in program.rows("model", "list") if row["name"] == "mine"]
    assert row["engines"] == []
    assert "is not JSON" in row["problem"]


def test_a_model_tells_what_it_is(program: Program) -> None:
    text = program.command("model", "info", "bears")
    for words in (
        *("  labels: black, grizzly, teddy", "  licence: ", "  provenance: ", "  metrics:\n    "),
        *("  files a photo from: black ", "  parity: against ", "the same first choice on "),
        *(
            "  calibration: temperature ",
            "  none of these: an output of its own",
            "  engines: onnx, fastai",
        ),
        "  input: 2",
    ):
        assert words in text, words
    (row,) = program.rows("model", "info", "bears")
    assert "onnx" in row["engines"]
    assert row["labels"] == ["black", "grizzly", "teddy"]
    assert set(row["files"]) >= {"model.onnx"}
    assert program.command("model", "info").startswith("colours (")


def test_a_damaged_model_is_one_clear_line(program: Program, mine: Path, inbox: Path) -> None:
    assert program.command("model", "verify", "mine").splitlines() == [
        f"colours: every file is as it was published ({mine})",
        "colours: the onnx engine answers",
    ]
    (row,) = program.rows("model", "verify", "mine")
    assert (row["name"], row["verified"]) == ("colours", True)
    assert row["engines"] == {"onnx": "answers"}
    program.command("config", "set", "model.package", "mine")
    with (mine / "model.onnx").open("ab") as stream:
        stream.write(b"x")
    for words in (
        ("model", "verify", "mine"),
        ("model", "use", "mine"),
        ("classify", str(COLOURS / "model.json")),
    ):
        line = refuses(program, *words)
        assert f"{mine}/model.onnx is damaged" in line
        assert "copy the model package again" in line
    (inbox / "a.jpg").touch()
    assert "is damaged" in refuses(program, "sort", str(inbox))
    assert (inbox / "a.jpg").exists()


def test_whole_files_that_do_not_work_together_are_found_out(program: Program, mine: Path) -> None:
    """Each file is what the card lists; but the card means another number of outputs."""
    text = (mine / "model.json").read_text()
    (mine / "model.json").write_text(text.replace('"class",\n    "index": 3', '"threshold"'))
    before = program.settings.read_text()
    for command in ("verify", "use"):
        line = refuses(program, "model", command, "mine")
        assert "it gives 4 numbers, model.json means 3" in line
    assert program.settings.read_text() == before


def test_a_learner_is_not_run_before_someone_agrees(
    program: Program, mine: Path, tmp_path: Path
) -> None:
    learner = harmful(tmp_path / "it-ran", mine)
    before = program.settings.read_text()
    line = refuses(program, "model", "use", "mine", "--engine", "fastai")
    assert line.startswith(f"beartray: {learner}: it is a Python pickle, and opening one runs")
    assert line.endswith("if you trust its maker, say so with --trust\n")
    assert program.command("model", "verify", "mine").splitlines()[1:] == [
        "colours: the onnx engine answers",
        "colours: the fastai engine was not tried: nobody has agreed to run learner.pkl",
    ]
    program.command("config", "set", "model.package", "mine")
    program.command("config", "set", "model.engine", "fastai")
    line = refuses(program, "classify", str(COLOURS / "model.json"))
    assert "`beartray model use mine --engine fastai --trust`" in line
    assert not (tmp_path / "it-ran").exists()
    assert not (program.home / "trusted-learners.json").exists()
    assert before != program.settings.read_text()


def test_an_engine_that_the_model_has_no_file_for(program: Program, mine: Path) -> None:
    line = refuses(program, "model", "use", "mine", "--engine", "fastai", "--trust")
    assert f'{mine} has no learner.pkl: set engine = "onnx"' in line
    program.command("config", "set", "model.engine", "fastai")
    assert program.command("model", "use", "mine") == "Using colours: grizzly, black, teddy\n"
    (found,) = program.rows("config", "show")
    assert (found["model"]["package"], found["model"]["engine"]) == ("mine", "auto")
    program.command("model", "use", "mine", "--engine", "onnx")
    (found,) = program.rows("config", "show")
    assert found["model"]["engine"] == "onnx"


@pytest.mark.parametrize("command", ["info", "use", "verify"])
def test_an_unknown_model(program: Program, command: str) -> None:
    line = refuses(program, "model", command, "nope")
    assert line == "beartray: there is no model package 'nope'; installed: bears\n"


def test_settings_are_changed_with_the_persons_comments_kept(program: Program) -> None:
    program.settings.unlink()
    assert program.command("config", "path") == f"{program.settings}\n"
    assert not program.settings.exists()
    assert program.command("config", "set", "sort.action", "copy") == "sort.action = copy\n"
    before = program.settings.read_text()
    assert 'action = "copy"' in before
    assert "# Also watch the folders inside it." in before
    program.settings.write_text(before + "\n# my own remark\n")
    program.command("config", "set", "model.workers", "2")
    program.command("config", "set", "folder.ignore", '["draft*", "x y"]')
    program.command("config", "set", "folder.path", "pictures of bears")
    text = program.settings.read_text()
    assert text.count("#") == before.count("#") + 1
    (found,) = program.rows("config", "show")
    assert found["model"]["workers"] == 2
    assert found["folder"]["ignore"] == ["draft*", "x y"]
    assert found["folder"]["path"] == str(Path.cwd() / "pictures of bears")
    assert 'action = "copy"' in program.command("config", "show")


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("sort.action", "mov", 'sort.action: found \'mov\'; allowed: "move" or "copy" or "tag"'),
        ("model.workers", "0", "model.workers: found '0'; allowed: a whole number from 1 to 64"),
        ("model.workers", "-1", "model.workers: found '-1'; allowed: a whole number from 1 to 64"),
        ("folder.recursive", "maybe", "found 'maybe'; allowed: true or false"),
        ("sort.subfolder", "../{label}", "allowed: folder names with {label}"),
        ("sort.actoin", "copy", "sort.actoin: no such key; did you mean action?"),
        ("sorting.action", "copy", "sorting: no such section; did you mean sort?"),
        ("sort", "copy", "allowed: action, destination, subfolder, unsure"),
    ],
)
def test_a_wrong_setting_is_refused(program: Program, key: str, value: str, complaint: str) -> None:
    before = program.settings.read_text()
    line = refuses(program, "config", "set", key, value)
    assert line.startswith(f"beartray: {program.settings}: ")
    assert complaint in line
    assert program.settings.read_text() == before


def test_start_at_login(program: Program, tmp_path: Path) -> None:
    program.environ["XDG_CONFIG_HOME"] = str(tmp_path / "config")
    item = tmp_path / "config" / "autostart" / "beartray.desktop"
    assert program.command("autostart", "status") == f"Starts at login: no ({item})\n"
    assert program.command("autostart", "on") == f"Starts at login: yes ({item})\n"
    assert "Exec=" in item.read_text()
    (row,) = program.rows("autostart", "status")
    assert (row["enabled"], row["place"], bool(row["command"])) == (True, str(item), True)
    (found,) = program.rows("config", "show")
    assert found["startup"]["at_login"] is True
    assert program.command("autostart", "off") == f"Starts at login: no ({item})\n"
    assert not item.exists()
