"""Killed at any system call, the next start leaves every photo in its old or its new place."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

import pytest

from tests.crash.conftest import SetScene
from tests.crash.scene import Scene
from tests.crash.supervisor import Judge, Run, kill_at

pytestmark = pytest.mark.crash

SAME = [
    (kind, kind, action)
    for kind in ("tmpfs", "ext4", "exfat", "fat")
    for action in ("move", "copy", "tag")
]
OTHER = [
    (*disks, action)
    for disks in [("ext4", "tmpfs"), ("ext4", "exfat"), ("exfat", "tmpfs"), ("ext4", "fat")]
    for action in ("move", "copy")
]
PAGES = {"pwrite64", "fdatasync"}  # SQLite's own, more than a hundred a run: some of them
STRIDE = 7


@pytest.mark.parametrize(("kind", "other", "action"), SAME + OTHER)
def test_killed_at_every_system_call(
    set_scene: SetScene, kills: Counter[str], kind: str, other: str, action: str
) -> None:
    scene = set_scene(kind, other, action)  # type: ignore[arg-type]
    killed = _kill_everywhere(scene, scene.work)
    kills["filing, following and undoing"] += killed
    assert killed > 40


@pytest.mark.parametrize(
    ("kind", "other", "action"),
    [
        *[("tmpfs", "tmpfs", "tag"), ("ext4", "ext4", "move")],
        *[("ext4", "tmpfs", "move"), ("ext4", "tmpfs", "copy")],
    ],
)
def test_killed_while_a_person_puts_photos_right_and_takes_one_back(
    set_scene: SetScene, kills: Counter[str], kind: str, other: str, action: str
) -> None:
    scene = set_scene(kind, other, action)  # type: ignore[arg-type]

    def put_right(judge: Judge = lambda _: 0) -> Run:
        scene.file()
        return scene.put_right(judge)

    killed = _kill_everywhere(scene, put_right, 2 * STRIDE)
    kills["putting right"] += killed
    assert killed > 40


@pytest.mark.parametrize(
    ("kind", "other", "action"),
    [
        *[("tmpfs", "tmpfs", "move"), ("tmpfs", "tmpfs", "tag")],
        *[("ext4", "tmpfs", "move"), ("ext4", "tmpfs", "copy"), ("ext4", "exfat", "move")],
    ],
)
def test_killed_while_it_recovers_and_recovered_again(
    set_scene: SetScene, kills: Counter[str], kind: str, other: str, action: str
) -> None:
    scene = set_scene(kind, other, action)  # type: ignore[arg-type]
    calls = _undisturbed(scene, scene.work)
    before = kills.total()
    for number in _moments(calls)[::4]:
        for again in itertools.count(1 + number % STRIDE, STRIDE):
            scene.make()
            kills["filing, following and undoing"] += scene.work(kill_at(number)).killed
            interrupted = scene.recover(kill_at(again)).killed
            kills["recovering"] += interrupted
            scene.recover_and_check((calls[number - 1], number, again))
            if not interrupted:
                break
    assert kills.total() - before > 100


def test_a_first_start_is_killed_while_it_makes_its_journal(
    set_scene: SetScene, kills: Counter[str]
) -> None:
    scene = set_scene("ext4", "ext4", "move")

    def start_afresh() -> None:
        scene.make()
        for file in scene.home.iterdir():
            if file.is_file():
                file.unlink()

    start_afresh()
    calls = scene.recover().calls
    for number in range(1, len(calls) + 1):
        start_afresh()
        kills["making the journal"] += scene.recover(kill_at(number)).killed
        scene.work()
        scene.recover_and_check((calls[number - 1], number))


def test_a_thousand_kills(
    request: pytest.FixtureRequest, kills: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    config = request.config
    if config.getoption("keyword") or any("::" in argument for argument in config.args):
        pytest.skip("only some of the kills were asked for")
    with capsys.disabled():
        print(f"\n{kills.total()} real kills: {dict(kills)}")
    assert kills.total() >= 1000


def _kill_everywhere(scene: Scene, work: Callable[..., Run], stride: int = STRIDE) -> int:
    """Do `work` again and again, each time killed at another call; returns how often it was."""
    calls, killed = _undisturbed(scene, work), 0
    for number in _moments(calls, stride):
        scene.make()
        killed += work(kill_at(number)).killed
        scene.recover_and_check((calls[number - 1], number))
    return killed


def _undisturbed(scene: Scene, work: Callable[[], Run]) -> list[str]:
    """The calls of a run that nobody kills, which has to do all it should."""
    scene.make()
    run = work()
    assert run.said == ""
    scene.recover_and_check("not killed")
    return run.calls


def _moments(calls: list[str], stride: int = STRIDE) -> list[int]:
    """The numbers of the calls to kill at: all of them, but of SQLite's only every few."""
    seen: Counter[str] = Counter()
    chosen = []
    for number, call in enumerate(calls, 1):
        seen[call] += 1
        if call not in PAGES or seen[call] % stride == 1:
            chosen.append(number)
    return chosen
