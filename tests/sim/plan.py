"""What a seed stands for: a simulation's disks and settings, and all that shall happen in it."""

from __future__ import annotations

import errno
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from tests.sim.disks import Disk

Action = Literal["move", "copy", "tag"]

LENGTH = 10.0  # simulated seconds in which things happen
CALLS = 420  # system calls in which they do

PERSON = (
    *("arrive", "add_sidecar", "rename", "delete", "edit", "take_the_name", "take_back"),
    "clear_folder",
)
MISHAPS = (
    *("crash", "power", "quit", "error", "full", "read_only", "yank", "clock", "events", "engine"),
    *("switch", "undo", "undo_all", "cli_undo", "cli_sort", "pause", "pause_for", "resume"),
    *("settings", "sort_existing", "folder"),
)
PAGE = ("put_right", "undo_on_page")
AT_ONCE = ("undo", "undo_all", "cli_undo", "cli_undo", "cli_sort", "put_right", "undo_on_page")
ERRORS = (
    *(errno.ENOSPC, errno.EACCES, errno.EIO, errno.EIO, errno.EROFS, errno.EPERM),
    errno.EMFILE,
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the person sets; as TOML in `text`."""

    folder: str
    action: Action = "move"
    destination: str = ""
    unsure: str = "leave"
    subfolder: str = "{label}"
    recursive: bool = False
    paused: bool = False

    @property
    def text(self) -> str:
        return (
            f'[folder]\npath = "{self.folder}"\nrescan_minutes = 0.3\nsettle_seconds = 0.3\n'
            f"recursive = {str(self.recursive).lower()}\n[sort]\n"
            f'action = "{self.action}"\ndestination = "{self.destination}"\n'
            f'unsure = "{self.unsure}"\nsubfolder = "{self.subfolder}"\n'
            f"[startup]\npaused = {str(self.paused).lower()}\n"
        )


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that happens, at a moment (in seconds) or at a system call, as `seed` decides."""

    kind: str
    seed: int
    moment: float | None = None
    call: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    settings: Settings
    inbox_disk: Disk
    out_disk: Disk
    old_photos: int
    acts: tuple[Act, ...]
    made_folders: tuple[str, ...] = ()  # destinations inside the folder that are there
    restless: float = 0.0  # how probably another thread or process has its turn at each call

    def without(self, act: Act) -> Plan:
        return replace(self, acts=tuple(other for other in self.acts if other is not act))


def make(seed: int) -> Plan:
    rng = Random(seed)
    kinds = [kind for kind in PERSON if rng.random() < 0.5]
    kinds += [kind for kind in MISHAPS if rng.random() < 0.3]
    acts = [
        Act("arrive", rng.getrandbits(32), rng.uniform(0.1, 5)) for _ in range(rng.randint(1, 5))
    ]
    for _ in range(rng.choice((0, 2, 4, 8, 12)) if kinds else 0):
        kind, number = rng.choice(kinds), rng.getrandbits(32)
        if rng.random() < 0.6:
            acts.append(Act(kind, number, call=rng.randint(5, CALLS)))
        else:
            acts.append(Act(kind, number, rng.uniform(0.1, LENGTH)))
    acts += _on_the_page(Random(f"page {seed}"))
    turns = Random(f"turns {seed}")
    restless = turns.choice((0.0, 0.0, 0.0, 0.05, 0.3))
    acts += _side_by_side(turns) if restless else []
    return Plan(
        *(seed, settings(rng), _disk(rng, "inbox", 2), _disk(rng, "out", 3)),
        *(rng.choice((0, 0, 1, 2)), tuple(acts)),
        _made_folders(Random(f"folders {seed}")),
        restless,
    )


def _on_the_page(rng: Random) -> list[Act]:
    """What is done on the review page, in every third plan, mostly when there is something."""
    if rng.random() > 0.35:
        return []
    kinds = rng.choices(PAGE, (3, 1), k=rng.randint(1, 4))
    return [Act(kind, rng.getrandbits(32), rng.uniform(1.5, LENGTH)) for kind in kinds]


def _made_folders(rng: Random) -> tuple[str, ...]:
    """Beartray makes no destination, which might be on a disk that is not connected."""
    folders = ("/sim/inbox/sorted", "/sim/inbox/sub", "/sim/second/sorted")
    return tuple(folder for folder in folders if rng.random() < 0.8)


def _side_by_side(rng: Random) -> list[Act]:
    """What two threads or processes do at the same moment."""
    moment = rng.uniform(1.5, LENGTH)
    return [Act(kind, rng.getrandbits(32), moment) for kind in rng.choices(AT_ONCE, k=2)]


def settings(rng: Random, folder: str = "/sim/inbox") -> Settings:
    actions: list[Action] = ["move", "move", "move", "copy", "tag"]
    return Settings(
        folder,
        rng.choice(actions),
        rng.choice(("", "", "sorted", "/sim/out/photos", "/sim/out/photos", "/sim/inbox/sub")),
        rng.choice(("leave", "folder")),
        rng.choice(("{label}", "{label}", "{label}/{year}")),
        rng.random() < 0.2,
    )


def _disk(rng: Random, name: str, device: int) -> Disk:
    kind = rng.choice(("ext4", "ext4", "ext4", "fat", "share", "old"))
    if kind == "ext4":
        return Disk(name, device, numbers_again=rng.random() < 0.5)
    if kind == "fat":  # Linux makes up a number for each file, one higher than the last
        return Disk(
            *(name, device),
            numbers_again=False,
            exclusive_rename=rng.random() < 0.5,
            hard_links=False,
            attributes=False,
            permissions=False,
            grain_ns=2_000_000_000,
        )
    if kind == "share":
        return Disk(name, device, exclusive_rename=False, hard_links=False, leases=False)
    return Disk(name, device, exclusive_rename=False)
