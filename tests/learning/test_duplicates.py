"""What was scraped twice is kept once, and what nearly is the same stays on one side of a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.helpers import picture
from tests.learning.photos import COLOURS, GREY, textured
from trayapp.engine.decode import decode
from trayapp.learning.dataset import Dataset, Picture
from trayapp.learning.duplicates import Fingerprint, fingerprint, groups, once
from trayapp.learning.split import plan

pytestmark = pytest.mark.learning


def prints(*paths: Path) -> list[Fingerprint]:
    images = [decode(path)[0] for path in paths]
    return [fingerprint(image, image.width * image.height) for image in images]


def dataset(folder: Path, labels: dict[str, str | None]) -> Dataset:
    rows = [Picture(folder / name, name, label, "photos") for name, label in labels.items()]
    return Dataset(
        folder, tuple(sorted({label for label in labels.values() if label})), tuple(rows)
    )


def test_the_larger_of_two_copies_is_kept(tmp_path: Path) -> None:
    large = textured(tmp_path / "large.jpg", GREY, 1, (640, 480))
    with Image.open(large) as image:
        image.resize((320, 240)).save(tmp_path / "small.jpg", quality=70)
    textured(tmp_path / "other.jpg", GREY, 2, (640, 480))
    names = ("small.jpg", "large.jpg", "other.jpg")
    found = once(
        dataset(tmp_path, dict.fromkeys(names, "grey")), prints(*(tmp_path / n for n in names))
    )
    assert [(item.name, item.why) for item in found] == [("small.jpg", "the same as large.jpg")]


def test_copies_that_contradict_each_other_are_both_left_out(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        textured(tmp_path / name, GREY, 1)
    found = once(
        dataset(tmp_path, {"a.jpg": "cat", "b.jpg": None}),
        prints(tmp_path / "a.jpg", tmp_path / "b.jpg"),
    )
    assert [item.name for item in found] == ["a.jpg", "b.jpg"]
    assert found[0].why == "the same picture is cat and none: see b.jpg"


def test_the_same_toy_in_another_colour_is_no_copy(tmp_path: Path) -> None:
    paths = [textured(tmp_path / f"{name}.jpg", c, 1) for name, c in COLOURS.items()]
    assert once(dataset(tmp_path, {p.name: "toy" for p in paths}), prints(*paths)) == ()
    assert len(set(groups(prints(*paths)))) == 1, "but nearly the same"


def test_a_mirrored_picture_belongs_to_its_twin(tmp_path: Path) -> None:
    first = textured(tmp_path / "first.jpg", GREY, 1, (320, 240))
    with Image.open(first) as image:
        ImageOps.mirror(image).save(tmp_path / "mirrored.jpg")
    others = [textured(tmp_path / f"{seed}.jpg", GREY, seed, (320, 240)) for seed in range(2, 30)]
    found = groups(prints(first, tmp_path / "mirrored.jpg", *others))
    assert found[0] == found[1]
    assert len(set(found)) == 29


def test_blank_pictures_are_not_all_the_same(tmp_path: Path) -> None:
    paths = [picture(tmp_path / f"{i}.png", colour=(i, i, i)) for i in range(5)]
    assert len(set(groups(prints(*paths)))) == 5


def test_no_twins_on_both_sides_of_any_split() -> None:
    random = np.random.default_rng(0)
    found = random.integers(0, 60, 200)
    pictures = [
        Picture(Path(str(i)), str(i), "cat" if i % 2 else "dog", "web", f"s{i % 3}")
        for i in range(200)
    ]
    for how in ("", "5", "source"):
        folds = plan(pictures, found, how, seed=1)
        for fold in folds:
            assert not set(found[fold.train]) & set(found[fold.test]), how
            assert not set(fold.train) & set(fold.test)
        tested = np.concatenate([fold.test for fold in folds])
        assert len(set(tested.tolist())) == len(tested)
        if how:
            assert sorted(tested.tolist()) == list(range(200)), "each is held back once"
        else:
            assert 25 <= len(tested) <= 55
    again = plan(pictures, found, "5", seed=1)
    assert all(
        (a.test == b.test).all() for a, b in zip(again, plan(pictures, found, "5", 1), strict=True)
    )
