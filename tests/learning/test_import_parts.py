"""The parts of an import that need no learner."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import files, picture
from trayapp.engine import EngineError
from trayapp.engine.card import Parity
from trayapp.learning.bring_in import choose_none
from trayapp.learning.parity import holds
from trayapp.learning.samples import find_samples, make_samples, thinned

pytestmark = pytest.mark.learning


@pytest.mark.parametrize(
    ("labels", "wanted", "chosen"),
    [
        (("black", "none", "teddy"), None, "none"),
        (("Other", "teddy"), None, "Other"),
        (("None of these", "teddy"), None, "None of these"),
        (("Unknown", "teddy"), None, "Unknown"),
        (("#na#", "teddy"), None, "#na#"),
        (("black", "teddy"), None, None),
        (("black", "desk", "none"), "desk", "desk"),
        (("black", "Desk"), "desk", "Desk"),
    ],
)
def test_which_label_means_none_of_these(
    labels: tuple[str, ...], wanted: str | None, chosen: str | None
) -> None:
    assert choose_none(labels, wanted) == chosen


def test_which_of_two_has_to_be_said() -> None:
    with pytest.raises(EngineError, match="none and other may both mean none of these"):
        choose_none(("none", "other", "teddy"), None)
    with pytest.raises(EngineError, match=r"no label 'x' \(--none\); it has a, b"):
        choose_none(("a", "b"), "x")


def test_made_pictures_are_always_the_same_and_of_every_shape(tmp_path: Path) -> None:
    paths = make_samples(tmp_path / "a")
    make_samples(tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b")
    sizes = set()
    for path in paths:
        with Image.open(path) as image:
            sizes.add(image.size)
    assert len(sizes) > 30
    assert min(width / height for width, height in sizes) < 0.2
    assert max(width / height for width, height in sizes) > 5


def test_samples_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="holds no pictures"):
        find_samples(tmp_path)
    found = [picture(tmp_path / name) for name in ("a.jpg", "b/c.PNG")]
    (tmp_path / "notes.txt").touch()
    (tmp_path / "link.jpg").symlink_to(found[0])
    assert find_samples(tmp_path) == found
    assert thinned(range(10), 4) == [0, 2, 5, 7]


@pytest.mark.parametrize(
    ("pictures", "agreement", "distance", "enough"),
    [
        (7, 6 / 7, 0.004, True),  # neither knew which of two
        (7, 5 / 7, 0.004, False),
        (7, 1.0, 0.02, False),
        (1000, 0.99, 0.01, True),
        (1000, 0.989, 0.0, False),
    ],
)
def test_how_alike_is_alike_enough(
    pictures: int, agreement: float, distance: float, enough: bool
) -> None:
    assert holds(Parity("learner.pkl", pictures, agreement, distance, distance)) is enough
