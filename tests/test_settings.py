"""The settings file, as people get it wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import make_tree
from trayapp import settings
from trayapp.paths import bundled
from trayapp.settings import Settings, SettingsError
from trayapp.settings_file import SettingsFile


def test_the_documented_defaults_are_the_defaults() -> None:
    text = (bundled("config") / "default.toml").read_text()
    assert settings.parse(text, "default.toml") == Settings()
    documented = {section: set(values) for section, values in settings.as_dict(Settings()).items()}
    for section, keys in documented.items():
        body = text.split(f"[{section}]")[1].split("\n[")[0]
        assert {line.split(" = ")[0] for line in body.splitlines() if line[:1].isalpha()} == keys


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[sort]\naction = "mov"', 'sort.action: found \'mov\'; allowed: "move" or "copy"'),
        ("[folder]\nsettle_seconds = -1", "folder.settle_seconds: found -1; allowed: a number"),
        ("[folder]\npath = 3", "folder.path: found 3; allowed: a text"),
        ("[folder]\npath = 'photos'", "folder.path: found 'photos'; allowed: a full path"),
        ("[folder]\npath = '~nobody-here/x'", "folder.path: found '~nobody-here/x'; allow"),
        ("[folder]\nrecursive = 1", "folder.recursive: found 1; allowed: true or false"),
        ("[model]\nworkers = 0", "model.workers: found 0; allowed: a whole number from 1 to 64"),
        ("[model]\nmin_confidence = {a = 2}", "model.min_confidence: found {'a': 2}; allowed: lab"),
        ('[sort]\nsubfolder = "../{label}"', "sort.subfolder: found '../{label}'; allowed: folder"),
        ('[sort]\nsubfolder = "{labl}"', "sort.subfolder: found '{labl}'; allowed: folder names"),
        ('[sort]\nsubfolder = "{label.__class__}"', "sort.subfolder: found"),
        ('[sort]\nsubfolder = "/etc/{label}"', "sort.subfolder: found"),
        ('[sort]\nsubfolder = "{"', "sort.subfolder: found"),
        ("[folders]", "folders: no such section; did you mean folder?"),
        ("[notify]\nmood = 1", "notify.mood: no such key; did you mean mode?"),
        ("[sort", "not valid TOML: "),
        ("folder = 1", "folder: found 1; allowed: a section with keys"),
    ],
)  # fmt: skip
def test_a_wrong_value_says_file_key_found_and_allowed(text: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(text, "my.toml")
    assert str(caught.value).startswith(f"my.toml: {message}")
    assert "\n" not in str(caught.value)


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    assert settings.load(tmp_path / "none.toml") == Settings()


def test_a_file_that_is_not_text_is_reported(tmp_path: Path) -> None:
    make_tree(tmp_path, {"s.toml": b"\xff\xfe\x00"})
    with pytest.raises(SettingsError, match="cannot be read as UTF-8"):
        settings.load(tmp_path / "s.toml")


def test_a_change_keeps_the_persons_comments(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("# mine\n[sort]\naction = 'copy' # for now\n\n[folder]\nrecursive = true\n")
    settings.change(file, "sort.action", "tag")
    settings.change(file, "model.min_confidence", {"teddy": 0.9})
    text = file.read_text()
    assert "# mine" in text
    assert "# for now" in text
    found = settings.load(file)
    assert (found.sort.action, found.folder.recursive) == ("tag", True)
    assert found.model.min_confidence == {"teddy": 0.9}
    assert list(tmp_path.iterdir()) == [file]


def test_a_first_change_starts_from_the_documented_defaults(tmp_path: Path) -> None:
    settings.change(tmp_path / "deep" / "s.toml", "notify.mode", "off")
    text = (tmp_path / "deep" / "s.toml").read_text()
    assert "# Beartray's settings." in text
    assert settings.load(tmp_path / "deep" / "s.toml").notify.mode == "off"


def test_a_bad_change_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("[sort]\naction = 'copy'\n")
    for key, value in [("sort.action", "burn"), ("sort.x", 1), ("x.y", 1), ("sort", 1)]:
        with pytest.raises(SettingsError):
            settings.change(file, key, value)
    assert file.read_text() == "[sort]\naction = 'copy'\n"


@pytest.mark.parametrize(
    ("key", "typed", "value"),
    [
        ("folder.path", "/a b/c", "/a b/c"),
        ("folder.path", 'with "quotes"', 'with "quotes"'),
        ("folder.recursive", "true", True),
        ("model.workers", "2", 2),
        ("folder.rescan_minutes", "2.5", 2.5),
        ("folder.ignore", '["a*"]', ["a*"]),
        ("model.min_confidence", "{ teddy = 0.9 }", {"teddy": 0.9}),
        ("sort.action", "tag", "tag"),
        ("model.package", "7", "7"),
    ],
)
def test_a_value_can_be_typed_as_people_write_it(key: str, typed: str, value: object) -> None:
    assert settings.value_from_text(key, typed, Path("s.toml")) == value


def test_the_last_good_settings_stay_in_force(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.write_text("[sort]\naction = 'copy'\n")
    following = SettingsFile(file)
    assert not following.follow(), "nothing changed"
    file.write_text("[sort]\naction = 'burn it'\n")
    assert not following.follow()
    assert following.current.sort.action == "copy"
    assert following.problem is not None
    assert "sort.action: found 'burn it'" in following.problem
    file.write_text("[sort]\naction = 'tag' # good again\n")
    assert following.follow()
    assert settings.load(file) == following.current
    assert following.problem is None


def test_a_file_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    file = tmp_path / "s.toml"
    file.symlink_to(tmp_path / "dotfiles" / "s.toml")
    (tmp_path / "dotfiles").touch()
    with pytest.raises(SettingsError, match="a file is where a folder should be; rename it"):
        SettingsFile(file).change("sort.action", "copy")


@pytest.mark.parametrize("vanish", [Path.unlink, lambda file: file.write_text("")])
def test_a_file_that_is_gone_or_empty_for_an_instant_is_no_change(
    tmp_path: Path, vanish: Callable[[Path], object]
) -> None:
    """So editors write: they move it away, or empty it, first. After a second it is meant."""
    now, file = 100.0, tmp_path / "s.toml"
    file.write_text("[sort]\naction = 'copy'\n")
    following = SettingsFile(file, lambda: now)
    for _ in range(2):
        vanish(file)
        now += 2
        assert not following.follow()
        now += 0.9
        assert not following.follow() and following.current.sort.action == "copy"
        file.write_text("[sort]\naction = 'copy' # as before\n")
        assert not following.follow()
    vanish(file)
    assert not following.follow()
    now += 1
    assert following.follow() and following.current.sort.action == "move"
