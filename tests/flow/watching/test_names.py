"""Photos with every name that a file can have are filed, told and taken back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.disks import disk
from tests.flow.watching.conftest import AtWork, StartWork, drop
from tests.helpers import files, make_tree

pytestmark = pytest.mark.flow

ODD = [
    *("new\nline.jpg", "tab\there.jpg", "bell\a.jpg", "back\\slash.jpg", "trailing .jpg"),
    *("'single' \"double\" `back`.jpg", "$(rm -rf ~).jpg", "%s %d {label}.jpg", "<b>&amp;.jpg"),
    *("🐻 Bär 熊.jpg", "e\u0301 and é.jpg", "\u202egpj.exe.jpg", "a\u2028b.jpg", "-n.jpg"),
    *("latin1 \udce4.jpg", "\udcff\udcfe.jpg", "dots...jpg", "two.suffixes.jpg", " .jpg", "~.jpg"),
    *("A.jpg", "a.jpg", "A.JPG", "x" * 251 + ".jpg", "é" * 125 + "x.jpg", "nul.jpg", "aux:.jpg"),
]
ON_A_STICK = ["🐻 Bär 熊.jpg", "trailing dot..jpg", "a b.jpg", "x" * 251 + ".jpg", "IMG_1.JPG"]


def test_every_name(start_work: StartWork, inbox: Path) -> None:
    work = start_work(inbox)
    expected = drop(inbox, *ODD)
    work.wait_until_filed(expected)
    said = " ".join(f"{notice.title} {notice.body}" for notice in work.notices)
    assert not set(said) & set("\n\t\a\u202e\u2028\udce4\udcff")
    _undo_all(work)
    assert files(inbox) == expected


def test_names_that_differ_in_case_on_a_disk_to_which_they_are_one(
    start_work: StartWork, tmp_path: Path
) -> None:
    with disk("exfat", tmp_path / "stick") as stick:
        work = start_work(make_tree(stick / "inbox", {}))
        expected = drop(work.inbox, *ON_A_STICK)
        work.wait_until_filed(expected)
        expected |= {"img_1 (2).jpg": drop(work.inbox, "img_1.jpg")["img_1.jpg"]}
        work.wait_until_filed(expected)
        work.end()


def test_case_twins_go_to_a_disk_to_which_they_are_one(
    start_work: StartWork, tmp_path: Path, inbox: Path
) -> None:
    with disk("exfat", tmp_path / "stick") as stick:
        work = start_work(inbox, more=f'[sort]\ndestination = "{stick}"')
        made = drop(inbox, "A.jpg", "a.jpg", "A.JPG")
        filed = stick / "grizzly"
        work.wait_for_count(filed, 3)
        assert sorted(files(filed).values()) == sorted(made.values())
        assert files(inbox) == {}
        _undo_all(work)
        assert files(inbox) == made
        work.end()


def _undo_all(work: AtWork) -> None:
    entries = work.live.journal.history()
    assert {entry.state for entry in entries} == {"done"}
    work.live.undo(entry.id for entry in entries)
    assert {entry.state for entry in work.live.journal.history()} == {"undone"}
    assert all(os.path.lexists(entry.path) for entry in entries)
