"""Small pictures: kept up to a size, the ones not looked at for longest go first."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest

from tests.helpers import names, wait_until
from trayapp.engine import EngineError
from trayapp.engine.wire import Shown
from trayapp.review.thumbs import JPEG, NoPictureError, Thumbs


class Engine:
    """Makes pictures of 1,000 bytes; `made` are the photos that it was asked for."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.content = JPEG + b"x" * 997
        self.waits: threading.Event | None = None

    def view(self, path: Path, side: int) -> Future[Shown]:
        self.made.append(path.name)
        future: Future[Shown] = Future()
        if self.waits is None:
            future.set_result(Shown(self.content))
        else:
            threading.Thread(target=lambda: self._later(future), name="engine").start()
        return future

    def _later(self, future: Future[Shown]) -> None:
        assert self.waits is not None
        self.waits.wait(20)
        future.set_result(Shown(self.content))


def photos(folder: Path, count: int) -> list[Path]:
    made = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        path.write_bytes(b"photo" * (number + 1))
        made.append(path)
    return made


def test_they_are_kept_up_to_a_size(tmp_path: Path) -> None:
    engine, cache = Engine(), tmp_path / "cache"
    made = photos(tmp_path, 12)
    thumbs = Thumbs(cache, engine.view, limit=5000)
    for path in made[:5]:
        thumbs.jpeg(path, 100)
    thumbs.jpeg(made[0], 100)  # looked at again: the second is now the oldest
    thumbs.jpeg(made[5], 100)
    assert engine.made == ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg"]
    assert len(names(cache)) == 5 and thumbs.total == 5000
    thumbs.jpeg(made[0], 100)
    assert len(engine.made) == 6
    thumbs.jpeg(made[1], 100)
    assert engine.made[-1] == "1.jpg"
    for path in made:
        thumbs.jpeg(path, 100)
        assert sum(file.stat().st_size for file in cache.iterdir()) <= 5000


def test_they_outlive_the_program_and_a_move_but_not_a_change(tmp_path: Path) -> None:
    engine, cache = Engine(), tmp_path / "cache"
    (photo,) = photos(tmp_path, 1)
    Thumbs(cache, engine.view).jpeg(photo, 100)
    moved = photo.rename(tmp_path / "elsewhere.jpg")
    again = Thumbs(cache, engine.view)
    again.jpeg(moved, 100)
    assert engine.made == ["0.jpg"]
    again.jpeg(moved, 200)
    moved.write_bytes(b"edited")
    again.jpeg(moved, 100)
    assert engine.made == ["0.jpg", "elsewhere.jpg", "elsewhere.jpg"]
    assert Thumbs(cache, engine.view, limit=1000).total <= 1000, "a smaller limit is kept at once"


def test_what_a_cleaner_took_away_is_made_again(tmp_path: Path) -> None:
    engine, cache = Engine(), tmp_path / "cache"
    (photo,) = photos(tmp_path, 1)
    thumbs = Thumbs(cache, engine.view)
    thumbs.jpeg(photo, 100)
    for file in cache.iterdir():
        file.write_bytes(b"not a picture any more")
    thumbs.jpeg(photo, 100)
    for file in cache.iterdir():
        file.unlink()
    assert thumbs.jpeg(photo, 100) == engine.content
    assert len(engine.made) == 3 and thumbs.total == 1000


def test_one_picture_is_made_once_however_many_ask(tmp_path: Path) -> None:
    engine = Engine()
    engine.waits = threading.Event()
    (photo,) = photos(tmp_path, 1)
    thumbs = Thumbs(tmp_path / "cache", engine.view)
    found: list[bytes] = []
    asking = [
        threading.Thread(target=lambda: found.append(thumbs.jpeg(photo, 100))) for _ in range(5)
    ]
    for thread in asking:
        thread.start()
    wait_until(lambda: engine.made, 10, "the engine is asked")
    engine.waits.set()
    for thread in asking:
        thread.join(10)
    assert found == [engine.content] * 5 and engine.made == ["0.jpg"]


def test_who_asks_as_it_is_made_gets_what_was_made(tmp_path: Path) -> None:
    """One looks for it before it is kept, and asks for it after."""
    engine = Engine()
    (photo,) = photos(tmp_path, 1)
    thumbs = Thumbs(tmp_path / "cache", engine.view)
    look = thumbs._kept

    def too_early(name: str) -> bytes | None:
        thumbs._kept = look  # type: ignore[method-assign]
        assert look(name) is None
        thumbs.jpeg(photo, 100)
        return None

    thumbs._kept = too_early  # type: ignore[method-assign]
    assert thumbs.jpeg(photo, 100) == engine.content
    assert engine.made == ["0.jpg"]


def test_what_cannot_be_shown_is_said_and_not_kept(tmp_path: Path) -> None:
    engine, cache = Engine(), tmp_path / "cache"
    (photo,) = photos(tmp_path, 1)
    thumbs = Thumbs(cache, engine.view)
    engine.content = b"<script>"  # an engine that a picture has taken over
    with pytest.raises(NoPictureError):
        thumbs.jpeg(photo, 100)
    with pytest.raises(NoPictureError, match="no longer there"):
        thumbs.jpeg(tmp_path / "gone.jpg", 100)
    link = tmp_path / "link.jpg"
    link.symlink_to(photo)
    with pytest.raises(NoPictureError):
        thumbs.jpeg(link, 100)

    def closed(path: Path, side: int) -> Future[Shown]:
        raise EngineError("closed")

    with pytest.raises(NoPictureError, match="just now"):
        Thumbs(cache, closed).jpeg(photo, 100)
    assert not cache.exists()
