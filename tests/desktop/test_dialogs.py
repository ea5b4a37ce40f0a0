"""Dialogs and file managers, played by small scripts that note how they were called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trayapp.desktop.children import Answer, Children
from trayapp.desktop.dialogs_linux import LinuxDialogs
from trayapp.desktop.dialogs_macos import MacDialogs
from trayapp.desktop.dialogs_programs import NoChooserError
from trayapp.desktop.dialogs_terminal import Terminal
from trayapp.desktop.dialogs_windows import WindowsDialogs
from trayapp.desktop.opener import LinuxOpener, MacOpener, WindowsOpener
from trayapp.photo import BeartrayError

PROGRAM = """#!{python}
import json, os, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv) + "\\n")
os.write(1, {output!r})
sys.stderr.write({error!r})
sys.exit({status})
"""


class Programs:
    """A search path with just the programs that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self._calls = folder / "calls"
        self.environ = {"PATH": str(self.folder)}
        self.children = Children(self.environ)

    def add(self, name: str, status: int = 0, output: bytes = b"", error: str = "") -> None:
        path = self.folder / name
        path.write_text(
            PROGRAM.format(
                python=sys.executable,
                calls=str(self._calls),
                output=output,
                error=error,
                status=status,
            )
        )
        path.chmod(0o755)

    def calls(self) -> list[list[str]]:
        if not self._calls.exists():
            return []
        lines = [json.loads(line) for line in self._calls.read_text().splitlines()]
        return [[Path(program).name, *rest] for program, *rest in lines]


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path)


def linux(programs: Programs, desktop: str = "XFCE") -> LinuxDialogs:
    return LinuxDialogs(programs.children, {"XDG_CURRENT_DESKTOP": desktop})


def test_zenity_gives_a_folder_whatever_bytes_its_name_has(programs: Programs) -> None:
    programs.add("zenity", output=b"/home/ann/-B\xe4rs\n")
    chosen = linux(programs).choose_folder(Path("/home/ann"))
    assert chosen is not None and os.fsencode(chosen) == b"/home/ann/-B\xe4rs"
    (call,) = programs.calls()
    assert call[1:3] == ["--file-selection", "--directory"]
    assert "--filename=/home/ann/" in call


def test_plasma_prefers_its_own_dialog(programs: Programs) -> None:
    programs.add("zenity", output=b"/zenity\n")
    programs.add("kdialog", output=b"/kdialog\n")
    assert linux(programs, "KDE").choose_folder(Path("/")) == Path("/kdialog")
    assert linux(programs, "XFCE").choose_folder(Path("/")) == Path("/zenity")


@pytest.mark.parametrize("tool", ["zenity", "kdialog"])
def test_cancel_is_no_folder_and_no_error(programs: Programs, tool: str) -> None:
    programs.add(tool, status=1)
    assert linux(programs).choose_folder(Path("/home")) is None
    assert not linux(programs).confirm("Sort 3 photos?", "Sort")


@pytest.mark.parametrize(
    ("tool", "shown"),
    [
        ("zenity", "--text=Sort <b>3</b> photos of C:\\new?"),
        ("kdialog", "<qt>Sort &lt;b&gt;3&lt;/b&gt;<br>photos of C:\\new?</qt>"),
    ],
)
def test_a_question_is_shown_as_it_is(programs: Programs, tool: str, shown: str) -> None:
    """kdialog would take it for HTML, and zenity too but for --no-markup."""
    programs.add(tool)
    assert linux(programs).confirm("Sort <b>3</b>\nphotos of C:\\new?", "Sort")
    assert shown in programs.calls()[0]


@pytest.mark.parametrize(
    ("tool", "shown"),
    [
        ("zenity", "--text=<i>.jpg: grizzly, 98 %\nNothing was moved."),
        ("kdialog", "<qt>&lt;i&gt;.jpg: grizzly, 98 %<br>Nothing was moved.</qt>"),
    ],
)
def test_an_answer_is_shown_line_by_line(programs: Programs, tool: str, shown: str) -> None:
    programs.add(tool)
    linux(programs).tell("What is this photo?", "<i>.jpg: grizzly, 98 %\nNothing was moved.")
    assert shown in programs.calls()[0]


@pytest.mark.parametrize("tool", ["zenity", "qarma", "kdialog"])
def test_a_photo_is_chosen_among_photos(programs: Programs, tool: str) -> None:
    programs.add(tool, output=b"/home/ann/B\xe4r.HEIC\n")
    chosen = linux(programs).choose_photo(Path("/home/ann"))
    assert chosen is not None and os.fsencode(chosen) == b"/home/ann/B\xe4r.HEIC"
    (call,) = programs.calls()
    assert any("*.jpg *.JPG" in word and "*.heic" in word for word in call)
    assert "--directory" not in call


def test_without_a_program_the_next_way_of_choosing_is_tried(
    programs: Programs, tmp_path: Path
) -> None:
    asked: list[tuple[str, Path, bool]] = []

    def nowhere(title: str, start: Path, folder: bool) -> Path | None:
        raise NoChooserError("no portal")

    def typed(title: str, start: Path, folder: bool) -> Path | None:
        asked.append((title, start, folder))
        return tmp_path if folder else None

    dialogs = LinuxDialogs(programs.children, {}, (nowhere, typed))
    assert dialogs.choose_folder(tmp_path / "gone") == tmp_path
    assert dialogs.choose_photo(tmp_path) is None
    assert [(start, folder) for _, start, folder in asked] == [(tmp_path, True), (tmp_path, False)]
    with pytest.raises(BeartrayError, match="install zenity or kdialog, or use “beartray classify"):
        LinuxDialogs(programs.children, {}, (nowhere,)).choose_photo(tmp_path)
    with pytest.raises(BeartrayError, match="install zenity or kdialog"):
        dialogs.tell("About", "Beartray")


class Typist:
    """A terminal with somebody at its keyboard; `away` lets it go on in another process."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self.terminal = Terminal(programs.children, {"DISPLAY": ":7"})

    def types(self, answer: str, away: bool = False) -> None:
        path = self._programs.folder / "xterm"
        run = f'"$2" < {path}.keys > {path}.seen'
        path.write_text(f"#!/bin/sh\n{f'({run}) & exit 0' if away else run}\n")
        path.with_name("xterm.keys").write_bytes(os.fsencode(answer))
        path.chmod(0o755)

    def saw(self) -> str:
        return (self._programs.folder / "xterm.seen").read_text()


@pytest.fixture
def typist(programs: Programs) -> Typist:
    if sys.platform == "win32":
        pytest.skip("Windows has dialogs of its own")
    programs.children = Children({"PATH": f"{programs.folder}:{os.defpath}"})
    return Typist(programs)


@pytest.mark.parametrize("away", [False, True])
def test_as_a_last_resort_a_path_is_typed(typist: Typist, tmp_path: Path, away: bool) -> None:
    folder = tmp_path / "it's a f\udce4lder"
    folder.mkdir()
    typist.types(f"{folder}\n", away)
    assert typist.terminal.choose("Which folder?", tmp_path, True) == folder
    assert typist.saw().startswith("Which folder?\n\nType the path")
    typist.types(f"'{folder.name}'\n", away)  # dropped onto the window, and from the start on
    assert typist.terminal.choose("Which folder?", tmp_path, True) == folder


def test_a_terminal_that_is_closed_is_a_cancel(typist: Typist, tmp_path: Path) -> None:
    for keys in ("", "\n", "half a pa"):
        typist.types(keys)
        assert typist.terminal.choose("Which folder?", tmp_path, True) is None


def test_what_was_typed_wrongly_is_named(typist: Typist, tmp_path: Path) -> None:
    typist.types("nowhere\n")
    with pytest.raises(BeartrayError, match=f"{tmp_path}/nowhere is no folder; nothing was"):
        typist.terminal.choose("Which folder?", tmp_path, True)
    typist.types("~nobody-at-all/x.jpg\n")
    with pytest.raises(BeartrayError, match="is no photo"):
        typist.terminal.choose("Which photo?", tmp_path, False)


def test_without_a_terminal_or_a_screen_nothing_can_be_typed(programs: Programs) -> None:
    for environ in ({"DISPLAY": ":7"}, {}):
        with pytest.raises(NoChooserError):
            Terminal(programs.children, environ).choose("?", Path("/"), True)


def test_without_a_dialog_program_one_is_told_what_to_do_instead(programs: Programs) -> None:
    with pytest.raises(BeartrayError, match=r"beartray config set folder\.path"):
        linux(programs).choose_folder(Path("/"))
    with pytest.raises(BeartrayError, match="beartray sort DIR"):
        linux(programs).confirm("?", "Sort")


def test_a_dialog_that_has_no_screen_is_not_taken_for_a_cancel(programs: Programs) -> None:
    programs.add("zenity", status=1, error="Gtk-WARNING: cannot open display: \n")
    with pytest.raises(BeartrayError, match="could be shown"):
        linux(programs).choose_folder(Path("/"))


class Recorder(Children):
    """Notes what would be started, and answers."""

    def __init__(self, answer: Answer, works: bool = True) -> None:
        super().__init__({})
        self.calls: list[Any] = []
        self._answer, self._works = answer, works

    def ask(self, command: Any, extra: Any = None) -> Answer:
        self.calls.append((list(command), extra))
        return self._answer

    def launch(self, command: Any) -> bool:
        self.calls.append(command)
        return self._works


def test_macos_passes_words_as_arguments(tmp_path: Path) -> None:
    children = Recorder(Answer(0, f"{tmp_path}/Bears/\n", ""))
    dialogs = MacDialogs(children)
    assert dialogs.choose_folder(tmp_path / "gone") == tmp_path / "Bears"
    command, _ = children.calls[0]
    assert command[:2] == ["osascript", "-e"] and command[-1] == str(tmp_path)
    assert dialogs.confirm('Sort "3" photos?', "Sort")
    assert children.calls[1][0][-2:] == ['Sort "3" photos?', "Sort"]
    dialogs.tell("About", "Beartray\nMIT")
    assert children.calls[2][0][-2:] == ["Beartray\nMIT", "About"]
    assert dialogs.choose_photo(tmp_path) == tmp_path / "Bears"
    assert "choose file" in children.calls[3][0][2] and "public.image" in children.calls[3][0][2]
    cancelled = MacDialogs(Recorder(Answer(1, "", "User canceled. (-128)")))
    assert cancelled.choose_folder(tmp_path) is None and not cancelled.confirm("?", "Sort")


def test_windows_asks_through_powershell_and_a_message_box() -> None:
    children = Recorder(Answer(0, "D:\\Bären", ""))
    asked: list[tuple[int, str, str, int]] = []

    def message_box(owner: int, text: str, title: str, kind: int) -> int:
        asked.append((owner, text, title, kind))
        return 1

    dialogs = WindowsDialogs(children, message_box)
    assert dialogs.choose_folder(Path("C:/it's $here")) == Path("D:\\Bären")
    command, extra = children.calls[0]
    assert command[0] == "powershell" and "$here" not in command[-1]
    assert extra["BEARTRAY_START"] == str(Path("C:/it's $here"))
    assert dialogs.confirm("Sort 3 photos?", "Sort")
    assert asked[0][1:3] == ("Sort 3 photos?", "Beartray")
    dialogs.tell("About Beartray", "Beartray\nMIT")
    assert asked[1][1:3] == ("Beartray\nMIT", "About Beartray")
    assert dialogs.choose_photo(Path("C:/")) == Path("D:\\Bären")
    command, extra = children.calls[1]
    assert "OpenFileDialog" in command[-1]
    assert extra["BEARTRAY_FILTER"].startswith("Photos|*.avif;*.bmp;")


def test_the_file_manager_selects_photos_when_it_can(programs: Programs, tmp_path: Path) -> None:
    asked: list[tuple[str, ...]] = []

    def show(*uris: str) -> bool:
        asked.append(uris)
        return True

    photos = [tmp_path / "-a b.jpg", tmp_path / "c.jpg"]
    for photo in photos:
        photo.touch()
    opener = LinuxOpener(programs.children, show)
    opener.show_file(photos[0])
    opener.show_files([*photos, tmp_path / "gone.jpg"])
    first, second = f"file://{tmp_path}/-a%20b.jpg", f"file://{tmp_path}/c.jpg"
    assert asked == [(first,), (first, second)] and programs.calls() == []


def test_texts_are_opened_in_the_persons_own_editor(programs: Programs, tmp_path: Path) -> None:
    programs.add("xdg-open")
    file = tmp_path / "settings.toml"
    opener = LinuxOpener(programs.children, lambda *_: False)
    with pytest.raises(BeartrayError, match=r"settings\.toml is not there"):
        opener.open_text(file)
    file.touch()
    opener.open_text(file)
    assert programs.calls() == [["xdg-open", str(file)]]
    children = Recorder(Answer(0, "", ""))
    MacOpener(children).open_text(file)

    def no_program(path: str) -> None:
        raise OSError(1155, "No application is associated")

    WindowsOpener(children, no_program).open_text(file)
    assert children.calls == [["open", "-t", str(file)], ["notepad.exe", str(file)]]


def test_a_page_is_opened_in_the_persons_own_browser(programs: Programs) -> None:
    address, children, started = "http://127.0.0.1:9/", Recorder(Answer(0, "", "")), list[str]()
    opener = LinuxOpener(programs.children, lambda *_: False)
    with pytest.raises(BeartrayError, match="no browser could be started"):
        opener.open_page(address)
    programs.add("xdg-open")
    opener.open_page(address)
    assert programs.calls() == [["xdg-open", address]]
    MacOpener(children).open_page(address)
    assert children.calls == [["open", address]]
    WindowsOpener(children, started.append).open_page(address)
    assert started == [address]

    def no_browser(path: str) -> None:
        raise OSError(1155, "No application is associated")

    with pytest.raises(BeartrayError, match="no browser could be started"):
        WindowsOpener(children, no_browser).open_page(address)


def test_several_photos_are_selected_where_that_is_possible(tmp_path: Path) -> None:
    photos = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for photo in photos:
        photo.touch()
    children, started = Recorder(Answer(0, "", "")), list[str]()
    MacOpener(children).show_files(photos)
    WindowsOpener(children, started.append).show_files(photos)
    assert children.calls == [["open", "-R", *map(str, photos)]]
    assert started == [str(tmp_path)]


def test_else_its_folder_is_opened(programs: Programs, tmp_path: Path) -> None:
    programs.add("xdg-open")
    folder = tmp_path / "-folder"
    folder.mkdir()
    opener = LinuxOpener(programs.children, lambda *_: False)
    opener.show_file(folder / "moved away.jpg")
    opener.open_folder(folder)
    assert programs.calls() == [["xdg-open", str(folder)]] * 2


def test_names_that_look_like_options_stay_names(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("xdg-open")
    (tmp_path / "--help").mkdir()
    monkeypatch.chdir(tmp_path)
    LinuxOpener(programs.children, lambda *_: False).open_folder(Path("--help"))
    assert programs.calls() == [["xdg-open", str(tmp_path / "--help")]]


def test_gio_helps_out_and_without_either_one_is_told(programs: Programs, tmp_path: Path) -> None:
    opener = LinuxOpener(programs.children, lambda *_: False)
    with pytest.raises(BeartrayError, match="no file manager"):
        opener.open_folder(tmp_path)
    programs.add("xdg-open", status=3)
    programs.add("gio")
    opener.open_folder(tmp_path)
    assert programs.calls()[-1] == ["gio", "open", str(tmp_path)]


def test_without_a_screen_one_is_told_that_there_is_no_browser(programs: Programs) -> None:
    programs.add("xdg-open", status=3)
    programs.add("gio")  # which would start one, and not hear that it ends at once
    opener = LinuxOpener(programs.children, lambda *_: False, screen=False)
    with pytest.raises(BeartrayError, match="`beartray review --print` helps"):
        opener.open_page("http://127.0.0.1:1/")


def opened_on_mac(children: Recorder) -> MacOpener:
    return MacOpener(children)


@pytest.mark.parametrize("make", [opened_on_mac, lambda children: LinuxOpener(children, bool)])
def test_a_folder_that_is_gone_is_said_to_be_gone(
    make: Callable[[Recorder], Any], tmp_path: Path
) -> None:
    opener = make(Recorder(Answer(0, "", "")))
    with pytest.raises(BeartrayError, match="is not there any more"):
        opener.show_file(tmp_path / "gone" / "a.jpg")


def test_finder_and_explorer_select_the_photo(tmp_path: Path) -> None:
    photo = tmp_path / "a b.jpg"
    photo.touch()
    children, started = Recorder(Answer(0, "", "")), list[str]()
    MacOpener(children).show_file(photo)
    WindowsOpener(children, started.append).show_file(photo)
    WindowsOpener(children, started.append).open_folder(tmp_path)
    assert children.calls == [["open", "-R", str(photo)], f'explorer.exe /select,"{photo}"']
    assert started == [str(tmp_path)]
