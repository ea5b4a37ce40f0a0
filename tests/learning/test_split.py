"""Sources are held back whole, unless nobody else could teach what they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trayapp.engine import EngineError
from trayapp.learning.dataset import Picture
from trayapp.learning.split import plan

pytestmark = pytest.mark.learning


def photos(count: int, label: str | None, kind: str, source: str) -> list[Picture]:
    return [Picture(Path(), f"{source}-{kind}-{i}", label, kind, source) for i in range(count)]


WEB = [
    picture
    for number, source in enumerate(("first", "second", "third"))
    for label in ("black", "grizzly")
    for picture in photos(20 + 5 * number, label, "web", source)
]
FIELD = photos(12, "black", "wild", "field") + photos(12, None, "other-bear/sun", "field")


def test_a_source_that_alone_shows_something_is_shared_out() -> None:
    pictures = WEB + FIELD
    folds = plan(pictures, np.arange(len(pictures)), "source", seed=0)
    assert len(folds) == 3
    for fold in folds:
        tested = [pictures[i] for i in fold.test]
        whole = {picture.source for picture in tested} - {"field"}
        assert len(whole) == 1
        assert not whole & {pictures[i].source for i in fold.train}
        for kind in ("wild", "other-bear/sun"):
            assert sum(picture.kind == kind for picture in tested) == 4
            assert sum(pictures[i].kind == kind for i in fold.train) == 8


def test_sources_can_be_bundled_into_fewer_trainings() -> None:
    pictures = WEB + FIELD
    folds = plan(pictures, np.arange(len(pictures)), "source:2", seed=0)
    sources = [{pictures[i].source for i in fold.test} - {"field"} for fold in folds]
    assert sources == [{"third"}, {"first", "second"}], "balanced: 60 against 40 and 50"


@pytest.mark.parametrize("folds", ["1", "21", "sources", "x", "source:1"])
def test_what_cannot_be_meant(folds: str) -> None:
    with pytest.raises(EngineError, match="--folds: found"):
        plan(WEB, np.arange(len(WEB)), folds, seed=0)


def test_sources_that_are_not_named_cannot_be_held_back() -> None:
    pictures = photos(30, "a", "web", "") + photos(30, "b", "web", "")
    with pytest.raises(EngineError, match=r"needs a labels\.csv that names two or more sources"):
        plan(pictures, np.arange(60), "source", seed=0)


def test_too_few_for_so_many_parts() -> None:
    pictures = photos(30, "a", "web", "") + photos(10, "b", "web", "")
    with pytest.raises(EngineError, match="b: 10 pictures are too few for 12 parts"):
        plan(pictures, np.arange(40), "12", seed=0)


def test_a_rare_kind_is_no_reason_to_give_up() -> None:
    pictures = (
        photos(30, "a", "web", "") + photos(30, None, "pets", "") + photos(1, None, "owl", "")
    )
    folds = plan(pictures, np.arange(61), "5", seed=0)
    assert sorted(i for fold in folds for i in fold.test.tolist()) == list(range(61))
