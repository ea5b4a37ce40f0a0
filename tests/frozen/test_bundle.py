"""The bundle's own program, away from everything that it was made from."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.frozen.conftest import Bundled
from tests.helpers import names, picture, require_programs, skip, wait_until
from tests.program import ROOT, Program

pytestmark = pytest.mark.frozen

SHARED = ROOT.parent / "shared" / "bears"
PHOTOS = 300
HEIC = ROOT / "tests" / "engine" / "samples" / "turned.heic"
LEARNING = ("torch", "torchvision", "fastai", "timm", "onnx", "scipy", "sklearn", "matplotlib")


def of_every_format(folder: Path) -> list[Path]:
    """A picture for each decoder in the bundle, with a name that is not ASCII."""
    endings = ("jpg", "png", "webp", "gif", "bmp", "tiff", "avif")
    photos = [picture(folder / f"Bär {ending}.{ending}", (320, 240)) for ending in endings]
    with_profile = picture(folder / "lab.tiff", compression="tiff_lzw")  # converted by LittleCMS
    return [*photos, with_profile, Path(shutil.copy(HEIC, folder))]


def answers(program: Program, photos: list[Path]) -> str:
    """What `classify` prints of photos with the shipped model, to the last digit."""
    program.configure(model=None)
    return program.command("classify", "--json", *photos)


def test_every_format_gets_the_answer_that_it_gets_unfrozen(
    program: Bundled, unfrozen: Program, tmp_path: Path
) -> None:
    photos = of_every_format(tmp_path / "photos")
    found = answers(program, photos)
    assert len(found.splitlines()) == len(photos)
    assert "unreadable" not in found
    assert found == answers(unfrozen, photos)


def test_real_photos_get_the_answers_that_they_get_unfrozen(
    program: Bundled, unfrozen: Program
) -> None:
    there = sorted(SHARED.rglob("*.jpg"))
    if not there:
        skip("needs the bear photos beside the checkout (../shared/bears)")
    photos = there[:: max(1, len(there) // PHOTOS)][:PHOTOS]
    assert answers(program, photos) == answers(unfrozen, photos)


def test_its_self_check_finds_the_model_and_the_journal_good(program: Bundled) -> None:
    program.configure(model=None)
    found = {row["check"]: row for row in program.rows("doctor", status=None)}
    for check in ("settings", "space", "journal", "model", "log"):
        assert found[check]["ok"], found[check]
    assert program.beartray[0].removesuffix("/beartray") in found["model"]["detail"]


def test_the_shipped_model_is_whole_and_has_no_learner(program: Bundled, bundle: Path) -> None:
    program.configure(model=None)
    program.command("model", "verify", "bears")
    assert not [name for name in names(bundle) if name.endswith(".pkl")]


def test_photos_are_filed_and_brought_back_while_the_engine_dies(
    program: Bundled, tmp_path: Path
) -> None:
    inbox = tmp_path / "My photos, Köln"
    inbox.mkdir()
    with program.running(inbox) as process:
        first = picture(inbox / "first bär.jpg", colour="red")
        wait_until(lambda: not first.exists(), 20, "the first photo to be filed")
        for engine in children(process.pid):
            os.kill(engine, signal.SIGKILL)
        second = picture(inbox / "second.png", colour=(0, 255, 30))
        wait_until(lambda: not second.exists(), 20, "a photo to be filed by the next engine")
        assert names(inbox) == {"grizzly/first bär.jpg", "black/second.png"}
        program.command("undo", "--last", "2")
        assert names(inbox) == {"first bär.jpg", "second.png"}
    assert not children(process.pid)


def children(pid: int) -> list[int]:
    """The processes that run in the bundle below one, their resource tracker excepted."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            words = Path(f"/proc/{child}/cmdline").read_bytes()
            if b"--multiprocessing-fork" in words:
                found.append(child)
    return found


def test_at_login_the_bundle_itself_is_started(program: Bundled, tmp_path: Path) -> None:
    program.environ |= {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    program.command("autostart", "on")
    (row,) = program.rows("autostart", "status")
    assert row["enabled"], row
    (entry,) = (tmp_path / "config" / "autostart").iterdir()
    assert program.beartray[0] in entry.read_text(encoding="utf-8")


def test_what_needs_fastai_says_so(program: Bundled, tmp_path: Path) -> None:
    learner = tmp_path / "export.pkl"
    learner.write_bytes(b"")
    import_ = ["model", "import", str(learner), "--name", "mine"]
    train = ["train", str(tmp_path), "--out", str(tmp_path / "out")]
    for words in (import_, train):
        done = program.try_command(*words)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert "fastai" in done.stderr, done.stderr


def test_it_needs_no_terminal(program: Bundled, tmp_path: Path) -> None:
    """Started by a desktop it may have neither input nor output: all three are closed."""
    picture(tmp_path / "photos" / "photo.jpg", colour="red")
    closed = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-']
    sort = [*program.beartray, "sort", str(tmp_path / "photos")]
    done = subprocess.run([*closed, *sort], env=program.environ, timeout=60, check=False)
    assert done.returncode == 0
    assert names(tmp_path / "photos") == {"grizzly/photo.jpg"}


def test_it_works_without_a_network(program: Bundled, tmp_path: Path) -> None:
    require_programs("unshare")
    program.prefix = ("unshare", "--net", "--map-root-user")
    if subprocess.run([*program.prefix, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make a network of its own")
    photo = picture(tmp_path / "photo.jpg", colour="red")
    (row,) = program.rows("classify", photo)
    assert row["label"] == "grizzly"


def test_it_is_small_and_holds_nothing_of_the_other_edition(bundle: Path) -> None:
    report = [sys.executable, str(ROOT / "packaging" / "report.py"), str(bundle)]
    done = subprocess.run(report, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    there = {path.name for path in (bundle / "_internal").iterdir()}
    assert not there & {*LEARNING, "tcl8", "_tcl_data"}


def test_every_library_that_it_loads_is_there(bundle: Path) -> None:
    require_programs("ldd")
    environ = {"LD_LIBRARY_PATH": str(bundle / "_internal"), "PATH": os.environ["PATH"]}
    libraries = [str(bundle / name) for name in names(bundle) if ".so" in Path(name).name]
    done = subprocess.run(["ldd", *libraries], env=environ, capture_output=True, text=True)
    assert len(libraries) > 20
    assert "not found" not in done.stdout
