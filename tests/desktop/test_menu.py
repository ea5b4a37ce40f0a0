"""What the menu says for what is going on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.desktop.stand_in import entry
from trayapp.desktop.icons import SIZES, draw
from trayapp.desktop.menu import (
    PauseFor,
    Row,
    SetAtLogin,
    TrayState,
    UndoEntry,
    View,
    rows,
    sort_question,
    tooltip,
)
from trayapp.desktop.words import harmless, readable_name, shorten_end, shorten_middle

QUIET = View("watching", "Watching ~/Pictures", Path("/home/ann/Pictures"), paused=False)
STATES: list[TrayState] = ["watching", "busy", "paused", "problem"]


def texts(view: View) -> list[str]:
    return ["-" if row is None else row.text for row in rows(view)]


def row(view: View, start: str) -> Row:
    return next(row for row in rows(view) if row is not None and row.text.startswith(start))


def test_a_first_start_has_nothing_to_undo_and_nothing_recent() -> None:
    assert texts(QUIET) == [
        "Watching ~/Pictures",
        "Pause",
        "Pause for one hour",
        "-",
        "Change folder…",
        "Open folder",
        "Recent",
        "Undo last",
        "-",
        "Start at login",
        "Quit",
    ]
    assert not row(QUIET, "Watching").enabled
    assert not row(QUIET, "Undo last").enabled
    recent = row(QUIET, "Recent").rows
    assert recent is not None and recent[0] is not None
    assert (recent[0].text, recent[0].enabled) == ("Nothing filed yet", False)


def test_only_open_folder_answers_a_left_click() -> None:
    assert [row.text for row in rows(QUIET) if row and row.default] == ["Open folder"]


def test_pause_is_ticked_while_paused_and_unticking_resumes() -> None:
    assert row(QUIET, "Pause").checked is False
    assert row(QUIET, "Pause").command == PauseFor(None)
    paused = replace(QUIET, paused=True, state="paused")
    assert row(paused, "Pause").checked is True
    assert row(paused, "Pause").command == "resume"
    assert row(paused, "Pause for").command == PauseFor(3600)


def test_recent_shows_five_photos_with_what_they_are() -> None:
    view = replace(QUIET, recent=tuple(entry(n, f"IMG_{n}.jpg") for n in range(9, 0, -1)))
    recent = row(view, "Recent").rows
    assert recent is not None
    assert [line.text for line in recent if line] == [
        f"IMG_{n}.jpg → grizzly, 98 %" for n in (9, 8, 7, 6, 5)
    ]


def test_certainty_is_never_rounded_up_to_certain() -> None:
    almost = replace(entry(1, "a.jpg"), confidence=0.9999)
    sure = replace(entry(2, "b.jpg"), confidence=1.0)
    recent = row(replace(QUIET, recent=(almost, sure)), "Recent").rows
    assert recent is not None
    assert [line.text[-5:] for line in recent if line] == [", 99 %"[-5:], "100 %"]


def test_undo_names_its_photo() -> None:
    photo = entry(7, "IMG_0412.jpg")
    undo = row(replace(QUIET, undoable=photo), "Undo last")
    assert (undo.text, undo.enabled) == ("Undo last: IMG_0412.jpg", True)
    assert undo.command == UndoEntry(photo)


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
    assert row(QUIET, "Start at login").command == SetAtLogin(True)
    assert row(replace(QUIET, at_login=True), "Start at login").command == SetAtLogin(False)


def test_a_problem_stands_below_the_state_and_in_the_tooltip() -> None:
    view = replace(QUIET, state="problem", problem="/media/card is not there")
    assert texts(view)[:2] == ["Watching ~/Pictures", "⚠ /media/card is not there"]
    assert tooltip(view, 200) == "Beartray – /media/card is not there"
    assert tooltip(QUIET, 127) == "Beartray – Watching ~/Pictures"


def test_names_cannot_break_the_menu() -> None:
    nasty = "a\nb\tc\x1b[31m\u202egpj.exe\udcff.jpg"
    shown = texts(replace(QUIET, undoable=entry(1, nasty)))[7]
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
