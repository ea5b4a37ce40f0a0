"""Whatever was filed, interrupted and recovered: undo of all of it brings back the tree exactly."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.books import Books, open_books, plan
from tests.helpers import make_tree
from tests.sidecars import XMP
from trayapp import database, disk, filing, history, journal, place, rewrite, steps
from trayapp.audit import audit
from trayapp.carry import Carrier
from trayapp.correct import Correct, Rules
from trayapp.decide import decide
from trayapp.photo import BeartrayError, Entry, Photo, Verdict
from trayapp.settings import Sort

MEMORY = Path("/dev/shm")
_PARTS = (database, disk, filing, history, journal, place, rewrite, steps)
CRASH_IN = {module.__file__ for module in _PARTS}
ASKED = os.environ.get("BEARTRAY_UNDO_EXAMPLES")  # so many new stories; else always the same 100
EXAMPLES = int(ASKED or 100)
FOLDERS = ["", "trip", "trip/day 2"]
NAMES = ["a.jpg", "b.jpg", "a.png", "ü 🐻.jpg", os.fsdecode(b"\xff\xfe.jpg")]
FINE = {"ok", "filed again"}
BESIDE = ["{name}.xmp", "{stem}.xmp", "{stem}.AAE", "{stem}.cr2"]
LABELS = ["grizzly", "black"]


@dataclass(frozen=True)
class File:
    """All of a file that undo has to bring back."""

    content: bytes
    mtime_ns: int
    mode: int
    attributes: tuple[tuple[str, bytes], ...]


Tree = dict[Path, File | None]  # None: a folder


def look(*roots: Path) -> Tree:
    found: Tree = {}
    for root in roots:
        for path in root.rglob("*"):
            found[path] = None if path.is_dir() else _file(path)
    return found


def _file(path: Path) -> File:
    status = path.lstat()
    names = sorted(os.listxattr(path)) if sys.platform == "linux" else []
    attributes = tuple((name, os.getxattr(path, name)) for name in names)
    return File(path.read_bytes(), status.st_mtime_ns, stat.S_IMODE(status.st_mode), attributes)


def die_after(lines: int, work: Callable[[], object]) -> None:
    """Do `work` in a process that ends, without a last word, after so many lines of the program."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    left = lines

    def local(_frame: FrameType, _event: str, _argument: object) -> Any:
        nonlocal left
        left -= 1
        if left <= 0:
            os._exit(9)
        return local

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        return local if frame.f_code.co_filename in CRASH_IN else None

    try:
        sys.settrace(trace)
        work()
    finally:
        os._exit(0)


sorts = st.builds(
    Sort,
    action=st.sampled_from(["move", "copy", "tag"]),
    subfolder=st.sampled_from(["{label}", "{label}/2026", "."]),
    destination=st.sampled_from(["", "there", "far away"]),
)
photos = st.integers(0, 999)
said = st.sampled_from([*LABELS, "teddy", None])


class Undoing(RuleBasedStateMachine):
    """A person drops photos, Beartray files them, dies and recovers; then all is taken back."""

    def __init__(self) -> None:
        super().__init__()
        near = MEMORY if MEMORY.is_dir() else None  # where waiting for the disk takes no time
        self.scratch = Path(tempfile.mkdtemp(prefix="beartray-undo-", dir=near))
        self.far = Path(tempfile.mkdtemp(prefix="beartray-undo-"))
        self.inbox, self.there = self.scratch / "inbox", self.scratch / "there"
        (self.inbox / "grizzly").mkdir(parents=True)  # was there before Beartray
        self.there.mkdir()
        for folder in FOLDERS:
            (self.inbox / folder).mkdir(exist_ok=True)
        self.before = look(self.inbox, self.there, self.far)
        self.count = 0

    def teardown(self) -> None:
        shutil.rmtree(self.scratch)
        shutil.rmtree(self.far)

    # What a person does

    @rule(
        folder=st.sampled_from(FOLDERS),
        name=st.sampled_from(NAMES),
        with_=st.sets(st.sampled_from(BESIDE), max_size=2),
        mode=st.sampled_from([0o644, 0o600, 0o444]),
        attribute=st.booleans(),
    )
    def drop(self, folder: str, name: str, with_: set[str], mode: int, attribute: bool) -> None:
        """A photo with its sidecars; a name that was used before is left to its owner."""
        photo = self.inbox / folder / name
        if photo in self.before or os.path.lexists(photo):
            return
        beside = [ending.replace("{name}", photo.name) for ending in sorted(with_)]
        beside = [ending.replace("{stem}", photo.stem) for ending in beside]
        for path in (photo, *(photo.with_name(ending) for ending in beside)):
            if path not in self.before and not os.path.lexists(path):
                self.write(path, mode, attribute)

    @precondition(lambda self: self.done())
    @rule(number=photos, ending=st.sampled_from([".xmp", ".aae"]))
    def drop_late_sidecar(self, number: int, ending: str) -> None:
        """One that the camera or the phone brings when its photo was filed already, or put right.

        Not to a place where the photo lay only on its way: whose it was nobody could tell.
        """
        entry = self.pick(self.done(), number)
        sidecar = entry.path.with_name(entry.path.stem + ending)
        if entry.action != "move" or sidecar in self.before or os.path.lexists(sidecar):
            return
        if entry.path.exists() or not sidecar.parent.is_relative_to(self.inbox):
            return
        if any(entry.path == other.destination for other in self.done()):
            return
        if sidecar.parent.is_dir() and not self.is_taken_at_the_other_end(entry, ending):
            self.write(sidecar, 0o644, False)
            self.with_books(lambda books: self.follow(books, sidecar))

    def is_taken_at_the_other_end(self, entry: Entry, ending: str) -> bool:
        places = [later.place for later in self.done() if later.id >= entry.id]
        return any(
            path.stem == place.stem and path.suffix.lower() == ending
            for place in places
            for path in place.parent.iterdir()
        )

    # What Beartray does

    @rule(number=photos, sort=sorts, label=st.sampled_from(LABELS))
    def file(self, number: int, sort: Sort, label: str) -> None:
        self.with_books(lambda books: self.file_one(books, number, sort, label))

    @rule(
        number=photos,
        sort=sorts,
        label=st.sampled_from(LABELS),
        lines=st.integers(1, 400),
    )
    def die_while_filing(self, number: int, sort: Sort, label: str, lines: int) -> None:
        die_after(
            lines,
            lambda: self.with_books(lambda books: self.file_one(books, number, sort, label)),
        )
        self.recover()

    @precondition(lambda self: self.done())
    @rule(number=photos, lines=st.integers(1, 300))
    def die_while_undoing(self, number: int, lines: int) -> None:
        entry = self.pick(self.ends(), number)
        die_after(lines, lambda: self.with_books(lambda books: books.filing.undo(entry)))
        self.recover()

    @precondition(lambda self: self.done())
    @rule(number=photos)
    def undo_one(self, number: int) -> None:
        entry = self.pick(self.ends(), number)
        self.with_books(lambda books: books.filing.undo(entry))

    @precondition(lambda self: self.done())
    @rule(number=photos, sort=sorts, label=said)
    def put_right(self, number: int, sort: Sort, label: str | None) -> None:
        entry = self.pick(self.ends(), number)
        self.with_books(lambda books: self.correct(books, entry, sort, label))

    @precondition(lambda self: self.done())
    @rule(number=photos, sort=sorts, label=said, lines=st.integers(1, 400))
    def die_while_putting_right(
        self, number: int, sort: Sort, label: str | None, lines: int
    ) -> None:
        entry = self.pick(self.ends(), number)
        die_after(
            lines, lambda: self.with_books(lambda books: self.correct(books, entry, sort, label))
        )
        self.recover()

    # What has to be true

    @precondition(lambda self: self.done())
    @rule(seed=st.integers(0, 9), newest_first=st.booleans())
    def undo_all(self, seed: int, newest_first: bool) -> None:
        """Everything since the beginning, or photo by photo in any order."""
        while entries := self.done() if newest_first else self.ends():
            entry = entries[0] if newest_first else entries[seed % len(entries)]
            self.with_books(lambda books, entry=entry: books.filing.undo(entry))  # type: ignore[misc]
        self.check()

    def check(self) -> None:
        now = look(self.inbox, self.there, self.far)
        assert now == self.before
        journal_file = self.scratch / "books" / "journal.sqlite"
        if journal_file.exists():
            told = list(audit(journal_file, lambda _: False))
            assert [one for one in told if one.kind not in FINE] == []

    # How it is done

    def write(self, path: Path, mode: int, attribute: bool) -> None:
        self.count += 1
        content = XMP if path.suffix == ".xmp" else f"{path.suffix} {self.count}"
        path.write_text(content)
        if attribute and sys.platform == "linux":
            os.setxattr(path, "user.note", b"%d" % self.count)
        path.chmod(mode)
        os.utime(path, ns=(0, 1_600_000_000_123_456_789 + self.count))
        self.before[path] = _file(path)

    def with_books(self, work: Callable[[Books], Entry | None]) -> None:
        with open_books(self.scratch) as books:
            work(books)

    def recover(self) -> None:
        with open_books(self.scratch, owner="the next one") as books:
            books.filing.recover()
            assert books.journal.unfinished() == []
        told = list(audit(self.scratch / "books" / "journal.sqlite", lambda _: False))
        assert [finding for finding in told if finding.kind not in FINE] == []

    def file_one(self, books: Books, number: int, sort: Sort, label: str) -> None:
        found = sorted(path for path in self.everything() if path.suffix in (".jpg", ".png"))
        if not found:
            return
        photo = self.pick(found, number)
        decided = decide(Photo.at(photo), Verdict(label, 0.98), self.real(sort), self.inbox)
        if decided is None:  # it lies where it belongs
            return
        try:
            books.filing.file(decided, None)
        except BeartrayError as error:
            assert str(error)

    def real(self, sort: Sort) -> Sort:
        base = {"": str(self.inbox), "there": str(self.there), "far away": str(self.far)}
        return Sort(sort.action, base[sort.destination], sort.subfolder)

    def correct(self, books: Books, entry: Entry, sort: Sort, label: str | None) -> None:
        correct = Correct(
            *(books.journal._database, books.journal, books.filing),
            rules=lambda: Rules(self.real(sort), self.inbox, (*LABELS, "teddy")),
            taken=lambda _: None,
        )
        try:
            correct(entry.id, label)
        except BeartrayError as error:
            assert str(error)

    def follow(self, books: Books, sidecar: Path) -> None:
        entry = books.filing.follow(sidecar)
        assert entry is None or entry.place.exists(), "it followed to where the photo lies now"

    def everything(self) -> list[Path]:
        return [path for path, file in look(self.inbox, self.there, self.far).items() if file]

    def done(self) -> list[Entry]:
        with open_books(self.scratch) as books:
            return books.journal.filed()

    def ends(self) -> list[Entry]:
        """The newest entry of each photo: a photo that was filed twice is taken back twice."""
        origin: dict[Path, Path] = {}
        newest: dict[Path, Entry] = {}
        for entry in reversed(self.done()):
            first = origin.get(entry.path, entry.path)
            origin[entry.destination] = first
            newest[first] = entry
        return list(newest.values())

    def pick(self, values: list[Any], number: int) -> Any:
        return values[number % len(values)]


def test_a_sidecar_comes_back_although_another_photo_of_its_stem_lies_there_now(
    tmp_path: Path,
) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "1", "a.xmp": "its own"})
    before = look(inbox)
    with open_books(tmp_path) as books:
        first = books.filing.file(plan(inbox / "a.jpg"), None)
        (inbox / "a.png").write_text("of the same stem")
        other = look(inbox)[inbox / "a.png"]
        second = books.filing.file(plan(inbox / "a.png"), None)
        books.filing.undo(first)
        assert (inbox / "a.xmp").read_text() == "its own"
        books.filing.undo(second)
    assert look(inbox) == {**before, inbox / "a.png": other}


def test_a_sidecar_that_only_its_owner_may_read_stays_so(tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "1", "a.jpg.xmp": XMP})
    sidecar = inbox / "a.jpg.xmp"
    sidecar.chmod(0o600)
    os.utime(sidecar, ns=(0, 1_600_000_000_123_456_789))
    before = look(inbox)
    with open_books(tmp_path) as books:
        entry = books.filing.file(plan(inbox / "a.jpg", Sort(action="tag")), None)
        assert "grizzly" in sidecar.read_text()
        assert stat.S_IMODE(sidecar.stat().st_mode) == 0o600
        assert sidecar.stat().st_mtime_ns > 1_600_000_001_000_000_000, "it is newer now"
        books.filing.undo(entry)
    assert look(inbox) == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_the_folder_that_was_made_goes_although_it_is_killed_just_before(tmp_path: Path) -> None:
    inbox = make_tree(tmp_path / "inbox", {"a.jpg": "1"})
    before = look(inbox)
    with open_books(tmp_path) as books:
        entry = books.filing.file(plan(inbox / "a.jpg"), None)
    child = os.fork()
    if not child:
        Carrier.remove_made_folders = lambda *_: os._exit(9)  # type: ignore[method-assign]
        with open_books(tmp_path) as books:
            books.filing.undo(entry)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with open_books(tmp_path, owner="the next one") as books:
        books.filing.recover()
        assert books.journal.entry(entry.id).state == "undone"
    assert look(inbox) == before


def tell_stories(machine: type[RuleBasedStateMachine]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            derandomize=ASKED is None,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            stateful_step_count=15,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.crash
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_undo_of_all_brings_back_the_tree_exactly() -> None:
    tell_stories(Undoing)
