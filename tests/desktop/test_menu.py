"""What the menu says for what is going on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.desktop.stand_in import entry
from trayapp.desktop.icons import SIZES, draw
from trayapp.desktop.menu import (
    Command,
    PauseFor,
    Row,
    SetAction,
    SetAtLogin,
    SetNotify,
    UndoBatch,
    UndoEntry,
    UseModel,
    rows,
    tooltip,
)
from trayapp.desktop.messages import answer, sort_question
from trayapp.desktop.view import Batch, TrayState, View
from trayapp.desktop.words import harmless, readable_name, shorten_end
from trayapp.photo import Verdict
from trayapp.tell import shorten_middle

QUIET = View(
    "watching", "Watching ~/Pictures", Path("/home/ann/Pictures"), paused=False,
    model="bears", models=("bears", "cats"),
)  # fmt: skip
STATES: list[TrayState] = ["watching", "busy", "paused", "problem"]


def texts(view: View) -> list[str]:
    return ["-" if row is None else row.text for row in rows(view)]


def row(view: View, start: str) -> Row:
    return next(row for row in rows(view) if row is not None and row.text.startswith(start))


def below(view: View, start: str) -> list[Row]:
    """The lines of a submenu."""
    lines = row(view, start).rows
    assert lines is not None
    return [line for line in lines if line is not None]


def every(lines: tuple[Row | None, ...]) -> list[Row]:
    """All lines, those of submenus too."""
    found = [line for line in lines if line is not None]
    return found + [inner for line in found for inner in every(line.rows or ())]


def test_a_first_start_has_nothing_to_undo_and_nothing_recent() -> None:
    assert texts(QUIET) == [
        "Watching ~/Pictures",
        "Pause",
        "Pause for one hour",
        "Pause until tomorrow",
        "-",
        "Open folder",
        "Review…",
        "Photos not recognised",
        "Recent",
        "What is this photo…",
        "-",
        "Undo last",
        "Undo last batch",
        "-",
        "Action: move",
        "Model: bears",
        "Notifications: each photo",
        "Settings",
        "-",
        "About Beartray",
        "Quit",
    ]
    for start in ("Watching", "Photos not", "Undo last", "Undo last batch"):
        assert not row(QUIET, start).enabled
    assert [(line.text, line.enabled) for line in below(QUIET, "Recent")] == [
        ("Nothing filed yet", False)
    ]
    assert [line.text for line in below(QUIET, "Settings")] == [
        "Change folder…",
        "Start at login",
        "Settings file",
        "Log",
    ]


def test_every_line_that_can_be_clicked_does_something_and_is_an_item_of_its_own() -> None:
    full = replace(
        QUIET,
        recent=(entry(2, "b.jpg"), entry(1, "a.jpg")),
        undoable=entry(2, "b.jpg"),
        batch=Batch(1, 2),
        existing=3,
        unsure=4,
    )
    lines = every(rows(full))
    keys = [line.key for line in lines]
    assert len(set(keys)) == len(keys)
    for line in lines:
        assert (line.command is None) == (line.rows is not None or not line.enabled), line


def test_submenus_hold_no_submenus() -> None:
    """GNOME Shell closes a submenu as soon as one inside it opens."""
    inner = [line for outer in rows(QUIET) if outer for line in outer.rows or ()]
    assert all(line is None or line.rows is None for line in inner)


def test_only_open_folder_answers_a_left_click() -> None:
    assert [row.text for row in rows(QUIET) if row and row.default] == ["Open folder"]


def test_pause_is_ticked_while_paused_and_unticking_resumes() -> None:
    assert row(QUIET, "Pause").checked is False
    assert row(QUIET, "Pause").command == PauseFor(None)
    paused = replace(QUIET, paused=True, state="paused")
    assert row(paused, "Pause").checked is True
    assert row(paused, "Pause").command == "resume"
    assert row(paused, "Pause for").command == PauseFor(3600)


@pytest.mark.parametrize("changed", [{"paused": True}, {"at_login": True}, {"existing": 2}])
def test_a_line_that_would_do_something_else_is_another_item(changed: dict[str, Any]) -> None:
    old, new = (
        {row.key: row.command for row in every(rows(view))}
        for view in (QUIET, replace(QUIET, **changed))
    )
    assert [key for key in old.keys() & new.keys() if old[key] != new[key]] == []


def test_recent_shows_five_photos_with_what_they_are() -> None:
    view = replace(QUIET, recent=tuple(entry(n, f"IMG_{n}.jpg") for n in range(9, 0, -1)))
    assert [line.text for line in below(view, "Recent")] == [
        f"IMG_{n}.jpg → grizzly, 99 %" for n in (9, 8, 7, 6, 5)
    ]
    strange = replace(entry(1, "a.jpg"), label=None, confidence=0.41)
    (line,) = below(replace(QUIET, recent=(strange,)), "Recent")
    assert line.text == "a.jpg → unsure"


def test_certainty_is_never_rounded_up_to_certain() -> None:
    almost = replace(entry(1, "a.jpg"), confidence=0.9999)
    sure = replace(entry(2, "b.jpg"), confidence=1.0)
    shown = [line.text for line in below(replace(QUIET, recent=(almost, sure)), "Recent")]
    assert shown == ["a.jpg → grizzly, 99 %", "b.jpg → grizzly, 100 %"]


def test_undo_names_its_photo() -> None:
    photo = entry(7, "IMG_0412.jpg")
    undo = row(replace(QUIET, undoable=photo), "Undo last")
    assert (undo.text, undo.enabled) == ("Undo last: IMG_0412.jpg", True)
    assert undo.command == UndoEntry(photo)


def test_a_batch_can_be_undone_when_it_is_more_than_the_last_photo() -> None:
    undo = row(replace(QUIET, batch=Batch(7, 1234)), "Undo last batch")
    assert (undo.text, undo.command) == ("Undo last batch (1,234 photos)", UndoBatch(7))
    assert not row(replace(QUIET, batch=Batch(7, 1)), "Undo last batch").enabled


def test_photos_not_recognised_are_counted_and_can_be_looked_at() -> None:
    unsure = row(replace(QUIET, unsure=1200), "Photos not")
    assert (unsure.text, unsure.command, unsure.enabled) == (
        *("Photos not recognised (1,200)", "show unsure"),
        True,
    )


def chosen(view: View, start: str) -> list[tuple[str, Command | None, bool | None]]:
    """A submenu of which one line is chosen: each line, what it does, and whether it is."""
    lines = below(view, start)
    assert all(line.radio for line in lines)
    return [(line.text, line.command, line.checked) for line in lines]


def test_what_happens_to_photos_is_one_of_three() -> None:
    view = replace(QUIET, action="copy")
    assert chosen(view, "Action: copy") == [
        ("Move into folders", SetAction("move"), False),
        ("Copy into folders", SetAction("copy"), True),
        ("Tag where they are", SetAction("tag"), False),
    ]


def test_how_much_is_told_is_one_of_four() -> None:
    view = replace(QUIET, notify="problems")
    assert chosen(view, "Notifications: problems only") == [
        ("Each photo", SetNotify("each"), False),
        ("Digest", SetNotify("digest"), False),
        ("Problems only", SetNotify("problems"), True),
        ("Off", SetNotify("off"), False),
    ]


def test_the_model_is_one_of_those_installed_or_lies_elsewhere() -> None:
    assert chosen(replace(QUIET, model="cats"), "Model: cats") == [
        ("bears", UseModel("bears"), False),
        ("cats", UseModel("cats"), True),
    ]
    elsewhere = replace(QUIET, model="/home/ann/my models/dogs")
    assert chosen(elsewhere, "Model: dogs")[0] == (
        *("dogs", UseModel("/home/ann/my models/dogs")),
        True,
    )
    nothing = replace(QUIET, model="", models=())
    assert [(line.text, line.enabled) for line in below(nothing, "Model: none")] == [
        ("None installed", False)
    ]


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (Verdict("grizzly", 0.987, {"grizzly": 0.987}), "a.jpg: grizzly, 99 %"),
        (
            Verdict(None, 0.41, {"grizzly": 0.41, "teddy": 0.2}, "unsure"),
            "a.jpg: not recognised (best guess: grizzly, 41 %)",
        ),
        (Verdict(None, None, {}, "unreadable", "a.jpg: is no picture"), "a.jpg: is no picture"),
        (Verdict(None, None, {}, "unreadable", "took too long"), "a.jpg: took too long"),
    ],
)
def test_what_a_photo_is_and_that_it_was_only_looked_at(verdict: Verdict, said: str) -> None:
    assert answer(Path("/p/a.jpg"), verdict) == f"{said}\nNothing was moved."


@pytest.mark.parametrize(
    ("existing", "text"),
    [
        (0, None),
        (1, "Sort the photo already here…"),
        (1234, "Sort the 1,234 photos already here…"),
    ],
)
def test_photos_already_there_are_offered_only_when_there_are_any(
    existing: int, text: str | None
) -> None:
    found = [line for line in texts(replace(QUIET, existing=existing)) if line.startswith("Sort")]
    assert found == ([text] if text else [])


def test_the_question_names_the_number_and_the_folder() -> None:
    assert "214 photos" in sort_question(214, Path("/home/ann/Bears"))
    assert "“Bears”" in sort_question(214, Path("/home/ann/Bears"))
    assert "the photo already" in sort_question(1, Path("/home/ann/Bears"))


def test_start_at_login_is_a_tick() -> None:
    assert below(QUIET, "Settings")[1].command == SetAtLogin(True)
    assert below(replace(QUIET, at_login=True), "Settings")[1].command == SetAtLogin(False)


def test_what_a_person_said_a_photo_is_needs_no_percentage() -> None:
    said = replace(entry(1, "a.jpg"), label="teddy", confidence=None)
    (line,) = below(replace(QUIET, recent=(said,)), "Recent")
    assert line.text == "a.jpg → teddy"


def test_the_tooltip_counts_what_was_filed_today() -> None:
    busy = replace(
        QUIET, headline="Watching ~/P · 12 filed today", today=(("grizzly", 7), ("teddy", 5))
    )
    assert tooltip(busy, 127) == "Beartray – Watching ~/P · 12 filed today: 7 grizzly, 5 teddy"
    many = replace(busy, today=tuple((f"a rather long label {n}", n) for n in range(20)))
    assert len(tooltip(many, 127)) == 127 and tooltip(many, 127).endswith("…")


def test_a_problem_stands_below_the_state_and_in_the_tooltip() -> None:
    view = replace(QUIET, state="problem", problem="/media/card is not there")
    assert texts(view)[:2] == ["Watching ~/Pictures", "⚠ /media/card is not there"]
    assert tooltip(view, 200) == "Beartray – /media/card is not there"
    assert tooltip(QUIET, 127) == "Beartray – Watching ~/Pictures"


def test_names_cannot_break_the_menu() -> None:
    nasty = "a\nb\tc\x1b[31m\u202egpj.exe\udcff.jpg"
    shown = row(replace(QUIET, undoable=entry(1, nasty)), "Undo last:").text
    assert shown == "Undo last: a b c�[31m�gpj.exe�.jpg"
    shown.encode()  # a surrogate would raise, on every bus and in every window


def test_long_names_lose_their_middle() -> None:
    name = "holiday in the mountains with the bears 2024-07-12 0412.jpg"
    assert (
        readable_name(name) == "holiday in the mount…s 2024-07-12 0412.jpg"[:20] + "…" + name[-19:]
    )
    assert len(readable_name(name)) == 40


@given(st.text(), st.integers(min_value=3, max_value=60))
def test_shortened_texts_keep_to_their_limit(text: str, limit: int) -> None:
    assert len(shorten_middle(text, limit)) <= limit
    shown = shorten_end(harmless(text), limit)
    assert len(shown.encode("utf-16-le")) // 2 <= limit


@pytest.mark.parametrize("size", SIZES)
def test_states_differ_in_shape_not_only_in_colour(size: int) -> None:
    grey = [draw(state, size).convert("LA") for state in STATES]
    assert all(picture.size == (size, size) for picture in grey)
    shapes = {picture.tobytes() for picture in grey}
    assert len(shapes) == 4
    watching, *badged = (picture.getchannel("A").tobytes() for picture in grey)
    assert all(outline != watching for outline in badged)
