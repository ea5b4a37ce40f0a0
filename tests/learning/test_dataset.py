"""A folder of class folders is read as the person meant it, or one line says what is wrong."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.helpers import Tree, make_tree
from trayapp.engine import EngineError
from trayapp.learning.dataset import Dataset, check, scan

pytestmark = pytest.mark.learning

ANIMALS: Tree = {
    "cat": {"a.jpg": b"1", "indoors": {"b.JPG": b"2"}, "notes.txt": "not a photo"},
    "dog": {"a.png": b"3"},
    "Negatives": {"c.jpg": b"4", "wild": {"fox": {"d.jpg": b"5"}}},
    ".hidden": {"e.jpg": b"6"},
}


def seen(dataset: Dataset) -> dict[str, tuple[str | None, str]]:
    return {picture.name: (picture.label, picture.kind) for picture in dataset.pictures}


def complaint(folder: Path, **options: object) -> str:
    with pytest.raises(EngineError) as caught:
        check(scan(folder, **options))  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value).replace(f"{folder}", "DIR")


def test_class_folders_are_read_whatever_is_in_them(tmp_path: Path) -> None:
    dataset = scan(make_tree(tmp_path, ANIMALS))
    assert seen(dataset) == {
        "Negatives/c.jpg": (None, "none"),
        "Negatives/wild/fox/d.jpg": (None, "wild/fox"),
        "cat/a.jpg": ("cat", "photos"),
        "cat/indoors/b.JPG": ("cat", "photos"),
        "dog/a.png": ("dog", "photos"),
    }
    assert dataset.labels == ("cat", "dog")
    assert dataset.vocab == ("cat", "dog", "none")


def test_the_folder_of_none_of_these_may_be_called_anything(tmp_path: Path) -> None:
    make_tree(tmp_path, {"cat": {"a.jpg": ""}, "misc": {"b.jpg": ""}})
    assert scan(tmp_path).vocab == ("cat", "misc")
    assert scan(tmp_path, none="misc").vocab == ("cat", "none")
    assert complaint(tmp_path, none="rest") == "DIR: has no folder 'rest' of none of these (--none)"
    (tmp_path / "Other").mkdir()
    (tmp_path / "none").mkdir()
    assert "Other and none may both mean none of these" in complaint(tmp_path)


def test_a_table_goes_before_the_folders(tmp_path: Path) -> None:
    table = (
        "file,label,kind,source,label_confidence\n"
        "cat/a.jpg,dog,web,first,0.9\n"
        "cat/indoors/b.JPG,none,web,second,\n"
        "Negatives/wild/fox/d.jpg,none,negative,second,\n"
    )
    dataset = scan(make_tree(tmp_path, {**ANIMALS, "labels.csv": table}))
    found = seen(dataset)
    assert found["cat/a.jpg"] == ("dog", "web")
    assert found["cat/indoors/b.JPG"] == (None, "indoors")
    assert found["Negatives/wild/fox/d.jpg"] == (None, "wild/fox")
    assert found["dog/a.png"] == ("dog", "photos"), "not in the table"
    assert [picture.source for picture in dataset.pictures] == ["", "second", "first", "second", ""]


def test_corrections_drop_and_change(tmp_path: Path) -> None:
    make_tree(tmp_path / "data", ANIMALS)
    corrections = tmp_path / "corrections.csv"
    corrections.write_text("file,label,why\ncat/a.jpg,,a drawing\ndog/a.png,none,a fox\n")
    dataset = scan(tmp_path / "data", corrections=corrections)
    assert seen(dataset)["dog/a.png"] == (None, "none")
    assert [(item.name, item.why) for item in dataset.left_out] == [("cat/a.jpg", "a drawing")]
    assert dataset.labels == ("cat",)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("file,label\ncat/x.jpg,cat\ncat/y.jpg,cat\n", "cat/x.jpg and 1 more: no such picture"),
        ("name,label\n", "has no column file"),
        ("file,label\ncat/a.jpg,a/b\n", "cat/a.jpg: found label 'a/b'; allowed: a folder's name"),
        ("file,label\ncat/a.jpg,..\n", "found label '..'; allowed: a folder's name"),
        (b"\xff\xfe\x00", "is not a CSV file in UTF-8"),
    ],
)
def test_a_wrong_table(tmp_path: Path, table: str | bytes, expected: str) -> None:
    make_tree(tmp_path, {**ANIMALS, "labels.csv": table})
    assert expected in complaint(tmp_path)
    assert complaint(tmp_path, labels=tmp_path / "nowhere.csv") == "DIR/nowhere.csv is not there"


def test_too_little_to_learn_from(tmp_path: Path) -> None:
    assert "DIR/nowhere is not a folder" in complaint(tmp_path / "nowhere").replace(
        "DIR", "DIR/nowhere"
    )
    assert "DIR: no class folders in it" in complaint(tmp_path)
    (tmp_path / "cat").mkdir()
    assert "DIR: no class folders with pictures" in complaint(tmp_path)
    make_tree(tmp_path / "cat", {f"{i}.jpg": "" for i in range(10)})
    assert "DIR: only one class (cat); add a folder of another" in complaint(tmp_path)
    make_tree(tmp_path / "dog", {f"{i}.jpg": "" for i in range(9)})
    assert complaint(tmp_path) == (
        "DIR: dog: 9 usable pictures; at least 10 are needed, 100 or more are better"
    )
    make_tree(tmp_path / "dog", {"9.jpg": ""})
    check(scan(tmp_path))


def test_links_are_not_followed(tmp_path: Path) -> None:
    make_tree(tmp_path / "data", ANIMALS)
    (tmp_path / "secret.jpg").touch()
    (tmp_path / "data" / "cat" / "link.jpg").symlink_to(tmp_path / "secret.jpg")
    assert Counter(p.label for p in scan(tmp_path / "data").pictures)["cat"] == 2
