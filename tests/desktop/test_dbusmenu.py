"""The menu as panels get it over D-Bus: what is sent when, and whom a click hits."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pystray
import pytest
from dbus_fast import Variant

from tests.desktop.desk import wait_until
from tests.desktop.stage import Stage
from tests.desktop.stand_in import entry
from trayapp.desktop.bus import BusCallError
from trayapp.desktop.dbusmenu import DBusMenu
from trayapp.desktop.view import View

pytestmark = pytest.mark.desktop


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """With a panel."""
    stage.start_panel()
    return stage


def test_only_what_changed_is_sent(stage: Stage) -> None:
    panel = stage.start_tray()
    panel.open()
    panel.close()
    heard = panel.watch()
    stage.tray.refresh()
    stage.actions.show(unsure=7)
    wait_until(lambda: heard, "the panel heard of it")
    (_, (changes, removed)), *rest = heard
    assert rest == [] and removed == []
    ((item, properties),) = changes
    assert item == next(line.id for line in panel.lines() if line.label.startswith("Photos not"))
    assert list(properties) == ["label"]


def test_an_open_menu_stands_still_and_then_is_true_again(stage: Stage) -> None:
    panel = stage.start_tray()
    shown = panel.open()
    heard = panel.watch()
    stage.actions.show(unsure=7, headline="Sorting")
    wait_until(lambda: "NewTitle" in [name for name, _ in heard], "the tray was brought up to date")
    assert panel.lines() == shown
    panel.close()
    wait_until(lambda: "Photos not recognised (7)" in [line.label for line in panel.lines()], "it")


def test_a_new_photo_moves_the_others_and_they_keep_their_ids(stage: Stage) -> None:
    panel = stage.start_tray()
    before = {line.label: line.id for line in panel.find("Recent").lines}
    panel.close()
    heard = panel.watch()
    new = entry(6, "IMG_0006.jpg", "teddy", stage.folder)
    stage.actions.show(
        recent=(new, *stage.actions.view().recent), undoable=new, state="busy", headline="Sorting"
    )
    wait_until(lambda: "LayoutUpdated" in [name for name, _ in heard], "the panel heard of it")
    after = {line.label: line.id for line in panel.find("Recent").lines}
    assert before.items() <= after.items() and len(after) == 5
    assert {name for name, _ in heard} >= {"NewIcon", "NewTitle", "NewToolTip"}


def test_names_with_underscores_and_broken_bytes_arrive(stage: Stage) -> None:
    panel = stage.start_tray()
    stage.actions.show(undoable=entry(8, "_a_b\udcff\n.jpg"))
    label = "Undo last: _a_b� .jpg"
    wait_until(lambda: label in panel.labels(), "the menu followed")
    raw = panel.call("GetGroupProperties", "aias", [[panel.find("Undo").id], []])[0]
    assert raw[0][1]["label"].value == "Undo last: __a__b� .jpg"


def test_the_menu_answers_questions_about_items_that_are_not_there(stage: Stage) -> None:
    panel = stage.start_tray()
    for member, signature, body in (
        ("GetLayout", "iias", [999, -1, []]),
        ("GetProperty", "is", [999, "label"]),
        ("GetProperty", "is", [0, "no such thing"]),
    ):
        with pytest.raises(BusCallError, match="InvalidArgs"):
            panel.call(member, signature, body)
    panel.event(999)
    assert panel.call("GetGroupProperties", "aias", [[999], []]) == [[]]
    assert len(panel.call("GetGroupProperties", "aias", [[], []])[0]) > 12
    assert panel.call("AboutToShowGroup", "ai", [[0, 999]])[1] == [999]
    assert panel.labels()


def test_opening_the_menu_shows_what_is_true_now(stage: Stage) -> None:
    panel = stage.start_tray()
    panel.open()
    assert not panel.about_to_show()
    stage.actions._view = replace(stage.actions.view(), headline="Now")  # and nobody is told
    assert panel.about_to_show()
    assert panel.lines()[0].label == "Now"


def test_only_the_properties_that_were_asked_for_are_sent(stage: Stage) -> None:
    panel = stage.start_tray()
    _, (_, properties, children) = panel.call("GetLayout", "iias", [0, 1, ["label"]])
    assert properties == {}
    assert {name for child in children for name in child.value[1]} == {"label"}
    (groups,) = panel.call("GetGroupProperties", "aias", [[], ["enabled"]])
    assert {name for _, properties in groups for name in properties} == {"enabled"}


def test_gnome_hears_of_changed_lines_when_the_layout_changes_too(stage: Stage) -> None:
    """Its AppIndicator extension then asks for the properties of new items only."""
    panel = stage.start_tray()
    headline = panel.lines()[0].id
    heard = panel.watch()
    new = entry(6, "IMG_0006.jpg", "teddy", stage.folder)
    stage.actions.show(headline="13 filed", recent=(new, *stage.actions.view().recent))
    wait_until(lambda: "LayoutUpdated" in [name for name, _ in heard], "the panel heard of it")
    ((changed, _),) = [body for name, body in heard if name == "ItemsPropertiesUpdated"]
    assert headline in [item for item, _ in changed]


def test_a_line_that_went_away_comes_back_as_another_item(stage: Stage) -> None:
    panel = stage.start_tray()
    before = panel.find("Sort the").id
    stage.actions.show(existing=0)
    wait_until(lambda: not any(label.startswith("Sort") for label in panel.labels()), "it went")
    stage.actions.show(existing=214)
    wait_until(lambda: any(label.startswith("Sort") for label in panel.labels()), "it came back")
    assert panel.find("Sort the").id > before


def test_a_line_that_becomes_another_kind_is_another_item() -> None:
    """Panels never give a line that they know a box or a submenu."""
    checked: list[bool | None] = [None]
    item = pystray.MenuItem("Pause", lambda: None, checked=lambda _: checked[0])

    def post(function: Callable[[], object]) -> None:
        function()

    sent = DBusMenu(lambda: pystray.Menu(item), print, post)
    sent.update()
    (before,) = sent._tree.actions
    checked[0] = False
    sent.update()
    (after,) = sent._tree.actions
    checked[0] = True
    sent.update()
    assert [after] == list(sent._tree.actions) and after != before


def test_a_click_during_a_rebuild_never_hits_another_item(stage: Stage) -> None:
    """Photos pour in while an old menu is on the screen, and every line of it is clicked."""
    panel = stage.start_tray()
    old = panel.find("IMG_0005").id, panel.find("Undo last: ").id
    pause = panel.find("Pause for").id
    for number in range(6, 46):
        new = entry(number, f"IMG_{number:04}.jpg", "teddy", stage.folder)
        stage.actions.show(recent=(new, *stage.actions.view().recent)[:5], undoable=new)
        for item in old:
            panel.event(item)
        if number % 10 == 0:
            panel.event(pause)
    panel.call("EventGroup", "a(isvu)", [[[item, "clicked", Variant("i", 0), 0] for item in old]])
    wait_until(lambda: panel.find("Undo last").label.endswith("IMG_0045.jpg"), "it caught up")
    for item in old:
        panel.event(item)
    stage.settled()
    # The photo of the old line may be undone while the line is still there; no other ever.
    assert set(stage.did()) <= {"undo 5", "pause 3600.0"}
    assert stage.did().count("pause 3600.0") == 4


def test_a_menu_opens_at_once_while_the_app_waits_for_its_disk(stage: Stage) -> None:
    panel = stage.start_tray()
    labels = panel.labels()
    calm, view = threading.Event(), stage.actions.view

    def slow() -> View:
        calm.wait(10)
        return view()

    stage.actions.view = slow  # type: ignore[method-assign]
    started = time.monotonic()
    try:
        assert not panel.about_to_show()
        lines = panel.lines()
        took = time.monotonic() - started
    finally:
        stage.actions.view = view  # type: ignore[method-assign]
        calm.set()
    assert [line.label or "-" for line in lines] == labels
    assert took < 1.0  # 0.03 s and two calls, on a machine that has nothing else to do
