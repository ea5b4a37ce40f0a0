"""A backlog larger than what may wait at once: none of it is lost, and little of it is held."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.books import Books
from tests.helpers import make_tree, names, read_tree
from tests.test_pipeline import World
from trayapp import intake, pipeline
from trayapp.settings import Folder, Sort
from trayapp.watch import Gone, Seen

MOST, MANY = 20, 100


@pytest.fixture
def tmp_path(in_memory: Path) -> Path:
    """Hundreds of photos are filed, and how long a disk takes for that is not what is tested."""
    return in_memory


@pytest.fixture
def world(inbox: Path, books: Books, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(intake, "MOST", MOST)
    made = World(inbox, books, Sort(), Folder(observer="polling"))
    made.inbox._has_room = lambda: made.pipeline.intake.has_room
    made.inbox.tick(0)
    yield made
    made.inbox.close()


def work(world: World, seconds: int) -> int:
    """As `Live` does; returns how many photos waited at most."""
    most = 0
    for _ in range(seconds):
        if not world.inbox.scanning and world.pipeline.intake.take_missed():
            world.inbox.rescan(sidecars=True)
        world.inbox.tick(world.time)
        world.run(1)
        most = max(most, world.pipeline.pending)
    return most


def test_photos_that_all_arrive_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trayapp.inbox.SLICE", 5)
    for number in range(MANY):
        world.drop(f"grizzly {number}.jpg")
    assert work(world, 3 * MANY // 5) <= MOST + 5
    assert names(world.root) == {f"grizzly/grizzly {number}.jpg" for number in range(MANY)}
    assert len(world.books.journal.history()) == MANY


def test_photos_that_go_again_while_they_wait(world: World) -> None:
    paths = [world.drop(f"grizzly {number}.jpg") for number in range(MANY)]
    for path in paths[::2]:
        path.unlink()
        world.pipeline.put(Gone(path))
    work(world, 60)
    assert len(names(world.root)) == MANY // 2


def test_a_sidecar_that_came_late_when_there_was_no_room(world: World) -> None:
    world.drop("grizzly first.jpg")
    work(world, 5)
    for number in range(MANY):
        world.drop(f"grizzly {number}.jpg")
    world.drop("grizzly first.xmp", "late")
    work(world, 60)
    assert read_tree(world.root)["grizzly"]["grizzly first.xmp"] == "late"


def test_what_is_on_its_way_is_heard_of_also_when_there_is_no_room(world: World) -> None:
    """A photo that is still being written must not be taken before its time."""
    for number in range(MANY):
        world.drop(f"grizzly {number}.jpg", complete=False)
    first = world.root / "grizzly 0.jpg"
    world.run()
    assert first in world.pipeline.settle
    for _ in range(8):
        world.run(0.5)
        first.write_text(f"{first.read_text()} more")
        world.pipeline.put(Seen(first))
    assert first.exists()
    work(world, 80)
    assert len(names(world.root / "grizzly")) == MANY


def test_the_photos_that_were_there_are_sorted_without_filling_the_memory(
    world: World, tmp_path: Path
) -> None:
    old = make_tree(tmp_path / "card", {f"grizzly {n}.jpg": str(n) for n in range(MANY)})
    world.inbox.close()
    for path in old.iterdir():
        path.rename(world.root / path.name)
    world.inbox._chosen = True  # she chooses that folder now
    world.inbox._next_look = 0.0
    work(world, 5)
    assert world.books.notes.count_existing(world.root) == MANY
    world.books.notes.forget_existing(world.root)
    world.inbox.rescan()
    assert work(world, 100) <= MOST + 100
    assert len(names(world.root / "grizzly")) == MANY


def test_a_card_of_broken_photos_does_not_fill_the_memory(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "MOST_TOLD", MOST)
    paths = [world.drop(f"broken {number}.jpg") for number in range(MANY)]
    for path in paths:
        os.utime(path, (0, 0))  # not written just now
    work(world, 60)
    assert len(world.pipeline._told) <= MOST
    counts = [notice.title.removesuffix(" problems") for notice in world.notices]
    assert sum(int(count) for count in counts if count.isdecimal()) == MANY, "each told once"
