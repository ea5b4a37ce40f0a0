"""Photos dropped into the watched folder of the real program, in every way they come."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.helpers import SLOWNESS, files, make_tree, names, require_programs, wait_until
from tests.program import Program

pytestmark = pytest.mark.flow

Photo = Callable[..., bytes]


def gone(path: Path) -> Callable[[], bool]:
    return lambda: not path.exists()


def test_all_the_ways_a_photo_arrives(
    program: Program, inbox: Path, tmp_path: Path, photo: Photo
) -> None:
    make_tree(inbox, {"notes.txt": "mine", "video.mp4": "mine", ".hidden.jpg": "mine"})
    expected = {f"{inbox.name}/{name}": data for name, data in files(inbox).items()}
    make = tmp_path / "elsewhere"
    with program.running(inbox):
        # Copied slowly, in chunks, seconds apart: by a program that keeps the file open, and by
        # one that opens it anew for each.
        slow = photo(make / "slow.jpg", "grizzly", (640, 480))
        with (inbox / "slow.jpg").open("wb") as stream:
            for number in range(3):
                stream.write(slow[number * len(slow) // 3 : (number + 1) * len(slow) // 3])
                stream.flush()
                with (inbox / "anew.jpg").open("ab") as other:
                    other.write(slow[number * len(slow) // 3 : (number + 1) * len(slow) // 3])
                time.sleep(1.5)  # this is the slowness that is tested
        expected |= {"inbox/grizzly/slow.jpg": slow, "inbox/grizzly/anew.jpg": slow}
        # Moved in whole.
        moved = photo(make / "moved.png", "black")
        (make / "moved.png").rename(inbox / "moved.png")
        expected["inbox/black/moved.png"] = moved
        # Downloaded under another name and renamed.
        loaded = photo(make / "loaded.jpg", "teddy")
        (inbox / "loaded.jpg.part").write_bytes(loaded[:100])
        (inbox / "loaded.jpg.part").write_bytes(loaded)
        (inbox / "loaded.jpg.part").rename(inbox / "loaded.jpg")
        expected["inbox/teddy/loaded.jpg"] = loaded
        # Of no known class.
        expected["inbox/desk.jpg"] = photo(inbox / "desk.jpg", "none")
        wait_until(lambda: names(inbox.parent / "inbox") == keys(expected), 20, "all filed")
    del make
    assert {f"inbox/{name}": data for name, data in files(inbox).items()} == expected
    history = program.rows("history")
    assert [row["state"] for row in history] == ["done"] * 4


def keys(expected: dict[str, bytes]) -> set[str]:
    return {name.removeprefix("inbox/") for name in expected}


def test_five_hundred_at_once(program: Program, inbox: Path, tmp_path: Path, photo: Photo) -> None:
    labels = ["grizzly", "black", "teddy", "none"]
    made, expected = tmp_path / "made", {}
    for number in range(500):
        label = labels[number % 4]
        data = photo(made / f"{number}.jpg", label)
        name = f"{number}.jpg" if label == "none" else f"{label}/{number}.jpg"
        expected[name] = data
    with program.running(inbox) as process:
        for path in made.iterdir():
            path.rename(inbox / path.name)
        wait_until(lambda: program.status()["filed_today"] == 375, 60, "375 photos filed")
        wait_until(lambda: program.status()["pending"] == 0, 20, "nothing on its way")
        wait_until(lambda: program.status()["state"] == "watching", 5, "peace")
        said = program.end(process)
    assert files(inbox) == expected
    assert len(program.rows("history", "-n", "1000")) == 375
    assert "375 photos filed: 125 grizzly" in said.replace("125 black", "125 grizzly"), said
    assert said.count("photos filed") == 1, "one burst, one digest"


def test_what_is_no_photo_is_reported_once_and_stays(
    program: Program, inbox: Path, photo: Photo
) -> None:
    with program.running(inbox) as process:
        good = photo(inbox / "good.jpg", "grizzly", (640, 480))
        (inbox / "cut.jpg").write_bytes(good[: len(good) // 2])
        (inbox / "empty.jpg").touch()
        (inbox / "text.jpg").write_text("not a picture")
        # 20,000 × 20,000 points: small on disk, 1.2 GB in memory.
        Image.new("1", (20_000, 20_000)).save(inbox / "huge.png")
        os.mkfifo(inbox / "pipe.jpg")
        (inbox / "folder.jpg").mkdir()
        (inbox / "link.jpg").symlink_to(inbox / "good.jpg")
        (inbox / "dangling.jpg").symlink_to(inbox / "nowhere.jpg")
        photo(inbox / "fleeting.jpg")
        (inbox / "fleeting.jpg").unlink(missing_ok=True)
        wait_until(gone(inbox / "good.jpg"), 20, "good.jpg filed")
        wait_until(lambda: len(problems(program)) >= 4, 30, "four reports")
        after = photo(inbox / "after.jpg", "black")
        wait_until(gone(inbox / "after.jpg"), 10, "the next one filed")
        for name in ("cut.jpg", "empty.jpg", "text.jpg"):
            os.utime(inbox / name)
        time.sleep(1)  # time for a second report, if there were one
        assert process.poll() is None
    log = problems(program)
    for name, words in {
        "cut.jpg": "cut short",
        "empty.jpg": "empty",
        "text.jpg": "not a picture",
        "huge.png": "20000 × 20000",
    }.items():
        about = [line for line in log if name in line]
        assert len(about) == 1, (name, log)
        assert words in about[0].replace(",", "").replace(" ", " "), about
    assert len(log) == 4, log
    found = files(inbox)
    assert (found["grizzly/good.jpg"], found["black/after.jpg"]) == (good, after)
    left = {path.name for path in inbox.iterdir()} - {"grizzly", "black"}
    assert left == {
        *("cut.jpg", "empty.jpg", "text.jpg", "huge.png", "pipe.jpg", "folder.jpg", "link.jpg"),
        "dangling.jpg",
    }


def problems(program: Program) -> list[str]:
    text = (program.home / "log" / "beartray.log").read_text()
    return [line for line in text.splitlines() if "in place" in line]


def test_photos_and_folders_without_permission(program: Program, inbox: Path, photo: Photo) -> None:
    if os.geteuid() == 0:  # root, but without root's right to read and write everything
        require_programs("setpriv")
        program.prefix = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    (inbox / "black").mkdir()
    (inbox / "black").chmod(0o500)
    with program.running(inbox):
        for name in ("secret.jpg", "locked out.jpg"):
            label = "grizzly" if name == "secret.jpg" else "black"
            photo(inbox.parent / name, label)
            (inbox.parent / name).chmod(0 if name == "secret.jpg" else 0o600)
            (inbox.parent / name).rename(inbox / name)
        wait_until(lambda: len(problems(program)) == 2, 20, "two reports")
        photo(inbox / "after.jpg")
        wait_until(gone(inbox / "after.jpg"), 10, "the next one filed")
        text = "\n".join(problems(program))
        assert "secret.jpg may not be read" in text
        assert "no permission" in text
        (inbox / "black").chmod(0o700)
        (inbox / "secret.jpg").chmod(0o600)
        wait_until(gone(inbox / "secret.jpg"), 10, "readable now")
        wait_until(gone(inbox / "locked out.jpg"), 45, "tried again")


def test_killed_in_the_middle_of_a_burst(
    program: Program, inbox: Path, tmp_path: Path, photo: Photo
) -> None:
    made, expected = tmp_path / "made", {}
    for number in range(120):
        expected[f"grizzly/{number}.jpg"] = photo(made / f"{number}.jpg", "grizzly")
    process = program.start(inbox)
    for path in made.iterdir():
        path.rename(inbox / path.name)
    filed = inbox / "grizzly"
    for share in (10, 40, 70):
        wait_until(lambda s=share: count(filed) >= s, 30, f"{share} filed")  # type: ignore[misc]
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        everything = [path for path in inbox.rglob("*.jpg")]
        assert len(everything) == 120
        process = program.start(inbox)
    wait_until(lambda: count(filed) == 120, 30, "all filed")
    program.end(process)
    assert files(inbox) == expected
    history = program.rows("history", "-n", "999")
    assert sorted(row["destination"] for row in history if row["state"] == "done") == sorted(
        str(inbox / name) for name in expected
    )


def count(folder: Path) -> int:
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_photos_that_came_while_it_was_closed_or_paused(
    program: Program, inbox: Path, photo: Photo
) -> None:
    photo(inbox / "old.jpg")
    with program.running(inbox):
        assert program.status()["existing"] == 1
    photo(inbox / "while closed.jpg")
    with program.running(inbox):
        wait_until(gone(inbox / "while closed.jpg"), 10, "the one that came while closed")
        program.command("pause")
        wait_until(lambda: program.status()["state"] == "paused", 5, "pause")
        photo(inbox / "while paused.jpg")
        time.sleep(1.5)  # nothing may happen in this time
        assert (inbox / "while paused.jpg").exists()
    with program.running(inbox):
        assert program.status()["state"] == "paused", "paused stays paused"
        program.command("resume")
        wait_until(gone(inbox / "while paused.jpg"), 10, "the one that came while paused")
    assert set(files(inbox)) == {
        *("old.jpg", "grizzly/while closed.jpg", "grizzly/while paused.jpg")
    }


def test_a_pause_for_a_while_ends_by_itself(program: Program, inbox: Path, photo: Photo) -> None:
    with program.running(inbox):
        program.command("pause", "--for", "2s")
        wait_until(lambda: program.status()["paused"], 5, "pause")
        photo(inbox / "a.jpg")
        wait_until(gone(inbox / "a.jpg"), 10, "the pause to end")


def test_settings_take_effect_without_a_restart(
    program: Program, inbox: Path, tmp_path: Path, photo: Photo
) -> None:
    other = make_tree(tmp_path / "other", {})
    photo(other / "there before.jpg")
    program.configure(f"[folder]\npath = {json.dumps(str(inbox))}")
    with program.running(None):
        program.settings.write_text("[sort]\naction = 'mov'\n")
        wait_until(lambda: program.status()["problem"], 5, "the problem")
        problem = program.status()["problem"]
        assert str(program.settings) in problem
        assert "sort.action: found 'mov'; allowed: " in problem
        photo(inbox / "a.jpg")
        wait_until(gone(inbox / "a.jpg"), 10, "the last good settings at work")
        program.configure(f"[sort]\naction = 'copy'\n[folder]\npath = {json.dumps(str(other))}")
        wait_until(lambda: program.status()["folder"] == str(other), 5, "the other folder")
        wait_until(lambda: program.status()["watching"], 5, "watching")
        photo(other / "b.jpg", "teddy")
        wait_until((other / "teddy" / "b.jpg").exists, 10, "copied there")
    assert set(files(other)) == {"there before.jpg", "b.jpg", "teddy/b.jpg"}


def test_a_folder_that_goes_away_and_comes_back(
    program: Program, inbox: Path, photo: Photo
) -> None:
    with program.running(inbox):
        away = inbox.rename(inbox.with_name("away"))
        wait_until(lambda: program.status()["state"] == "problem", 10, "the problem")
        assert "is not there; connect its disk" in program.status()["problem"]
        photo(away / "meanwhile.jpg")
        away.rename(inbox)
        wait_until(gone(inbox / "meanwhile.jpg"), 15, "recovery")
        photo(inbox / "after.jpg")
        wait_until(gone(inbox / "after.jpg"), 10, "events again")
        assert program.status()["problem"] is None


def test_a_second_start_hands_over(program: Program, inbox: Path) -> None:
    with program.running(inbox) as process:
        second = program.try_command("run", "--headless")
        assert second.returncode == 3
        assert f"running already and watches {inbox}" in second.stderr
        assert program.command("quit") == "Beartray ends.\n"
        assert process.wait(5 * SLOWNESS) == 0
    for command in ("status", "pause", "resume", "quit"):
        assert program.try_command(command).returncode == 3


def test_it_ends_quickly_and_leaves_no_process(program: Program, inbox: Path) -> None:
    with program.running(inbox) as process:
        before = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(5 * SLOWNESS) == 0
        assert time.monotonic() - before < 2 * SLOWNESS
    wait_until(lambda: not group_lives(process.pid), 2, "the last process of its group to end")


def group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_engine_is_killed_and_comes_back(program: Program, inbox: Path, photo: Photo) -> None:
    with program.running(inbox) as process:
        for number in range(2):
            for pid in children(process.pid):
                if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text():
                    os.kill(pid, signal.SIGKILL)
            photo(inbox / f"{number}.jpg")
            wait_until(gone(inbox / f"{number}.jpg"), 15, "filed by a new engine")


def children(pid: int) -> list[int]:
    found: list[Any] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += task.read_text().split()
    return [int(child) for child in found]
