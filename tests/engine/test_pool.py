"""Whatever befalls the engine process, the tray lives on and each photo gets its answer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.engine.conftest import BEARS
from tests.engine.misfits import Starter, broken_unless_mended, late, misfit, stillborn
from tests.helpers import picture, wait_until
from tests.models.pickles import harmful
from tests.program import COLOURS
from trayapp.engine import EngineError, crew
from trayapp.engine.pool import Pool
from trayapp.photo import Photo

LIMIT = 30.0
"""Seconds any one answer may take on a busy machine."""

Open = Callable[..., Pool]


@pytest.fixture
def open_pool(tmp_path: Path) -> Iterator[Open]:
    """Pools of misfits, closed at the end, in good time, leaving nothing behind."""
    pools: list[Pool] = []

    def open_pool(main: Any = misfit, **options: Any) -> Pool:
        starter = main if isinstance(main, Starter) else Starter(main)
        pools.append(Pool(options.pop("folder", tmp_path), start_worker=starter, **options))
        return pools[-1]

    yield open_pool
    for pool in pools:
        pids, began = pool.pids, time.monotonic()
        pool.close()
        assert time.monotonic() - began < 1.5
        assert not any(map(alive, pids))


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def error_of(pool: Pool, path: Path) -> str | None:
    verdict = pool.submit(path).result(LIMIT)
    assert (verdict.label, verdict.reason) == (None, "unreadable")
    return verdict.error


def label_of(pool: Pool, path: Path) -> str | None:
    return pool.submit(path).result(LIMIT).label


def sleeping(pool: Pool) -> None:
    wait_until(lambda: pool.state == "asleep", LIMIT, "the engine to go")


# A day's work.


def test_a_real_engine_answers_as_it_does_in_process(tmp_path: Path) -> None:
    from trayapp.engine.onnx import OnnxClassifier
    from trayapp.engine.package import ModelPackage

    photo, empty = picture(tmp_path / "wall.jpg"), tmp_path / "empty.jpg"
    empty.touch()
    classifier = OnnxClassifier(ModelPackage.load(BEARS), {"teddy": 0.9})
    with Pool(BEARS, min_confidence={"teddy": 0.9}) as pool:
        pool.start()
        wait_until(lambda: pool.state == "ready", LIMIT, "the engine to be ready")
        for path in (photo, empty):
            expected = replace(classifier.classify(path), model="bears")
            assert pool.submit(path).result(LIMIT) == expected
        assert pool.submit(photo).result(LIMIT).seen == Photo.at(photo)
        assert len(pool.pids) == 1
        assert os.getpriority(os.PRIO_PROCESS, pool.pids[0]) >= 10


def test_names_that_are_no_text(tmp_path: Path, open_pool: Open) -> None:
    strange = Path(os.fsdecode(bytes(tmp_path) + b"/\xff\xfe\n.jpg"))
    assert label_of(open_pool(), strange) == "good"
    with Pool(BEARS) as pool:
        assert error_of(pool, strange) == "���.jpg is not there"


def test_nothing_runs_before_it_is_needed(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool()
    assert pool.state == "asleep"
    assert pool.pids == ()
    assert not [thread for thread in threading.enumerate() if thread.name == "engine-1"]


def test_start_does_not_wait(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool()
    began = time.monotonic()
    pool.start()
    assert time.monotonic() - began < 0.25
    assert pool.state == "starting"
    wait_until(lambda: pool.state == "ready", LIMIT, "the engine to be ready")
    assert pool.problem is None


def test_many_photos_come_back_in_order_and_are_asked_for_lazily(
    tmp_path: Path, open_pool: Open
) -> None:
    pool, asked = open_pool(workers=2), []

    def paths() -> Iterator[Path]:
        for number in range(40):
            asked.append(number)
            yield tmp_path / ("slow.jpg" if number % 20 == 0 else f"{number}.jpg")

    results = pool.classify(paths())
    first = next(results)
    assert first[0].name == "slow.jpg"
    assert len(asked) <= 8
    rest = list(results)
    assert [path.name for path, _ in rest][:3] == ["1.jpg", "2.jpg", "3.jpg"]
    assert len(rest) == 39
    assert all(verdict.label == "good" for _, verdict in rest)
    assert len(pool.pids) == 2


def test_who_stops_asking_leaves_nothing_waiting(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool()
    results = pool.classify(tmp_path / f"{number}.jpg" for number in range(100))
    next(results)
    results.close()
    assert label_of(pool, tmp_path / "next.jpg") == "good"


def test_a_photo_nobody_waits_for_any_more(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool()
    slow, second = pool.submit(tmp_path / "slow.jpg"), pool.submit(tmp_path / "crash.jpg")
    assert second.cancel()
    assert slow.cancel()
    assert label_of(pool, tmp_path / "a.jpg") == "good"


# Mishaps.


def test_a_photo_that_crashes_the_decoder_twice(tmp_path: Path, open_pool: Open) -> None:
    starter = Starter(misfit)
    pool = open_pool(starter)
    after = pool.submit(tmp_path / "crash.jpg"), pool.submit(tmp_path / "a.jpg")
    assert after[0].result(LIMIT).error == "crash.jpg: the decoder crashed on it"
    assert after[1].result(LIMIT).label == "good"
    assert starter.count == 3
    assert pool.problem is None


def test_a_photo_that_crashes_it_once_is_tried_again(tmp_path: Path, open_pool: Open) -> None:
    assert label_of(open_pool(), tmp_path / "crash-once.jpg") == "good"


def test_a_photo_that_takes_too_long(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool(photo_limit_seconds=0.5)
    assert error_of(pool, tmp_path / "hang.jpg") == "hang.jpg: took longer than 0.5 s"
    assert label_of(pool, tmp_path / "a.jpg") == "good"


@pytest.mark.parametrize("name", ["babble.jpg", "stranger.jpg"])
def test_an_engine_that_talks_nonsense_is_not_believed(
    tmp_path: Path, open_pool: Open, name: str
) -> None:
    pool = open_pool()
    assert error_of(pool, tmp_path / name) == f"{name}: the decoder crashed on it"
    assert label_of(pool, tmp_path / "a.jpg") == "good"


def test_an_engine_killed_while_idle_is_missed_at_once(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool()
    assert label_of(pool, tmp_path / "a.jpg") == "good"
    os.kill(pool.pids[0], signal.SIGKILL)
    sleeping(pool)
    assert label_of(pool, tmp_path / "a.jpg") == "good"


def test_ctrl_c_is_for_the_parent(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool()
    assert label_of(pool, tmp_path / "a.jpg") == "good"
    (pid,) = pool.pids
    os.kill(pid, signal.SIGINT)
    assert label_of(pool, tmp_path / "slow.jpg") == "good"
    assert pool.pids == (pid,)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_a_photo_that_needs_too_much_memory(tmp_path: Path) -> None:
    Image.new("1", (14_000, 14_000)).save(tmp_path / "map.png")
    with Pool(BEARS, memory_limit_bytes=600 << 20) as pool:
        assert error_of(pool, tmp_path / "map.png") == (
            "map.png needs more memory than the engine may use"
        )
        (pid,) = pool.pids
        assert pool.submit(picture(tmp_path / "a.jpg")).result(LIMIT).reason == "unsure"
        assert pool.pids == (pid,), "nothing crashed"


# Rest.


def test_it_goes_when_idle_and_comes_back(tmp_path: Path, open_pool: Open) -> None:
    starter = Starter(misfit)
    pool = open_pool(starter, idle_exit_seconds=0.5)
    assert label_of(pool, tmp_path / "a.jpg") == "good"
    (pid,) = pool.pids
    sleeping(pool)
    wait_until(lambda: not alive(pid), LIMIT, "its process to be gone")
    assert label_of(pool, tmp_path / "a.jpg") == "good"
    assert starter.count == 2


def test_closing_cancels_what_waits(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool()
    waiting = [pool.submit(tmp_path / name) for name in ("hang.jpg", "a.jpg")]
    wait_until(lambda: pool.state == "ready", LIMIT, "the engine to be at it")
    began = time.monotonic()
    pool.close()
    assert time.monotonic() - began < 1
    for future in waiting:
        with pytest.raises(CancelledError):
            future.result(0)
    with pytest.raises(EngineError, match="closed"):
        pool.submit(tmp_path / "late.jpg")
    pool.start()
    pool.close()
    assert pool.state == "asleep"


# A model or a process that does not work.


def problem_of(pool: Pool, path: Path) -> str:
    with pytest.raises(EngineError) as caught:
        pool.submit(path).result(LIMIT)
    assert pool.state == "broken"
    assert pool.problem == str(caught.value)
    return str(caught.value)


def test_a_broken_model_says_so_and_recovers_when_mended(tmp_path: Path) -> None:
    photo, folder = picture(tmp_path / "a.jpg"), tmp_path / "bears"
    with Pool(folder) as pool:
        assert problem_of(pool, photo).startswith(f"{folder}/model.json is missing: copy")
        shutil.copytree(BEARS, folder)
        pool.start()
        wait_until(lambda: pool.state == "ready", LIMIT, "the engine to recover")
        assert pool.problem is None
        assert pool.submit(photo).result(LIMIT).reason == "unsure"


def test_without_asking_it_is_tried_again_but_not_all_the_time(
    tmp_path: Path, open_pool: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    starter = Starter(broken_unless_mended)
    pool, photo = open_pool(starter), tmp_path / "a.jpg"
    for _ in range(5):
        assert problem_of(pool, photo) == "the model is broken: mend it"
    assert starter.count <= 2
    (tmp_path / "mended").touch()

    def mended() -> bool:
        return pool.submit(photo).exception(LIMIT) is None

    wait_until(mended, LIMIT, "a later photo to find the engine mended")
    assert pool.problem is None
    assert pool.state == "ready"


def test_photos_that_wait_for_a_broken_model_all_hear_of_it(
    tmp_path: Path, open_pool: Open
) -> None:
    pool = open_pool(broken_unless_mended, workers=2)
    futures = [pool.submit(tmp_path / f"{number}.jpg") for number in range(20)]
    assert {str(future.exception(LIMIT)) for future in futures} == {"the model is broken: mend it"}


def test_an_engine_that_dies_at_birth(tmp_path: Path, open_pool: Open) -> None:
    pool = open_pool(stillborn)
    assert problem_of(pool, tmp_path / "a.jpg") == ("the engine ended while starting (exit code 7)")


def test_an_engine_that_never_gets_ready(
    tmp_path: Path, open_pool: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "START_LIMIT_SECONDS", 1.0)
    assert problem_of(open_pool(late), tmp_path / "a.jpg") == "the engine did not start within 1 s"


def test_an_engine_that_the_system_will_not_start(tmp_path: Path) -> None:
    def refuse(*_: object) -> Any:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with Pool(tmp_path, start_worker=refuse) as pool:
        assert problem_of(pool, tmp_path / "a.jpg") == (
            "the engine process cannot be started: Resource temporarily unavailable"
        )


def test_an_engine_that_has_nothing_to_run(tmp_path: Path) -> None:
    folder = shutil.copytree(COLOURS, tmp_path / "models" / "colours")
    with Pool(folder, engine="fastai") as pool:
        assert problem_of(pool, tmp_path / "a.jpg") == (
            f'{folder} has no learner.pkl: set engine = "onnx" under [model]'
        )
    card = (folder / "model.json").read_text().replace("model.onnx", "learner.pkl")
    (folder / "model.json").write_text(card)
    (folder / "model.onnx").rename(folder / "learner.pkl")
    with Pool(folder, engine="onnx") as pool:
        assert problem_of(pool, tmp_path / "a.jpg") == (
            f'{folder} has no model.onnx: set engine = "fastai" under [model]'
        )
    with Pool(folder) as pool:  # "auto" takes what there is, but not without consent
        line = problem_of(pool, tmp_path / "a.jpg")
        assert line.startswith(f"{folder}/learner.pkl was never agreed to: it is a Python pickle")
        assert line.endswith("`beartray model use colours --engine fastai --trust`")


def test_without_consent_nothing_of_a_learner_is_run(tmp_path: Path) -> None:
    folder = shutil.copytree(COLOURS, tmp_path / "colours")
    harmful(tmp_path / "it-ran", folder)
    with Pool(folder, engine="fastai", trust_file=tmp_path / "trusted.json") as pool:
        assert "was never agreed to" in problem_of(pool, tmp_path / "a.jpg")
    assert not (tmp_path / "it-ran").exists()
    assert not (tmp_path / "trusted.json").exists()


# The tray process.


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("busy_with", ["", "hang.jpg"])
def test_when_the_parent_is_killed_the_engine_goes_too(tmp_path: Path, busy_with: str) -> None:
    program = (
        "import time, pathlib; from trayapp.engine.pool import Pool;"
        "from tests.engine.misfits import Starter, misfit;"
        "p = Pool(pathlib.Path(), photo_limit_seconds=0.5, start_worker=Starter(misfit));"
        "p.submit(pathlib.Path('a.jpg')).result();"
        f"'{busy_with}' and p.submit(pathlib.Path('{busy_with}'));"
        "print(*p.pids, flush=True); time.sleep(600)"
    )
    root = Path(__file__).parents[2]
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=root) as run:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert alive(pid)
        run.kill()
    wait_until(lambda: not alive(pid), LIMIT, "the engine to go")


def test_the_tray_process_stays_small() -> None:
    program = (
        "import sys, trayapp.engine, trayapp.engine.pool, trayapp.engine.package;"
        "from trayapp.engine import ModelPackage, Pool;"
        "import trayapp.catalog, trayapp.live, trayapp.engine.trust;"
        "heavy = {'numpy', 'onnxruntime', 'pi_heif', 'torch', 'torchvision', 'fastai', 'timm'};"
        "heavy &= set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root, timeout=LIMIT)
