"""A learner is brought in as a person does it, and the running app files photos with it."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import files, make_tree, names, wait_until
from tests.program import BEARTRAY, Program

pytestmark = [
    pytest.mark.flow,
    pytest.mark.learning,
    pytest.mark.skipif(find_spec("fastai") is None, reason="needs the fastai extra"),
]

LABELS = ["amber", "cyan", "plum"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("learners")


@pytest.fixture(scope="module")
def export(base: Path) -> Callable[[str], Path]:
    """The file of a learner, trained the first time it is asked for."""

    def export(kind: str) -> Path:
        from tests.learning import learners  # torch takes seconds

        return Path(getattr(learners, kind)(base))

    return export


def draw(path: Path, colours: str, number: int) -> bytes:
    from tests.learning.learners import colour_photo

    path.parent.mkdir(parents=True, exist_ok=True)
    colour_photo(colours, number, (160, 120)).save(path, quality=90)
    return path.read_bytes()


def left_behind(program: Program) -> list[str]:
    models = program.home / "models"
    return [str(path.relative_to(models)) for path in models.rglob("*")] if models.exists() else []


def refuses(program: Program, *words: str | Path) -> str:
    done = program.try_command("model", "import", *words)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    return done.stderr


@pytest.mark.parametrize("kind", ["squished", "cropped", "several"])
def test_photos_are_filed_by_an_imported_learner(
    program: Program, inbox: Path, kind: str, export: Callable[[str], Path]
) -> None:
    (row,) = program.rows("model", "import", export(kind), "--name", "mine", "--trust")
    assert row["labels"] == LABELS
    assert row["parity"]["top1_agreement"] >= 0.99
    assert row["parity"]["mean_abs_dp"] <= 0.01
    assert row["parity"]["pictures"] == 120
    program.command("model", "use", "mine")
    with program.running(inbox):
        expected = {
            f"{label}/{label}.jpg": draw(inbox / f"{label}.jpg", label, 900 + number)
            for number, label in enumerate(LABELS)
        }
        wait_until(lambda: names(inbox) == expected.keys(), 30, "all filed")
    assert files(inbox) == expected


def test_a_package_says_where_it_comes_from_and_how_sure_it_is(
    program: Program, tmp_path: Path, export: Callable[[str], Path]
) -> None:
    learner = export("cropped")
    for label in ("Amber", "plum", "cyan"):
        for number in range(40):
            draw(tmp_path / "known" / label / f"{number}.jpg", label.lower(), 1000 + number)
    define = tmp_path / "notebook.py"
    define.write_text("def is_bear(path): return True\n")
    words = (
        *("model", "import", learner, "--name", "mine", "--define", define, "--none", "cyan"),
        *("--samples", tmp_path / "known" / "plum", "--calibrate", tmp_path / "known"),
    )
    (row,) = program.rows(*words, "--trust")
    assert (row["labels"], row["none"]) == (["amber", "plum"], True)
    assert row["parity"]["pictures"] == 40
    assert row["calibration"]["photos"] == 120
    assert row["network"] in {"own namespace", "refused by Python"}
    package = program.home / "models" / "mine"
    assert set(files(package)) == {
        *("model.onnx", "model.json", "learner.pkl", "define.py", "README.md")
    }
    assert (package / "learner.pkl").read_bytes() == learner.read_bytes()
    assert (package / "define.py").read_bytes() == define.read_bytes()
    card = json.loads((package / "model.json").read_text())
    assert set(card["files"]) == set(files(package)) - {"model.json"}
    assert card["none"] == {"kind": "class", "index": 1}
    assert "imported from cropped.pkl by Beartray" in card["provenance"]
    assert str(tmp_path) not in json.dumps(card)
    readme = (package / "README.md").read_text()
    assert "- **Labels**: amber, plum." in readme
    assert "on 40 of your pictures" in readme
    program.command("model", "verify", "mine")
    # The same learner needs no second consent, but the same name does.
    assert "choose another --name, or say --replace" in refuses(program, *words[2:])
    told = program.command(*words, "--replace").splitlines()
    assert told[0] == "Imported mine: amber, plum or none of these"
    assert told[1].startswith(
        "Compared with the learner on 40 pictures: the same first choice on 1"
    )
    assert told[-1] == "To use it: beartray model use mine"
    assert set(left_behind(program)) == {"mine", *(f"mine/{name}" for name in files(package))}


class Malice:
    """Unpickled, it runs a program."""

    def __init__(self, program: str) -> None:
        self.program = program

    def __reduce__(self) -> Any:
        return exec, (self.program,)


def test_nothing_of_a_pickle_runs_without_consent(program: Program, tmp_path: Path) -> None:
    proof, file = tmp_path / "it ran", tmp_path / "export.pkl"
    file.write_bytes(pickle.dumps(Malice(f"open({str(proof)!r}, 'w').close()")))
    line = refuses(program, file, "--name", "mine")
    assert line.startswith(f"beartray: {file}: it is a Python pickle, and opening one runs")
    assert "--trust" in line
    assert not proof.exists()
    assert left_behind(program) == []
    assert not (program.home / "trusted-learners.json").exists()


@pytest.fixture
def server() -> Iterator[int]:
    """Something on the network that would answer; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has networks of a process's own")
def test_with_consent_it_runs_without_network_and_leaves_nothing(
    program: Program, tmp_path: Path, server: int
) -> None:
    proof, file = tmp_path / "it ran", tmp_path / "export.pkl"
    file.write_bytes(pickle.dumps(Malice(CONNECT.format(port=server, proof=str(proof)))))
    line = refuses(program, file, "--name", "mine", "--trust")
    assert line == f"beartray: {file}: the import failed: SystemExit('gone')\n"
    assert proof.read_text() == "no network"
    assert left_behind(program) == []
    assert "mine" not in program.command("model", "list")


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process there")
def test_stopped_it_leaves_nothing(program: Program, tmp_path: Path) -> None:
    started, file = tmp_path / "started", tmp_path / "export.pkl"
    sleep = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    file.write_bytes(pickle.dumps(Malice(sleep)))
    process = subprocess.Popen(
        [*BEARTRAY, "model", "import", file, "--name", "mine", "--trust"],
        env=program.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    child = int(wait_until(lambda: started.exists() and started.read_text(), 60, "it was loaded"))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert (process.returncode, said) == (130, "beartray: stopped; nothing was imported\n")
    assert left_behind(program) == []
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


CONNECT = """
import socket, sys, tempfile
print("SHOUTING")
open(tempfile.mkdtemp() + "/rubbish", "w").close()
try:
    socket.create_connection(("127.0.0.1", {port}), 2)
    found = "reached"
except OSError:
    found = "no network"
open({proof!r}, "w").write(found)
sys.exit("gone")
"""


def test_what_is_wrong_is_said_before_anyone_is_asked(
    program: Program, tmp_path: Path, export: Callable[[str], Path]
) -> None:
    file = make_tree(tmp_path, {"export.pkl": "<html>Sign in</html>"}) / "export.pkl"
    assert refuses(program, file, "--name", "mine").endswith(
        "is a web page; download the file itself\n"
    )
    assert "is not there" in refuses(program, tmp_path / "no.pkl", "--name", "mine")
    assert "is a folder: name the file" in refuses(program, tmp_path, "--name", "mine")
    assert "choose another --name" in refuses(program, file, "--name", "bears")
    assert "allowed: the name of a folder" in refuses(program, file, "--name", "../x")
    assert "is not a folder (--samples)" in refuses(
        program, file, "--name", "mine", "--samples", file
    )
    assert left_behind(program) == []


def test_what_cannot_be_reproduced_leaves_the_old_model(
    program: Program, tmp_path: Path, export: Callable[[str], Path]
) -> None:
    old = shutil.copytree(
        Path(__file__).parents[1] / "models" / "colours", program.home / "models" / "mine"
    )
    before = files(old)
    line = refuses(
        program, export("cropped"), "--name", "mine", "--replace", "--trust", "--none", "grey"
    )
    assert "the learner has no label 'grey' (--none); it has amber, cyan, plum" in line
    assert files(old) == before
    assert set(left_behind(program)) == {"mine", *(f"mine/{name}" for name in before)}
