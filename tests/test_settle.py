"""When is a photo fully written?"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from trayapp.photo import Photo
from trayapp.settle import RETRY_SECONDS, Settle

PATH = Path("inbox/bear.jpg")
SMALL = Photo(PATH, 100, 1, "1:1")
WHOLE = replace(SMALL, size=900, mtime_ns=2)


class Disk:
    """What a candidate looks like at the moment."""

    def __init__(self) -> None:
        self.photo: Photo | None = SMALL
        self.writer = False
        self.settle = Settle(1.0, lambda _: self.photo, lambda _: self.writer)


def test_a_closed_photo_is_ready_at_once() -> None:
    disk = Disk()
    disk.settle.saw(PATH, 10.0, complete=True)
    assert disk.settle.ready(10.0, 9) == [SMALL]
    assert disk.settle.next_due() is None


def test_a_photo_that_cannot_be_looked_at_now_is_looked_at_later() -> None:
    """A network share that does not answer once must not hide the photo until a restart."""
    answers: list[Photo | OSError] = [PermissionError(), SMALL]

    def look(_: Path) -> Photo:
        answer = answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    settle = Settle(1.0, look, lambda _: False)
    settle.saw(PATH, 10.0, complete=True)
    assert settle.ready(10.0, 9) == []
    assert settle.next_due() == 10.0 + RETRY_SECONDS
    assert settle.ready(10.0 + RETRY_SECONDS, 9) == [SMALL]


def test_a_photo_that_nobody_closed_has_to_be_quiet_for_a_while() -> None:
    disk = Disk()
    disk.settle.saw(PATH, 10.0, complete=False)
    assert disk.settle.ready(10.5, 9) == []
    disk.settle.saw(PATH, 10.8, complete=False)
    assert disk.settle.ready(11.0, 9) == []
    assert disk.settle.ready(11.8, 9) == [SMALL]


def test_a_writer_keeps_it_back_however_quiet_it_is() -> None:
    disk = Disk()
    disk.writer = True
    disk.settle.saw(PATH, 10.0, complete=True)
    assert disk.settle.ready(10.0, 9) == []
    assert disk.settle.ready(60.0, 9) == []
    disk.writer, disk.photo = False, WHOLE
    assert disk.settle.ready(62.0, 9) == [], "it changed since it was last looked at"
    assert disk.settle.ready(63.0, 9) == [WHOLE]


def test_what_went_away_is_no_candidate_any_more() -> None:
    disk = Disk()
    disk.settle.saw(PATH, 10.0, complete=False)
    disk.photo = None
    assert disk.settle.ready(20.0, 9) == []
    assert len(disk.settle) == 0


def test_one_that_is_held_comes_again_later_or_when_it_is_closed() -> None:
    disk = Disk()
    disk.settle.hold(SMALL, 10.0, 5.0)
    assert disk.settle.ready(14.9, 9) == []
    assert disk.settle.ready(15.0, 9) == [SMALL]
    disk.settle.hold(SMALL, 20.0, 5.0)
    disk.settle.saw(PATH, 21.0, complete=True)
    assert disk.settle.ready(21.0, 9) == [SMALL]
    assert disk.settle.ready(30.0, 9) == [], "once, not twice"


def test_no_more_are_given_than_asked_for() -> None:
    paths = [Path(f"{number}.jpg") for number in range(10)]
    settle = Settle(1.0, lambda path: replace(SMALL, path=path), lambda _: False)
    for path in paths:
        settle.saw(path, 0.0, complete=True)
    first = settle.ready(0.0, 4)
    rest = settle.ready(0.0, 99)
    assert (len(first), len(rest)) == (4, 6)
    assert {photo.path for photo in first + rest} == set(paths)
