"""train: from a folder of class folders to a model that the app files with."""

from __future__ import annotations

import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.helpers import SLOWNESS, skip, wait_until
from tests.learning.photos import COLOURS, class_folders, textured
from tests.program import BEARTRAY, Program

pytestmark = [pytest.mark.flow, pytest.mark.learning]


@pytest.fixture
def learning(program: Program) -> Program:
    """A program that can train, on one core."""
    if find_spec("fastai") is None:
        skip("needs `pip install '.[fastai]'`")
    program.environ["OMP_NUM_THREADS"] = "1"
    return program


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return class_folders(tmp_path / "photos")


def words(photos: Path, *more: str) -> list[str]:
    out = str(photos.with_name("model"))
    return ["train", str(photos), "--out", out, "--size=64", "--arch=test_efficientnet", *more]


def stop(program: Program, arguments: list[str], number: signal.Signals, reached: Path) -> str:
    """Start a command, send it a signal once the file `reached` is there; what it said last."""
    process = subprocess.Popen(
        [*BEARTRAY, *arguments],
        env=program.environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_until(lambda: reached.exists() or process.poll() is not None, 60, f"{reached}")
        assert process.poll() is None, process.communicate()
        process.send_signal(number)
        _, said = process.communicate(timeout=30 * SLOWNESS)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    return said


def test_killed_stopped_and_in_the_end_used(learning: Program, photos: Path) -> None:
    arguments = words(photos, "--epochs=40", "--target=0.6")
    out = photos.with_name("model")
    stop(learning, arguments, signal.SIGKILL, out / "work" / "fold-0.pt")
    (out / "work" / "fold-0.pt").rename(kept := photos.with_name("kept.pt"))
    said = stop(learning, arguments, signal.SIGINT, out / "work" / "fold-0.pt")
    assert said == "beartray: stopped; the same command goes on from here\n"
    kept.unlink()
    done = learning.try_command(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Going on where the last run was stopped\n")
    assert "Training: epoch 1: " not in done.stdout
    assert "Training: epoch 40: loss 0." in done.stdout
    assert done.stdout.endswith("model: done; open report.html, or `beartray model use` it\n")
    assert not (out / "work").exists()
    assert str(photos.parent) not in (out / "model.json").read_text()

    learning.command("model", "use", str(out))
    for seed, (label, colour) in enumerate(COLOURS.items()):
        photo = textured(photos.parent / f"new-{label}.jpg", colour, 900 + seed)
        (row,) = learning.rows("classify", photo)
        assert max(row["scores"], key=row["scores"].get) == label
    (info,) = learning.rows("model", "info", str(out))
    assert [row["data"] for row in info["metrics"]] == ["photos", "stones", "stones/round", "walls"]


def test_what_a_script_gets(learning: Program, photos: Path) -> None:
    (row,) = learning.rows(*words(photos, "--epochs=1", "--name=colours"))
    assert (row["name"], row["labels"], row["pictures"]) == (
        "colours",
        ["blue", "green", "red"],
        96,
    )
    assert row["path"] == str(photos.with_name("model"))
    assert set(row["thresholds"]) == set(row["labels"])
    assert len(row["metrics"]) == 4


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--none=rest"], "photos: has no folder 'rest' of none of these (--none)"),
        (["--folds=many"], "--folds: found 'many'; allowed: 2 to 20, source, or source:2 to 20"),
        (["--labels=nowhere.csv"], "nowhere.csv is not there"),
        (["--size=8"], "'--size': Input should be greater than or equal to 32"),
        (["--arch=nosuch"], "--arch: neither timm nor torchvision has 'nosuch'"),
    ],
)
def test_a_wrong_word_is_one_line(
    learning: Program, photos: Path, more: list[str], expected: str
) -> None:
    done = learning.try_command(*words(photos, *more))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done
    assert expected in done.stderr
    assert not photos.with_name("model").exists()
