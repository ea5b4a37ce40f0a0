"""The bundle's own program, away from everything that it was made from."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.frozen.conftest import Bundled
from tests.helpers import make_tree, names, picture, require_programs, skip, wait_until
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
    return [*photos, with_profile, Path(shutil.copy(HEIC, folder)), *of_every_depth(folder)]


def of_every_depth(folder: Path) -> list[Path]:
    """Pictures of other kinds of numbers, which NumPy brings to eight bits."""
    kinds = {"1": "png", "L": "png", "LA": "png", "P": "png", "RGBA": "webp", "CMYK": "jpg"}
    found = []
    for mode, ending in {**kinds, "I;16": "png", "I": "tiff", "F": "tiff"}.items():
        found.append(folder / f"mode {mode.replace(';', '')}.{ending}")
        Image.linear_gradient("L").convert(mode).save(found[-1])
    return found


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


def test_folders_are_sorted_and_put_back_by_commands(program: Bundled, tmp_path: Path) -> None:
    album, other = tmp_path / "Álbum 相册", tmp_path / "elsewhere 2"
    picture(album / "a.jpg", colour="red")
    picture(album / "b.png", colour="blue")
    assert "a.jpg" in program.command("sort", album, "--dry-run")
    assert names(album) == {"a.jpg", "b.png"}
    program.command("sort", album, "--to", other, "--action", "copy")
    assert names(other) == {"grizzly/a.jpg", "teddy/b.png"}
    program.command("sort", album)
    assert names(album) == {"grizzly/a.jpg", "teddy/b.png"}
    assert [row["state"] for row in program.rows("history")] == ["done"] * 4
    program.command("undo", "--last", "2")
    assert names(album) == {"a.jpg", "b.png"}


def test_settings_are_shown_changed_and_refused(program: Bundled) -> None:
    assert program.command("config", "path").strip() == str(program.settings)
    program.command("config", "set", "sort.action", "copy")
    assert 'action = "copy"' in program.command("config", "show")
    program.command("config", "set", "sort.action", "burn", status=2)


def test_two_people_share_one_bundle(program: Bundled, bundle: Path, tmp_path: Path) -> None:
    """It lies there once and read-only; what it keeps is with each of them."""
    other = Bundled(tmp_path / "other home", bundle)
    before = {name: (bundle / name).stat().st_mtime_ns for name in names(bundle)}
    inboxes = make_tree(tmp_path / "inboxes", {"ann": {}, "bob": {}})
    with program.running(inboxes / "ann"), other.running(inboxes / "bob"):
        picture(inboxes / "ann" / "a.jpg", colour="red")
        picture(inboxes / "bob" / "b.jpg", colour="blue")
        filed = {"ann/grizzly/a.jpg", "bob/teddy/b.jpg"}
        wait_until(lambda: names(inboxes) == filed, 20, "both to be filed")
        assert program.try_command("run", "--headless").returncode == 3  # a second start
        assert len(program.rows("history")) == len(other.rows("history")) == 1
    assert {name: (bundle / name).stat().st_mtime_ns for name in names(bundle)} == before


def test_it_reads_as_it_does_unfrozen(program: Bundled, unfrozen: Program) -> None:
    """What help needs is loaded only then: a module left out by mistake would show here."""
    pages = ((), ("classify",), ("model", "import"), ("config", "set"))
    wrong = (("sort",), ("undo", "--since", "soon"), ("classify", "--no-such"), ("sing",))
    for words in (("--version",), *((*page, "--help") for page in pages), *wrong):
        found, there = program.try_command(*words), unfrozen.try_command(*words)
        assert (found.returncode, found.stdout, found.stderr) == (
            there.returncode,
            there.stdout,
            there.stderr,
        )


FAILURES = (
    "No module named",  # distutils, and numpy._core.… which nothing imports by name
    "PackageNotFoundError",  # package metadata that stayed behind
    "No package metadata",
    "could not get source code",  # TorchScript, inspect
    "init.tcl",  # Tcl's data, without which Tk does not start
    "cannot open shared object",
    "Failed to execute script",
    "_MEI",
)


def test_nothing_of_what_programs_lack_in_a_bundle(program: Bundled, tmp_path: Path) -> None:
    """The failures that those who have packed fastai and Tk tell of would be in what it says."""
    photos = of_every_format(tmp_path / "photos")
    program.configure(model=None)
    said = []
    others = ("doctor", "model list", "model info", "about", "history", "autostart status")
    commands: list[list[str]] = [["classify", *map(str, photos)], ["sort", str(photos[0].parent)]]
    for words in [*commands, *map(str.split, others)]:
        done = program.try_command("--debug", *words)
        said.append(done.stdout + done.stderr)
    log = program.home / "log" / "beartray.log"
    text = "\n".join([*said, log.read_text(encoding="utf-8") if log.exists() else ""])
    assert "grizzly" in text
    assert [failure for failure in FAILURES if failure in text] == []
    assert "Traceback" not in text


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
        assert "get the fastai edition of Beartray" in done.stderr, done.stderr
    done = program.try_command("model", "use", "bears", "--engine", "fastai")
    assert done.stderr.count("\n") == 1
    assert 'bears has no learner.pkl: set engine = "onnx" under [model]' in done.stderr


def test_it_needs_no_terminal(program: Bundled, tmp_path: Path) -> None:
    """Started by a desktop it may have neither input nor output: all three are closed."""
    picture(tmp_path / "photos" / "photo.jpg", colour="red")
    closed = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-']
    sort = [*program.beartray, "sort", str(tmp_path / "photos")]
    done = subprocess.run([*closed, *sort], env=program.environ, timeout=60, check=False)
    assert done.returncode == 0
    assert names(tmp_path / "photos") == {"grizzly/photo.jpg"}


def test_it_is_small_and_holds_nothing_of_the_other_edition(bundle: Path) -> None:
    report = [sys.executable, str(ROOT / "packaging" / "report.py"), str(bundle), "--archive"]
    done = subprocess.run(report, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    there = {path.name for path in (bundle / "_internal").iterdir()}
    assert not [name for name in names(bundle) if re.search("blas|gfortran|_tests", name)]
    assert not there & {*LEARNING, "tcl8", "_tcl_data"}


def test_it_looks_for_libraries_nowhere_but_in_itself(bundle: Path) -> None:
    """Where it was built there may be anything, on a machine with a folder of the same name."""
    require_programs("readelf")
    libraries = [str(bundle / name) for name in names(bundle) if ".so" in Path(name).name]
    done = subprocess.run(["readelf", "-d", *libraries], capture_output=True, text=True)
    paths = re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*)\]", done.stdout)
    assert paths and [path for path in paths if not path.startswith("$ORIGIN")] == []


def test_it_brings_every_library_but_those_of_the_c_library(bundle: Path) -> None:
    require_programs("ldd")
    environ = {"LD_LIBRARY_PATH": str(bundle / "_internal"), "PATH": os.environ["PATH"]}
    libraries = [str(bundle / name) for name in names(bundle) if ".so" in Path(name).name]
    done = subprocess.run(["ldd", *libraries], env=environ, capture_output=True, text=True)
    found = re.findall(r"^\t(\S+) => (.*) \(0x", done.stdout, re.MULTILINE)
    assert len(libraries) > 20 and len(found) > len(libraries)
    assert "not found" not in done.stdout
    others = {name for name, place in found if not place.startswith(str(bundle))}
    assert others <= {"libc.so.6", "libdl.so.2", "libm.so.6", "libpthread.so.0", "librt.so.1"}
