"""The way of a photo, with a real folder, a real journal, and an engine that says what we like."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from tests.books import Books, plan
from tests.helpers import cannot_be_looked_at, make_tree, read_tree, wait_until
from trayapp import disk
from trayapp.engine import EngineError
from trayapp.inbox import Inbox
from trayapp.photo import Entry, Photo, Verdict
from trayapp.pipeline import IN_FLIGHT, Pipeline
from trayapp.settings import Folder, Sort
from trayapp.settle import Settle
from trayapp.steps import look
from trayapp.tell import Gather, Notice
from trayapp.watch import Gone, Seen

OLD = 1_600_000_000


class World:
    """One inbox with its pipeline; time passes only when told."""

    def __init__(self, inbox: Path, books: Books, sort: Sort, settings: Folder) -> None:
        self.root, self.books, self.time, self.wall = inbox, books, 0.0, time.time()
        self.notices: list[Notice] = []
        self.asked: list[str] = []
        self.answer: Callable[[Path], Verdict] = by_first_word
        self.engine_problem: str | None = None
        self.pipeline = Pipeline(
            *(inbox, sort, Settle(1.0, look, disk.being_written), self.classify),
            *(books.filing, books.notes, Gather("each"), self.notices.append),
            now=lambda: self.time,
            wall=lambda: self.wall,
        )
        skip = lambda folder: folder.name in ("grizzly", "black")  # noqa: E731
        ever = float("inf")  # whatever is in the folder when it is first looked at is old
        self.inbox = Inbox(inbox, settings, books.notes, skip, self.pipeline.put, ever)

    def classify(self, path: Path) -> Future[Verdict]:
        self.asked.append(path.name)
        future: Future[Verdict] = Future()
        if self.engine_problem:
            future.set_exception(EngineError(self.engine_problem))
        else:
            future.set_result(self.answer(path))
        return future

    def drop(self, name: str, content: str | None = None, complete: bool = True) -> Path:
        path = self.root / name
        path.write_text(name if content is None else content)
        self.pipeline.put(Seen(path, complete))
        return path

    def run(self, seconds: float = 0.0) -> None:
        """Let time pass and everything that is due happen."""
        end, tick = self.time + seconds, 0.25
        while True:
            for _ in range(20):
                self.pipeline.step(0)
            if self.time >= end:
                return
            self.time, self.wall = self.time + tick, self.wall + tick

    def shown(self) -> list[str]:
        told = [f"{notice.title}: {notice.body}" for notice in self.notices]
        self.notices.clear()
        return told


def by_first_word(path: Path) -> Verdict:
    label = path.name.split(" ")[0].split(".")[0]
    if label == "broken":
        return Verdict(
            None, None, reason="unreadable", error=f"{path.name} is cut short", seen=look(path)
        )
    if label == "desk":
        return Verdict(None, 0.3, {"grizzly": 0.3}, "unsure", seen=look(path))
    return Verdict(label, 0.98, {label: 0.98}, seen=look(path))


@pytest.fixture
def make_world(inbox: Path, books: Books) -> Callable[..., World]:
    def make(sort: Sort | None = None, **folder: Any) -> World:
        return World(inbox, books, sort or Sort(), Folder(observer="polling", **folder))

    return make


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    return make_world()


def test_a_photo_is_filed_and_told(world: World) -> None:
    world.drop("grizzly 1.jpg")
    world.run()
    assert read_tree(world.root) == {"grizzly": {"grizzly 1.jpg": "grizzly 1.jpg"}}
    world.run(1)
    assert world.shown() == ["Photo filed: grizzly 1.jpg → grizzly, 98 %"]


def test_a_burst_is_one_batch_and_one_digest(world: World) -> None:
    for number in range(30):
        world.drop(f"{'grizzly' if number % 3 else 'black'} {number}.jpg")
    world.drop("desk.jpg")
    world.run(2)
    assert world.shown() == ["30 photos filed: 20 grizzly, 10 black, 1 not recognised"]
    assert len({entry.batch for entry in world.books.journal.history()}) == 1
    world.run(5)
    world.drop("black again.jpg")
    world.run(2)
    assert world.shown() == ["Photo filed: black again.jpg → black, 98 %"]
    (last,) = world.books.journal.last_batch()
    assert world.books.journal.entry(last).path.name == "black again.jpg"


def test_a_photo_of_no_known_class_stays_and_is_not_asked_about_again(world: World) -> None:
    path = world.drop("desk.jpg")
    world.run(1)
    assert world.shown() == [
        "Photo not recognised: desk.jpg stays where it is (best guess: grizzly, 30 %)"
    ]
    world.pipeline.put(Seen(path))
    world.run(5)
    assert (world.asked, world.shown()) == (["desk.jpg"], [])
    assert read_tree(world.root) == {"desk.jpg": "desk.jpg"}


def test_a_damaged_photo_is_reported_once_and_does_not_stop_the_next(world: World) -> None:
    path = world.drop("broken.jpg")
    os.utime(path, (OLD, OLD))
    world.drop("grizzly.jpg")
    world.run(2)
    assert world.shown() == [
        "Photo filed: grizzly.jpg → grizzly, 98 %",
        "Beartray needs you: broken.jpg is cut short; it stays in place",
    ]
    for _ in range(3):
        world.pipeline.put(Seen(path, complete=True))
        world.run(10)
    assert world.shown() == []
    assert read_tree(world.root) == {
        "broken.jpg": "broken.jpg",
        "grizzly": {"grizzly.jpg": "grizzly.jpg"},
    }


def test_a_photo_that_is_closed_after_every_chunk_is_waited_for(world: World) -> None:
    world.answer = lambda path: by_first_word(
        path if path.stat().st_size == 30 else path.with_name("broken.jpg")
    )
    path = world.root / "grizzly.jpg"
    for _ in range(3):
        with path.open("a") as stream:
            stream.write("0123456789")
        os.utime(path, (world.wall, world.wall))
        world.pipeline.put(Seen(path, complete=True))
        world.run(3)
    world.run(3)
    assert world.shown() == ["Photo filed: grizzly.jpg → grizzly, 98 %"]
    assert read_tree(world.root) == {"grizzly": {"grizzly.jpg": "0123456789" * 3}}


def test_a_browsers_placeholder_waits_for_its_download(world: World) -> None:
    world.answer = lambda path: by_first_word(
        path if path.stat().st_size else path.with_name("broken.jpg")
    )
    path = world.drop("grizzly.jpg", "")
    part = world.root / "grizzly.jpg.part"
    part.write_text("the whole photo")
    world.run(60)
    assert world.shown() == []
    part.rename(path)
    world.pipeline.put(Seen(path, complete=True))
    world.run(2)
    assert world.shown() == ["Photo filed: grizzly.jpg → grizzly, 98 %"]


def test_a_photo_that_changed_while_it_was_looked_at_is_looked_at_again(world: World) -> None:
    def edited_meanwhile(path: Path) -> Verdict:
        verdict = by_first_word(path)
        if len(world.asked) == 1:
            path.write_text("edited")
        return verdict

    world.answer = edited_meanwhile
    world.drop("grizzly.jpg")
    world.run(3)
    assert world.asked == ["grizzly.jpg", "grizzly.jpg"]
    assert read_tree(world.root) == {"grizzly": {"grizzly.jpg": "edited"}}


def test_paused_it_touches_nothing_and_finds_all_on_resume(world: World) -> None:
    world.inbox.tick(world.time)
    world.drop("grizzly 1.jpg", complete=False)
    world.run()
    world.pipeline.pause()
    world.drop("grizzly 2.jpg")
    world.run(10)
    assert set(read_tree(world.root)) == {"grizzly 1.jpg", "grizzly 2.jpg"}
    world.pipeline.resume()
    world.inbox.rescan()
    world.inbox.tick(world.time)
    world.run(2)
    assert set(read_tree(world.root)["grizzly"]) == {"grizzly 1.jpg", "grizzly 2.jpg"}
    world.inbox.close()


def test_without_an_engine_photos_wait_and_it_is_said_once(world: World) -> None:
    world.engine_problem = "model.onnx is missing: copy the model package again"
    world.drop("grizzly.jpg")
    world.run(20)
    assert world.shown() == [f"Beartray needs you: {world.engine_problem}"]
    assert world.pipeline.problem == world.engine_problem
    world.engine_problem = None
    world.run(5)
    assert world.shown() == ["Photo filed: grizzly.jpg → grizzly, 98 %"]
    assert world.pipeline.problem is None


def test_a_place_that_is_blocked_is_told_once_and_tried_again(world: World) -> None:
    (world.root / "grizzly").write_text("a file")
    world.drop("grizzly.jpg")
    world.run(100)
    (told,) = world.shown()
    assert "is a file, not a folder; rename it" in told
    (world.root / "grizzly").unlink()
    world.run(40)
    assert read_tree(world.root) == {"grizzly": {"grizzly.jpg": "grizzly.jpg"}}


def test_an_undone_photo_stays_even_when_it_is_edited_or_renamed(world: World) -> None:
    path = world.drop("grizzly.jpg")
    world.run(2)
    world.books.filing.undo(world.books.journal.filed(1)[0])
    world.pipeline.put(Gone(path))  # the move's own event, late
    world.pipeline.put(Seen(path, complete=True))
    world.run(5)
    path.write_text("rotated")
    world.pipeline.put(Seen(path, complete=True))
    world.run(5)
    renamed = path.rename(world.root / "mine.jpg")
    world.pipeline.put(Seen(renamed, complete=True))
    world.run(5)
    assert read_tree(world.root) == {"mine.jpg": "rotated"}
    assert world.asked == ["grizzly.jpg"]


def test_the_same_name_again_is_a_new_photo(world: World) -> None:
    for content in ("one", "two", "three"):
        world.drop("grizzly.jpg", content)
        world.run(1)
    assert read_tree(world.root)["grizzly"] == {
        "grizzly.jpg": "one",
        "grizzly (2).jpg": "two",
        "grizzly (3).jpg": "three",
    }


@pytest.mark.parametrize("moment", ["while it is looked at", "just before it is copied"])
def test_a_photo_that_beartray_sort_copies_meanwhile_is_not_copied_again(
    make_world: Callable[..., World], moment: str
) -> None:
    world = make_world(Sort(action="copy"))
    settle_at, recovery = world.books.filing._recovery.settle_at, world.books.filing._recovery

    def copy(path: Path) -> Verdict:
        recovery.settle_at = settle_at  # type: ignore[method-assign]
        world.books.filing.file(plan(path, Sort(action="copy")), None)
        return by_first_word(path)

    if moment == "while it is looked at":
        world.answer = copy
    else:
        recovery.settle_at = copy  # type: ignore[method-assign, assignment]
    world.drop("grizzly.jpg", "photo")
    world.run()
    assert read_tree(world.root) == {"grizzly.jpg": "photo", "grizzly": {"grizzly.jpg": "photo"}}
    assert len(world.books.journal.filed()) == 1
    assert world.notices == []


@pytest.mark.parametrize("action", ["copy", "tag"])
def test_a_copied_or_tagged_photo_is_dealt_with_once(
    make_world: Callable[..., World], action: Any
) -> None:
    world = make_world(Sort(action=action))
    path = world.drop("grizzly.jpg")
    world.run(1)
    for _ in range(3):
        world.pipeline.put(Seen(path, complete=True))
        world.run(1)
    assert world.asked == ["grizzly.jpg"]
    assert len(world.books.journal.history()) == 1


def test_photos_that_are_there_already_are_left_alone_until_asked(world: World) -> None:
    make_tree(world.root, {"grizzly old.jpg": "1", "black old.jpg": "2", "notes.txt": "3"})
    world.inbox.tick(0)
    world.run(5)
    assert world.asked == []
    assert world.books.notes.count_existing(world.root) == 2
    new = world.root / "grizzly new.jpg"
    new.write_text("new")
    world.inbox.rescan()
    world.inbox.tick(0)
    world.run(5)
    assert world.asked == ["grizzly new.jpg"]
    world.books.notes.forget_existing(world.root)
    world.inbox.rescan()
    world.inbox.tick(0)
    world.run(5)
    assert read_tree(world.root) == {
        "grizzly": {"grizzly new.jpg": "new", "grizzly old.jpg": "1"},
        "black": {"black old.jpg": "2"},
        "notes.txt": "3",
    }
    world.inbox.close()


def test_an_old_photo_that_cannot_be_looked_at_is_no_new_one(world: World) -> None:
    make_tree(world.root, {"grizzly old.jpg": "1", "black old.jpg": "2"})
    with cannot_be_looked_at(world.root / "grizzly old.jpg"):
        world.inbox.tick(0)
    world.run(5)
    assert world.asked == []
    assert world.books.notes.count_existing(world.root) == 2
    world.inbox.close()


def test_a_photo_that_came_since_the_folder_was_named_is_new(world: World) -> None:
    make_tree(world.root, {"grizzly old.jpg": "1"})
    named = (world.root / "grizzly old.jpg").stat().st_ctime + 0.001
    wait_until(lambda: time.time() > named + 0.05, 5, "the clock to go on")
    new = world.root.with_name("grizzly new.jpg")
    new.write_text("2")
    os.utime(new, (OLD, OLD))
    new.rename(world.root / new.name)
    pipeline = world.pipeline
    inbox = Inbox(
        *(world.root, Folder(observer="polling"), world.books.notes),
        *(lambda _: False, pipeline.put, named),
    )
    inbox.tick(0)
    world.run(5)
    inbox.close()
    assert world.asked == ["grizzly new.jpg"]


def test_a_folder_that_is_away_is_reported_and_found_again(world: World) -> None:
    world.inbox.tick(0)
    assert (world.inbox.problem, world.inbox.watching) == (None, True)
    away = world.root.rename(world.root.with_name("away"))
    world.inbox.tick(3)
    assert world.inbox.problem is not None
    assert "is not there" in world.inbox.problem
    (away / "grizzly.jpg").write_text("came meanwhile")
    away.rename(world.root)
    world.inbox.tick(6)
    world.run(5)
    assert world.inbox.problem is None
    assert read_tree(world.root) == {"grizzly": {"grizzly.jpg": "came meanwhile"}}
    world.inbox.close()


def test_a_file_in_place_of_the_folder_is_reported(world: World) -> None:
    world.root.rmdir()
    world.root.write_text("not a folder")
    world.inbox.tick(0)
    assert world.inbox.problem == f"{world.root} is not a folder; choose another one"


def test_an_empty_mount_point_does_not_make_old_photos_new(world: World) -> None:
    make_tree(world.root, {"grizzly 1.jpg": "1", "grizzly 2.jpg": "2"})
    world.inbox.tick(0)
    world.inbox.close()
    away = world.root.rename(world.root.with_name("away"))
    world.root.mkdir()
    world.inbox.tick(3)
    world.inbox.close()
    world.root.rmdir()
    away.rename(world.root)
    world.inbox.tick(6)
    world.run(5)
    assert world.asked == []
    world.inbox.close()


def test_below_the_folder_only_where_wanted(make_world: Callable[..., World]) -> None:
    world = make_world(recursive=True, ignore=["draft*"])
    world.inbox.tick(0)
    tree = {
        "trip": {"grizzly.jpg": "1", "deep": {"black.jpg": "2"}, ".hidden": {"x.jpg": "3"}},
        "grizzly": {"put here by hand.jpg": "4"},
        "Draft 1.jpg": "5",
        ".hidden.jpg": "6",
        "notes.txt": "7",
        "folder.jpg": {},
    }
    make_tree(world.root, tree)
    world.inbox.rescan()
    world.inbox.tick(0)
    world.run(5)
    assert sorted(world.asked) == ["black.jpg", "grizzly.jpg"]
    world.inbox.close()


def test_a_photo_is_known_by_what_it_is_not_only_by_its_name(world: World) -> None:
    path = world.drop("desk.jpg")
    world.run(1)
    photo = Photo.at(path)
    assert world.books.notes.noted(photo) == "unsure"
    path.unlink()
    world.pipeline.put(Gone(path))
    world.run(1)
    assert world.books.notes.noted(photo) is None


def test_a_photo_that_cannot_be_looked_at_is_not_forgotten(world: World) -> None:
    """It was taken back: filed again as soon as the share answers, that would be undone."""
    path = world.drop("grizzly.jpg")
    world.run(1)
    (entry,) = world.books.journal.history()
    world.books.filing.undo(entry)
    with cannot_be_looked_at(path):
        world.pipeline.put(Gone(path))  # late
        world.run(1)
    world.pipeline.put(Seen(path))
    world.run(5)
    assert read_tree(world.root) == {"grizzly.jpg": "grizzly.jpg"}


def test_the_engine_gets_more_photos_while_those_that_it_knows_are_filed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that stalls for a moment must not make it wait for a moment more."""
    waiting: list[tuple[Path, Future[Verdict]]] = []
    asked_before: list[int] = []
    file = world.books.filing.file

    def submit(path: Path) -> Future[Verdict]:
        waiting.append((path, Future()))
        return waiting[-1][1]

    def file_slowly(*arguments: Any) -> Entry:
        asked_before.append(len(waiting))
        return file(*arguments)

    monkeypatch.setattr(world.pipeline, "submit", submit)
    monkeypatch.setattr(world.books.filing, "file", file_slowly)
    for number in range(3 * IN_FLIGHT):
        world.drop(f"grizzly {number}.jpg")
    world.run()
    assert len(waiting) == IN_FLIGHT
    for path, future in waiting[:]:  # all answers at once: the disk has just stalled
        future.set_result(by_first_word(path))
    world.pipeline.step(0)
    assert asked_before == list(range(IN_FLIGHT, 2 * IN_FLIGHT))
