"""A photo as people look at it: upright, small, made in the engine process."""

from __future__ import annotations

import io
import random
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.engine.conftest import BEARS
from tests.engine.misfits import Starter, misfit, mortal, painter
from tests.helpers import picture, wait_until
from trayapp.engine.pool import Pool
from trayapp.engine.preview import ROOM, shrink
from trayapp.engine.wire import Shown

LIMIT = 30.0


def look(shown: Shown) -> Image.Image:
    assert shown.error is None
    return Image.open(io.BytesIO(shown.jpeg))


def test_it_is_upright_and_small_and_tells_nothing_else(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    exif[0x010F] = "a camera's name"
    photo = picture(tmp_path / "a.jpg", (800, 600), exif=exif)
    small = look(shrink(photo, 240))
    assert small.format == "JPEG" and small.size == (180, 240)
    assert not small.getexif()
    assert look(shrink(photo, 2000)).size == (600, 800)  # never larger than it is


def test_what_cannot_be_seen_is_said(tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(picture(tmp_path / "a.jpg").read_bytes()[:200])
    for name, words in [("torn.jpg", "cut short"), ("gone.jpg", "is not there")]:
        shown = shrink(tmp_path / name, 100)
        assert shown.jpeg == b"" and words in str(shown.error)
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    assert "not a regular file" in str(shrink(tmp_path / "link.jpg", 100).error)


def test_a_picture_of_noise_still_fits_into_a_message(tmp_path: Path) -> None:
    noise = Image.frombytes("RGB", (1600, 1600), random.Random(7).randbytes(1600 * 1600 * 3))
    noise.save(tmp_path / "noise.png")
    assert 0 < len(shrink(tmp_path / "noise.png", 1600).jpeg) <= ROOM


def test_photos_to_classify_go_before_those_to_look_at(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg", (3000, 2000))
    order: list[str] = []
    with Pool(BEARS) as pool:
        views = [pool.view(photo, 64) for _ in range(6)]
        verdict = pool.submit(photo)
        for number, view in enumerate(views):
            view.add_done_callback(lambda _, number=number: order.append(str(number)))  # type: ignore[misc]
        verdict.add_done_callback(lambda _: order.append("verdict"))
        assert verdict.result(LIMIT).seen is not None
        assert [look(view.result(LIMIT)).size for view in views] == [(64, 43)] * 6
    assert order.index("verdict") <= 1


def test_who_looks_during_a_backlog_has_a_turn_after_each_few_photos(tmp_path: Path) -> None:
    photo, order = picture(tmp_path / "a.jpg"), list[str]()

    def note(future: Future[Any], what: str) -> None:
        future.add_done_callback(lambda _: order.append(what))

    with Pool(tmp_path, start_worker=Starter(misfit)) as pool:
        for _ in range(20):
            note(pool.submit(photo), ".")
        for _ in range(4):
            note(pool.view(photo, 64), "V")
        wait_until(lambda: len(order) == 24, LIMIT, "all have their answers")
    assert "".join(order) == 4 * "...V" + 8 * "."


def test_a_crash_while_looking_is_an_answer_too(tmp_path: Path) -> None:
    with Pool(tmp_path, start_worker=Starter(mortal)) as pool:
        shown = pool.view(tmp_path / "a.jpg", 64).result(LIMIT)
    assert shown == Shown(b"", "a.jpg: the decoder crashed on it")


def test_what_an_engine_says_of_a_picture_is_checked(tmp_path: Path) -> None:
    with Pool(tmp_path, start_worker=Starter(painter)) as pool:
        verdict = pool.submit(tmp_path / "a.jpg").result(LIMIT)
        assert verdict.error == "a.jpg: the decoder crashed on it", "a picture is no verdict"
        shown = pool.view(tmp_path / "a.jpg", 64).result(LIMIT)
    assert shown == Shown(b"", "a.jpg�[2J")


@pytest.mark.skipif(sys.platform != "linux", reason="engines are confined on Linux only")
def test_an_engine_that_may_not_write_still_shows(tmp_path: Path) -> None:
    photo = picture(tmp_path / "a.jpg", (800, 600))
    with Pool(BEARS) as pool:
        assert look(pool.view(photo, 240).result(LIMIT)).size == (240, 180)
        (pid,) = pool.pids
        assert "Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text()
    assert list(tmp_path.iterdir()) == [photo]
