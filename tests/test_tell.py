"""What people are told: one notice for a photo, one for a burst, problems apart."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from trayapp.photo import Entry, Verdict
from trayapp.tell import Event, Filed, Gather, Left, Mode, Notice, Trouble, compose, percent


def filed(id_: int, label: str | None = "grizzly", action: Any = "move") -> Filed:
    name = Path(f"/inbox/{id_}.jpg")
    folder = Path("/inbox") / (label or "unsure")
    return Filed(Entry(id_, 0.0, 1, name, folder / name.name, label, 0.98, action, "done"))


def left(name: str = "desk.jpg") -> Left:
    verdict = Verdict(None, 0.4, {"grizzly": 0.1, "black": 0.4}, "unsure")
    return Left(Path("/inbox") / name, verdict)


@pytest.mark.parametrize(
    ("action", "title", "place"),
    [
        ("move", "Photo filed", "/inbox/grizzly/7.jpg"),
        ("copy", "Photo copied", "/inbox/grizzly/7.jpg"),
        ("tag", "Photo tagged", "/inbox/7.jpg"),
    ],
)
def test_one_photo_can_be_undone_and_shown(action: str, title: str, place: str) -> None:
    """A tagged photo stays where it is; its entry's destination is the sidecar beside it."""
    notice = Notice(title, "7.jpg → grizzly, 98 %", undo=(7,), show=Path(place))
    assert compose([filed(7, action=action)], "each") == [notice]


def test_a_photo_that_goes_to_unsure() -> None:
    place = Path("/inbox/unsure/7.jpg")
    notice = Notice("Photo filed", "7.jpg → unsure", (7,), show=place)
    assert compose([filed(7, None)], "each") == [notice]


def test_a_photo_that_is_not_recognised() -> None:
    body = "desk.jpg stays where it is (best guess: black, 40 %)"
    place = Path("/inbox/desk.jpg")
    assert compose([left()], "each") == [Notice("Photo not recognised", body, show=place)]
    bare = Left(Path("/inbox/desk.jpg"), Verdict(None, None, reason="unsure"))
    assert compose([bare], "each")[0].body == "desk.jpg stays where it is"


def test_a_burst_is_counted_the_most_first() -> None:
    events: list[Event] = [filed(1, "black"), filed(2), filed(3), filed(4, None), left()]
    body = "2 grizzly, 1 black, 1 unsure, 1 not recognised"
    inbox = Path("/inbox")
    notice = Notice("4 photos filed", body, undo=(1, 2, 3, 4), show=inbox)
    assert compose(events, "each") == [notice]
    assert compose([filed(1), left()], "each")[0].title == "1 photo filed"


def test_a_burst_shows_the_folder_that_all_of_it_went_to() -> None:
    (notice,) = compose([filed(1), filed(2), left()], "each")
    assert notice.show == Path("/inbox/grizzly")
    (notice,) = compose([filed(1), filed(2, "black")], "each")
    assert notice.show == Path("/inbox")


def test_a_long_name_keeps_its_number_its_suffix_and_the_label() -> None:
    name = f"{'holiday ' * 30}IMG_0412.jpg"
    event = filed(7)
    entry = replace(event.entry, path=Path("/inbox") / name)
    (notice,) = compose([Filed(entry)], "each")
    assert notice.body.endswith("IMG_0412.jpg → grizzly, 98 %")
    assert notice.body.startswith("holiday holiday") and len(notice.body) < 90
    (notice,) = compose([left(name)], "each")
    assert "IMG_0412.jpg stays where it is" in notice.body and len(notice.body) < 140


def test_a_burst_of_which_nothing_is_recognised() -> None:
    inbox = Path("/inbox")
    notice = Notice("2 photos not recognised", "They stay where they are.", show=inbox)
    assert compose([left("a.jpg"), left("b.jpg")], "each") == [notice]


def test_problems_are_told_apart_from_photos() -> None:
    photo, problem = compose([Trouble("the disk is full"), filed(1)], "each")
    assert (photo.title, photo.problem) == ("Photo filed", False)
    assert problem == Notice("Beartray needs you", "the disk is full", problem=True)


def test_a_problem_with_a_photo_shows_the_photo() -> None:
    photo = Path("/inbox/a.jpg")
    (notice,) = compose([Trouble("a.jpg cannot be read", photo)], "each")
    assert notice.problem and notice.show == photo


def test_many_problems_are_cut_short() -> None:
    (notice,) = compose([Trouble(f"problem {n}") for n in range(5)], "each")
    assert notice.title == "5 problems"
    assert notice.body.splitlines() == [
        *("problem 0", "problem 1", "problem 2", "… and 2 more; see `beartray status`")
    ]
    (notice,) = compose([Trouble("one"), Trouble("two")], "each")
    assert notice.body == "one\ntwo"


@pytest.mark.parametrize(("mode", "titles"), [("problems", ["Beartray needs you"]), ("off", [])])
def test_quieter_modes(mode: Mode, titles: list[str]) -> None:
    events: list[Event] = [filed(1), left(), Trouble("the disk is full")]
    assert [notice.title for notice in compose(events, mode)] == titles


def test_a_notice_waits_until_the_burst_is_over() -> None:
    gather = Gather("each")
    assert (gather.due(idle=True), gather.notices(0, idle=True)) == (None, [])
    gather.add(filed(1), 0.0)
    gather.add(filed(2), 0.5)
    assert gather.due(idle=True) == pytest.approx(1.2)
    assert gather.notices(1.1, idle=True) == []
    assert gather.notices(1.3, idle=False) == [], "more are on their way"
    (notice,) = gather.notices(2.0, idle=True)
    assert notice.undo == (1, 2)
    assert (gather.due(idle=True), gather.notices(9, idle=True)) == (None, [])


def test_nobody_needs_to_look_again_before_the_photos_on_their_way_are_done() -> None:
    """Or the tray would look without a rest for as long as the engine takes for the next one."""
    gather = Gather("each")
    gather.add(filed(1), 10.0)
    assert gather.due(idle=True) == pytest.approx(10.7)
    assert gather.due(idle=False) == pytest.approx(70.0)


def test_a_burst_without_end_is_told_of_once_a_minute() -> None:
    gather = Gather("each")
    told = []
    for tenth in range(1300):
        gather.add(filed(tenth), tenth / 10)
        told += gather.notices(tenth / 10, idle=False)
    assert [len(notice.undo) for notice in told] == [601, 601]


def test_what_a_backlog_has_to_tell_takes_little_memory() -> None:
    """In ten minutes of a digest 100,000 photos may be filed."""
    gather, count, entry = Gather("digest"), 5_000, filed(1).entry
    gather.add(Filed(entry), 0.0)
    tracemalloc.start()
    try:
        for number in range(count):
            gather.add(Filed(replace(entry, id=1000 + number)), 0.0)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / count < 16, "bytes a photo"
    assert len(gather.flush()[0].undo) == count + 1


def test_a_digest_waits_for_half_a_minute_of_peace() -> None:
    gather = Gather("digest")
    gather.add(filed(1), 0.0)
    assert gather.notices(29, idle=True) == []
    assert len(gather.notices(30, idle=True)) == 1


@pytest.mark.parametrize(
    ("confidence", "words"),
    [(0.984, "98 %"), (0.9999, "99 %"), (1.0, "100 %"), (0.0, "0 %"), (None, "?")],
)
def test_percent(confidence: float | None, words: str) -> None:
    assert percent(confidence).replace("\N{NO-BREAK SPACE}", " ") == words
