"""Where does a photo go?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trayapp.decide import decide, filed_folders, folder_name
from trayapp.photo import Photo, Verdict
from trayapp.settings import Sort

ROOT = Path("/photos").absolute()
PHOTO = Photo(ROOT / "a.jpg", 1, 1_700_000_000_000_000_000, "1:1")
GRIZZLY = Verdict("grizzly", 0.9, {"grizzly": 0.9}, taken=datetime(2019, 7, 4))  # noqa: DTZ001
UNSURE = Verdict(None, 0.4, {"grizzly": 0.4}, "unsure")


@pytest.mark.parametrize(
    ("sort", "folder"),
    [
        (Sort(), "/photos/grizzly"),
        (Sort(action="copy"), "/photos/grizzly"),
        (Sort(destination="sorted"), "/photos/sorted/grizzly"),
        (Sort(destination="/elsewhere"), "/elsewhere/grizzly"),
        (Sort(subfolder="{label}/{year}-{month}"), "/photos/grizzly/2019-07"),
        (Sort(subfolder="{year}/{month}/{day}/{label}"), "/photos/2019/07/04/grizzly"),
    ],
)
def test_a_known_class_goes_into_its_folder(sort: Sort, folder: str) -> None:
    plan = decide(PHOTO, GRIZZLY, sort, ROOT)
    assert plan is not None
    assert (plan.action, plan.folder) == (sort.action, Path(folder).absolute())


def test_a_photo_without_a_date_takes_that_of_its_file() -> None:
    plan = decide(PHOTO, Verdict("grizzly", 0.9), Sort(subfolder="{year}"), ROOT)
    assert plan is not None
    assert plan.folder == ROOT / "2023"


def test_tagging_leaves_the_photo_where_it_is() -> None:
    plan = decide(PHOTO, GRIZZLY, Sort(action="tag", unsure="folder"), ROOT)
    assert plan is not None
    assert (plan.folder, plan.tags) == (None, ("grizzly",))
    assert decide(PHOTO, UNSURE, Sort(action="tag", unsure="folder"), ROOT) is None


def test_what_is_not_recognised_stays_or_goes_to_unsure() -> None:
    assert decide(PHOTO, UNSURE, Sort(), ROOT) is None
    plan = decide(PHOTO, UNSURE, Sort(unsure="folder"), ROOT)
    assert plan is not None
    assert plan.folder == ROOT / "unsure"


def test_an_unreadable_photo_is_never_touched() -> None:
    verdict = Verdict(None, None, reason="unreadable", error="is empty")
    assert decide(PHOTO, verdict, Sort(unsure="folder"), ROOT) is None


def test_a_photo_that_is_in_its_place_stays_there() -> None:
    there = Photo(ROOT / "grizzly" / "a.jpg", 1, 1, "1:1")
    assert decide(there, GRIZZLY, Sort(), ROOT) is None


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("grizzly bear", "grizzly bear"),
        ("../../etc", "_.._etc"),
        ("..", "_"),
        ("a/b\\c:d", "a_b_c_d"),
        ("CON", "CON_"),
        ("com1.txt", "com1.txt_"),
        ("new\nline", "new_line"),
        (" . ", "_"),
    ],
)
def test_a_label_becomes_a_folder_name_that_every_system_takes(label: str, name: str) -> None:
    assert folder_name(label) == name


@given(st.text())
def test_no_label_leads_out_of_the_folder(label: str) -> None:
    name = folder_name(label)
    assert name not in ("", ".", "..")
    assert not set(name) & set("/\\\0")


@pytest.mark.parametrize(
    ("sort", "filed", "free"),
    [
        (Sort(), ["grizzly", "grizzly/trip", "unsure"], ["trip", "trip/grizzly", "2019"]),
        (Sort(subfolder="{year}/{label}"), ["2019/grizzly"], ["2019", "2019/trip", "grizzly"]),
        (Sort(subfolder="x {label}"), ["x grizzly", "x black/y"], ["x", "grizzly"]),
        (Sort(destination="sorted"), ["sorted", "sorted/any/thing"], ["grizzly", "trip"]),
        (Sort(destination="/elsewhere"), [], ["grizzly", "unsure"]),
    ],
)
def test_folders_that_photos_are_filed_into_are_known(
    sort: Sort, filed: list[str], free: list[str]
) -> None:
    is_filed = filed_folders(sort, ROOT, ["grizzly", "black"])
    assert [name for name in filed + free if is_filed(ROOT / name)] == filed


def test_a_folder_sorted_into_the_one_that_it_lies_in_is_looked_through() -> None:
    is_filed = filed_folders(Sort(destination=str(ROOT)), ROOT / "card", ["grizzly", "black"])
    assert not is_filed(ROOT / "card" / "day 1")
    assert is_filed(ROOT / "grizzly")
