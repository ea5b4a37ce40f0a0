"""The tray on Windows and macOS, with stand-ins for their icons that are as strict as they are."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pystray
import pytest
from PIL import Image

from tests.desktop.desk import wait_until
from tests.desktop.stand_in import LoggedActions, entry
from trayapp.desktop.icons import draw
from trayapp.desktop.macos import macos_kit
from trayapp.desktop.tray import Tray, TrayKit
from trayapp.desktop.view import Batch
from trayapp.desktop.windows import windows_kit
from trayapp.photo import BeartrayError

pytestmark = pytest.mark.usefixtures("brisk")

RIGHT_BUTTON_UP = 0x0205


class FakeIcon(pystray.Icon):  # type: ignore[misc]
    """What pystray's native icons have in common: a native menu that is built by `_update_menu`."""

    made: list[FakeIcon]

    def __init__(self, *args: Any, **options: Any) -> None:
        self.secondary = options.pop("secondary")
        super().__init__(*args, **options)
        self.native: list[tuple[str, Any]] = []
        self.building = threading.Lock()
        self.builds = 0
        self.tooltip = self.title
        self.shown: Image.Image | None = None
        self.jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self.thread: threading.Thread | None = None
        self.made.append(self)

    def _run(self) -> None:
        self.thread = threading.current_thread()
        self._mark_ready()
        while (job := self.jobs.get()) is not None:
            job()

    def _stop(self) -> None:
        self.jobs.put(None)

    def _show(self) -> None:
        self.checked_title()
        self.shown = self.icon

    def _hide(self) -> None:
        self.shown = None

    def _update_icon(self) -> None:
        assert isinstance(self.icon, Image.Image) and self.icon.mode == "RGBA"
        self.shown = self.icon
        self._icon_valid = True

    def _update_title(self) -> None:
        self.checked_title()
        self.tooltip = self.title

    def checked_title(self) -> None:
        """Nothing to check in general."""

    def show_state(self, state: Any) -> None:
        self.icon = draw(state, 32)

    def _update_menu(self) -> None:
        with self.building:  # a click's and a refresh's at once: else the older could be kept
            self.builds += 1
            self.native = self._build(self.menu)

    def _build(self, menu: Any) -> list[tuple[str, Any]]:
        return [
            (item.text, self._build(item.submenu) if item.submenu else self._handler(item))
            for item in menu
        ]

    def texts(self) -> list[str]:
        return [text for text, _ in self.native]

    def click(self, start: str) -> None:
        """As the message loop does: the callback that was there when the menu was drawn."""
        callback = self.line(start)
        self.jobs.put(lambda: callback(self))

    def line(self, start: str) -> Any:
        """What was built for the line that says or starts with this, also one of a submenu."""
        lines = self.native + [line for _, deeper in self.native for line in _lines(deeper)]
        exact = [action for text, action in lines if text == start]
        found = [action for text, action in lines if text.startswith(start)]
        return (exact or found)[0]


def _lines(built: Any) -> list[tuple[str, Any]]:
    return built if isinstance(built, list) else []


class FakeWindowsIcon(FakeIcon):
    def checked_title(self) -> None:
        assert len(self.title.encode("utf-16-le")) // 2 < 128, "ctypes would raise ValueError"

    def _on_notify(self, wparam: int, lparam: int) -> None:
        if lparam == RIGHT_BUTTON_UP:
            self._update_menu()


class FakeMacIcon(FakeIcon):
    """AppKit stops the process when it is touched on another thread."""

    def _update_menu(self) -> None:
        assert threading.current_thread() is self.thread
        super()._update_menu()

    def _update_icon(self) -> None:
        assert self.thread in (None, threading.current_thread())
        super()._update_icon()

    def _update_title(self) -> None:
        assert threading.current_thread() is self.thread
        super()._update_title()

    def _show(self) -> None:
        assert threading.current_thread() is self.thread
        super()._show()


class Answers:
    """A person who has made up their mind: dialogs and the file manager."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self.photo: Path | None = None
        self.agrees = False
        self.asked: list[str] = []
        self.opened: list[str] = []
        self.read: list[str] = []
        self.windows = True  # whether there is a program that shows messages
        self.hold = threading.Event()
        self.hold.set()

    def choose_folder(self, start: Path) -> Path | None:
        self.asked.append(f"folder from {start}")
        self.hold.wait(10)
        return self.folder

    def choose_photo(self, start: Path) -> Path | None:
        self.asked.append(f"photo from {start}")
        return self.photo

    def confirm(self, question: str, yes: str) -> bool:
        self.asked.append(f"{question} [{yes}]")
        return self.agrees

    def tell(self, title: str, text: str) -> None:
        if not self.windows:
            raise BeartrayError("no dialog program was found")
        self.read.append(f"{title}: {text}")

    def open_folder(self, folder: Path) -> None:
        self.opened.append(f"folder {folder}")

    def show_file(self, path: Path) -> None:
        self.opened.append(f"file {path}")

    def show_files(self, paths: Sequence[Path]) -> None:
        self.opened.append(f"files {[path.name for path in paths]}")

    def open_text(self, file: Path) -> None:
        self.opened.append(f"text {file.name}")

    def open_page(self, address: str) -> None:
        self.opened.append(f"page {address}")


class Scene:
    """A running tray, with everything around it."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.log.touch()
        self.actions = LoggedActions(self.log, folder)
        self.person = Answers()
        self.complaints: list[str] = []
        self.icon: Any = None

    def did(self) -> list[str]:
        return self.log.read_text().splitlines()

    def click(self, start: str, *effects: str) -> None:
        """Click and wait until the log shows `effects` as its last lines."""
        self.icon.click(start)
        wait_until(lambda: self.did()[-len(effects) :] == list(effects), f"{effects} was done")


@contextmanager
def running(kit: TrayKit, made: list[Any], scene: Scene) -> Iterator[Scene]:
    tray = Tray(kit, scene.actions, scene.person, scene.person, scene.complaints.append)
    scene.actions.tray = tray
    thread = threading.Thread(target=tray.run)
    thread.start()
    try:
        wait_until(lambda: made and made[0].visible, "the icon was shown")
        scene.icon = made[0]
        yield scene
    finally:
        tray.stop()
        thread.join(10)
    assert not thread.is_alive()


def fake_pystray(icon: type[FakeIcon]) -> Any:
    made: list[Any] = []
    icon.made = made
    return SimpleNamespace(Icon=icon, Menu=pystray.Menu, MenuItem=pystray.MenuItem, made=made)


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Scene]:
    module = fake_pystray(FakeWindowsIcon)
    with running(windows_kit(module, module.Icon), module.made, Scene(tmp_path)) as scene:
        yield scene


@pytest.fixture
def macos(tmp_path: Path) -> Iterator[Scene]:
    module = fake_pystray(FakeMacIcon)
    kit = macos_kit(module, module.Icon, lambda function: module.made[0].jobs.put(function))
    with running(kit, module.made, Scene(tmp_path)) as scene:
        yield scene


def test_windows_underlines_no_letter_and_takes_the_longest_title(windows: Scene) -> None:
    windows.actions.show(
        undoable=entry(9, "cats & dogs.jpg"), headline="Watching " + "🐻 long " * 50
    )
    wait_until(lambda: "Undo last: cats && dogs.jpg" in windows.icon.texts(), "the menu followed")
    assert windows.icon.title.endswith("…")


def test_windows_shows_what_is_true_when_the_menu_opens(windows: Scene) -> None:
    windows.actions._view = replace(windows.actions.view(), headline="Something new")
    assert windows.icon.texts()[0] != "Something new"
    windows.icon._on_notify(0, RIGHT_BUTTON_UP)
    assert windows.icon.texts()[0] == "Something new"


def test_every_item_does_what_it_says(windows: Scene, tmp_path: Path) -> None:
    windows.click("Pause for", "pause 3600.0")
    windows.click("Pause until", "pause_until_tomorrow")
    windows.click("Undo last: IMG_0005", "undo 5")
    windows.click("Start at login", "set_at_login True")
    wait_until(lambda: "Undo last: IMG_0004.jpg" in windows.icon.texts(), "the menu followed")
    windows.click("Pause", "resume")
    wait_until(lambda: windows.icon.texts()[0] == "Watching again", "the menu followed")
    windows.click("Pause", "pause None")
    windows.click("Undo last batch (4 photos)", "undo_batch 1")
    windows.click("Copy into folders", "set_action copy")
    windows.click("Problems only", "set_notify problems")
    windows.click("cats", "use_model cats")
    windows.click("Quit", "quit")


def test_what_is_to_be_looked_at_is_opened(windows: Scene, tmp_path: Path) -> None:
    photo = tmp_path / "black" / "IMG_0003.jpg"
    for line, opened in (
        ("Open folder", f"folder {tmp_path}"),
        ("Review…", "page http://127.0.0.1:9/enter?key=x"),
        ("IMG_0003.jpg", f"file {photo}"),
        ("Settings file", "text settings.toml"),
        ("Log", "text log"),
    ):
        windows.icon.click(line)
        wait_until(lambda opened=opened: opened in windows.person.opened, opened)  # type: ignore[misc]
    windows.icon.click("About")
    wait_until(lambda: windows.person.read, "it said what it is")
    assert windows.person.read == ["About Beartray: Beartray, a stand-in"]


@pytest.mark.parametrize(
    ("found", "opened"),
    [
        (["a.jpg", "b.jpg"], "files ['a.jpg', 'b.jpg']"),
        (["inner/a.jpg", "b.jpg"], "folder {}"),  # a window for each folder would be too many
        ([f"{n}.jpg" for n in range(51)], "folder {}"),
        ([f"inner/{n}.jpg" for n in range(51)], "folder {}/inner"),
        ([], "folder {}"),
    ],
)
def test_photos_not_recognised_are_selected_or_their_folder_is_opened(
    windows: Scene,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    found: list[str],
    opened: str,
) -> None:
    photos = [tmp_path / name for name in found]
    monkeypatch.setattr(windows.actions, "not_recognised", lambda: (tmp_path, photos))
    windows.icon.click("Photos not recognised (3)")
    wait_until(lambda: windows.person.opened, "something was opened")
    assert windows.person.opened == [opened.format(tmp_path)]


def test_what_a_photo_is_can_be_read_in_a_window(windows: Scene, tmp_path: Path) -> None:
    windows.icon.click("What is this photo")
    wait_until(lambda: windows.person.asked == [f"photo from {tmp_path}"], "it was asked")
    windows.person.photo = tmp_path / "a.jpg"

    def answered() -> bool:  # the first click may still be about to end
        windows.icon.click("What is this photo")
        return bool(windows.person.read)

    wait_until(answered, "it was answered")
    assert windows.did()[0] == f"classify {tmp_path / 'a.jpg'}"
    said = "What is this photo?: a.jpg: grizzly, 99 %\nNothing was moved."
    assert windows.person.read[0] == said
    windows.person.windows = False
    windows.icon.click("What is this photo")
    wait_until(lambda: any("say What is this photo?: a.jpg" in line for line in windows.did()), "")


def test_a_middle_click_pauses_and_resumes(windows: Scene) -> None:
    windows.icon.secondary()
    assert windows.did() == ["pause None"]
    windows.icon.secondary()
    assert windows.did() == ["pause None", "resume"]


def test_one_of_several_is_shown_as_such(windows: Scene) -> None:
    windows.click("Tag where they are", "set_action tag")
    wait_until(lambda: "Action: tag" in windows.icon.texts(), "the menu followed")
    (action,) = [item for item in windows.icon.menu if item.text == "Action: tag"]
    assert [(item.radio, item.checked) for item in action.submenu] == [
        (True, False),
        (True, False),
        (True, True),
    ]
    assert not any(item.radio for item in windows.icon.menu)


def test_a_tagged_photo_is_shown_itself_not_its_sidecar(windows: Scene, tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    tagged = replace(
        entry(50, "a.jpg", folder=tmp_path), action="tag", destination=tmp_path / "a.jpg.xmp"
    )
    windows.actions.show(recent=(tagged,))
    wait_until(lambda: len(dict(windows.icon.native)["Recent"]) == 1, "the menu followed")
    dict(windows.icon.native)["Recent"][0][1](windows.icon)
    wait_until(lambda: windows.person.opened == [f"file {photo}"], "the photo was shown")


def test_a_click_on_an_old_menu_takes_back_the_photo_that_it_named(windows: Scene) -> None:
    stale = windows.icon.line("Undo last: IMG_0005.jpg")
    windows.actions.show(undoable=entry(6, "IMG_0006.jpg"))
    wait_until(lambda: "Undo last: IMG_0006.jpg" in windows.icon.texts(), "the menu followed")
    stale(windows.icon)
    wait_until(lambda: windows.did() == ["undo 5"], "it was taken back")


def test_a_click_never_hits_another_item_however_often_the_menu_was_built_anew(
    windows: Scene,
) -> None:
    """Each line is clicked as it was drawn, long after many others took its place."""
    wanted: dict[str, Any] = {}
    for number in range(1, 13):
        models = tuple(f"model-{n}" for n in range(number, number + 4))
        windows.actions.show(
            headline=f"build {number}",
            recent=(entry(number, f"{number}.jpg", folder=Path(f"/nowhere/{number}")),),
            undoable=entry(number, f"{number}.jpg"),
            batch=Batch(number, number + 1),
            model=models[number % 4],
            models=models,
            existing=number % 2,
            problem=None if number % 3 else "the disk is full",
        )
        built = f"build {number}"
        wait_until(lambda built=built: built in windows.icon.texts(), "it was built")  # type: ignore[misc]
        wanted[f"undo {number}"] = windows.icon.line(f"Undo last: {number}.jpg")
        wanted[f"undo_batch {number}"] = windows.icon.line("Undo last batch")
        for name in models:
            wanted[f"use_model {name}"] = windows.icon.line(name)
        for line, effect in (("Copy", "set_action copy"), ("Digest", "set_notify digest")):
            wanted[effect] = windows.icon.line(line)
    windows.actions.undo = lambda entry: windows.actions.write(f"undo {entry}")  # type: ignore[method-assign]
    for effect, click in reversed(wanted.items()):
        click(windows.icon)
        wait_until(lambda effect=effect: windows.did()[-1:] == [effect], effect)  # type: ignore[misc]
    assert windows.did() == list(reversed(wanted))


def test_changing_the_folder_asks_once_and_takes_no_for_an_answer(
    windows: Scene, tmp_path: Path
) -> None:
    windows.person.hold.clear()
    for _ in range(3):
        windows.icon.click("Change folder")
    wait_until(lambda: windows.person.asked, "the dialog was open")
    windows.click("Start at login", "set_at_login True")  # the tray is not held up
    windows.person.hold.set()
    windows.person.folder = tmp_path / "Bears"

    def changed() -> bool:
        windows.icon.click("Change folder")
        return windows.did()[-1] == f"change_folder {tmp_path / 'Bears'}"

    wait_until(changed, "the folder was changed")


def test_photos_already_there_are_sorted_only_after_a_yes(windows: Scene) -> None:
    windows.icon.click("Sort the 214")
    wait_until(lambda: windows.person.asked, "it was asked")
    assert "214 photos" in windows.person.asked[0] and windows.did() == []
    windows.person.agrees = True
    windows.click("Sort the 214", "sort_existing")


def test_what_goes_wrong_is_said_and_the_tray_lives_on(
    windows: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(entry: int) -> None:
        raise BeartrayError("the photo has changed since; it stays where it is")

    def crash(wanted: bool) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(windows.actions, "undo", refuse)
    monkeypatch.setattr(windows.actions, "set_at_login", crash)
    windows.icon.click("Undo last")
    wait_until(lambda: windows.complaints, "the person was told")
    assert windows.complaints == ["the photo has changed since; it stays where it is"]
    windows.icon.click("Start at login")
    wait_until(lambda: len(windows.complaints) == 2, "the person was told")
    assert "No space left" in windows.complaints[1]
    windows.click("Pause", "pause None")


def test_a_view_that_fails_leaves_the_last_menu(
    windows: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("database is locked")

    before = windows.icon.texts()
    with monkeypatch.context() as patch:
        patch.setattr(windows.actions, "view", broken)
        windows.icon._on_notify(0, RIGHT_BUTTON_UP)
        assert windows.icon.texts() == before
    windows.click("Pause", "pause None")


def test_nothing_is_sent_while_nothing_changes(windows: Scene) -> None:
    tray = windows.actions.tray
    assert tray is not None
    windows.actions.show(headline="first")
    wait_until(lambda: windows.icon.texts()[0] == "first", "the menu followed")
    builds, picture = windows.icon.builds, windows.icon.shown
    for _ in range(20):
        tray.refresh()
    windows.actions.show(headline="second")
    wait_until(lambda: windows.icon.texts()[0] == "second", "the menu followed")
    assert windows.icon.builds == builds + 1
    assert windows.icon.shown is picture


def test_the_icon_shows_the_state(windows: Scene) -> None:
    picture = windows.icon.shown
    windows.actions.show(state="problem", problem="the folder is gone")
    wait_until(lambda: windows.icon.shown is not picture, "the icon followed")
    wait_until(lambda: "the folder is gone" in windows.icon.title, "the tooltip followed")


def test_what_happens_while_the_icon_comes_up_is_shown_with_it(tmp_path: Path) -> None:
    """Linux's first has to speak with the bus, which at login may take its time."""
    scene = Scene(tmp_path)

    class SlowIcon(FakeWindowsIcon):
        def _run(self) -> None:
            scene.actions.show(headline="Sorting 12 photos")
            wait_until(lambda: "Sorting" in self.title or not refreshes(), "nobody was hasty")
            super()._run()

    module = fake_pystray(SlowIcon)
    with running(windows_kit(module, module.Icon), module.made, scene):
        wait_until(lambda: "Sorting 12 photos" in scene.icon.tooltip, "the tooltip followed")


def refreshes() -> bool:
    return any(thread.name == "tray refresh" for thread in threading.enumerate())


def test_macos_is_only_ever_touched_on_its_main_thread(macos: Scene) -> None:
    macos.click("Pause", "pause None")
    macos.actions.show(state="busy", headline="Sorting 12 photos")
    wait_until(lambda: macos.icon.texts()[0] == "Sorting 12 photos", "the menu followed")
    macos.click("Quit", "quit")


def test_a_tray_that_is_stopped_before_it_runs_ends_at_once(tmp_path: Path) -> None:
    module, scene = fake_pystray(FakeWindowsIcon), Scene(tmp_path)
    kit = windows_kit(module, module.Icon)
    tray = Tray(kit, scene.actions, scene.person, scene.person, scene.complaints.append)
    tray.stop()
    thread = threading.Thread(target=tray.run)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
