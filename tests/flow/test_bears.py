"""The shipped model on real photos, through the real command.

It has learnt from most of them: this shows that the package works, its card says how well.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.helpers import skip
from tests.program import ROOT, Program

pytestmark = pytest.mark.flow

BEARS = ROOT.parent / "shared" / "bears"
SAMPLE = 400
GOAL = 0.98


@dataclass(frozen=True, slots=True)
class Known:
    """A photo and what it shows, from labels.csv; "none" is no bear that the model knows."""

    path: Path
    label: str


def sample(kind: str, count: int) -> list[Known]:
    """Every so many-th photo of a kind whose label is trusted."""
    if not (BEARS / "labels.csv").is_file():
        skip("needs the bear photos beside the checkout (../shared/bears)")
    with (BEARS / "labels.csv").open(newline="") as stream:
        found = [
            Known(BEARS / row["file"], row["label"])
            for row in csv.DictReader(stream)
            if row["kind"] == kind and float(row["label_confidence"] or 1) > 0.5
        ]
    return found[:: max(1, len(found) // count)]


def filed(program: Program, photos: list[Known]) -> dict[Path, str]:
    """What the shipped model files as what, of `photos`."""
    program.configure(model=None)
    rows = program.rows("classify", *(photo.path for photo in photos))
    assert len(rows) == len(photos)
    return {Path(row["path"]): row["label"] for row in rows if row["label"] is not None}


def test_of_the_bears_it_files_nearly_all_are_right(program: Program) -> None:
    photos = sample("web", SAMPLE)
    found = filed(program, photos)
    right = sum(found.get(photo.path) == photo.label for photo in photos)
    print(f"web bears: {len(photos)}, filed {len(found) / len(photos):.1%},")
    print(f"of those right {right / len(found):.1%}")
    assert right >= GOAL * len(found)
    assert len(found) >= 0.9 * len(photos), "a model that files nothing is never wrong"


def test_what_is_no_bear_stays_where_it_is(program: Program) -> None:
    photos = [photo for photo in sample("negative", SAMPLE) if photo.label == "none"][::4]
    found = filed(program, photos)
    print(f"no bears: {len(photos)}, filed {len(found) / len(photos):.1%}")
    assert len(found) <= 0.02 * len(photos)
