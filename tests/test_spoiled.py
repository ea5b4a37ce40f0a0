"""After any story, what somebody then does behind Beartray's back: verify names it, and no more."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis.stateful import precondition, rule

from tests.books import open_books
from tests.test_exact_undo import FINE, Undoing, photos, tell_stories
from trayapp.audit import audit
from trayapp.photo import Entry, Photo

TAGS = "user.xdg.tags"
Said = set[tuple[str, Path, Path | None]]  # what became of it, the file, and where it is now


class Spoiling(Undoing):
    """A person drops photos and Beartray files them; now and then one thing is spoilt, verify is
    asked, and it is put right again.
    """

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere = {  # on the same disk, where verify does not look
            root: Path(tempfile.mkdtemp(prefix="beartray-undo-", dir=root.parent))
            for root in (self.scratch, self.far)
        }

    def teardown(self) -> None:
        super().teardown()
        for folder in self.elsewhere.values():
            shutil.rmtree(folder)

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def delete_a_photo(self, number: int) -> None:
        photo, _ = self.choose(number)
        with self.away(photo):
            assert self.said() == {("missing", photo, None)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def move_a_photo(self, number: int) -> None:
        photo, _ = self.choose(number)
        new = photo.with_name(f"my favourite{photo.suffix}")
        with renamed(photo, new):
            assert self.said() == {("moved", photo, new)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def edit_a_photo(self, number: int) -> None:
        photo, _ = self.choose(number)
        with edited(photo):
            assert self.said() == {("edited", photo, None)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def replace_a_photo(self, number: int) -> None:
        """As programs do that write a new file in the place of the old one."""
        photo, _ = self.choose(number)
        with self.away(photo), new_file(photo):
            assert self.said() == {("edited", photo, None)}

    @precondition(lambda self: len(self.known()) > 1)
    @rule(number=photos)
    def put_a_photo_over_another(self, number: int) -> None:
        photo, _ = self.choose(number)
        others = [path for path in self.known() if path != photo]
        other = self.pick(sorted(others), number)
        one, two = Photo.at(photo), Photo.at(other)
        if photo.stat().st_dev == other.stat().st_dev and not one.looks_like(two):
            with self.away(photo), renamed(other, photo):
                assert self.said() == {("missing", photo, None), ("moved", other, photo)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def bring_back_a_photo(self, number: int) -> None:
        """From a backup, to where it was taken away."""
        photo, entry = self.choose(number)
        other = entry.destination if photo == entry.path else entry.path
        left_there = entry.action == "tag" or (entry.action, entry.state) == ("copy", "done")
        if not left_there and not os.path.lexists(other):
            with new_file(other):
                shutil.copy2(photo, other)
                # By all that brought it to one of the two; its sidecars are beside the other one.
                told = self.said() - {("moved", old, new) for new, old in self.sidecars(entry)}
                assert ("twice", photo, other) in told
                assert told <= {("twice", photo, other), ("twice", other, photo)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def delete_a_sidecar(self, number: int) -> None:
        _, entry = self.choose(number)
        for sidecar, _ in self.sidecars(entry):
            with self.away(sidecar):
                assert self.said() == {("missing", sidecar, None)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def leave_a_sidecar_behind(self, number: int) -> None:
        _, entry = self.choose(number)
        for sidecar, old in self.sidecars(entry):
            if entry.action == "move" and not os.path.lexists(old):
                with new_file(old), self.away(sidecar):
                    assert self.said() == {("left behind", sidecar, old)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def edit_a_sidecar(self, number: int) -> None:
        """Anybody may, but where Beartray wrote into it, it cannot take that back any more."""
        _, entry = self.choose(number)
        for sidecar, _ in self.sidecars(entry):
            with edited(sidecar):
                told = {("edited", sidecar, None)} if entry.action == "tag" else set()
                assert self.said() == told

    @precondition(lambda self: sys.platform == "linux" and self.known())
    @rule(number=photos)
    def change_system_tags(self, number: int) -> None:
        photo, entry = self.choose(number)
        with open_books(self.scratch) as books:
            kinds = [step.kind for step in books.journal.steps(entry, "do")]
        if "tag" in kinds:
            with tagged(photo):
                assert self.said() == {("edited", photo, None)}

    @precondition(lambda self: self.known())
    @rule(number=photos)
    def unplug(self, number: int) -> None:
        """The disk that the photo's folder is on."""
        photo, _ = self.choose(number)
        there = {path for path in self.known() if path.is_relative_to(photo.parent)}
        with self.away(photo.parent):
            assert self.said() == {("away", path, None) for path in there}

    # How it is done

    def known(self) -> dict[Path, Entry]:
        """The photos that verify has to know of, each with the newest entry about it."""
        with open_books(self.scratch) as books:
            entries = reversed(books.journal.history())
            found = {one.place: one for one in entries if one.state in ("done", "undone")}
        return {place: entry for place, entry in found.items() if place.exists()}

    def choose(self, number: int) -> tuple[Path, Entry]:
        assert self.said() == set(), "nothing is spoilt yet"
        return self.pick(sorted(self.known().items()), number)  # type: ignore[no-any-return]

    def sidecars(self, entry: Entry) -> list[tuple[Path, Path]]:
        """Those that the entry changed, or that went along; and where each lay before."""
        with open_books(self.scratch) as books:
            steps = books.journal.steps(entry, "undo" if entry.state == "undone" else "do")
        if entry.action == "tag":
            return [(entry.destination, entry.destination)] if entry.destination.exists() else []
        if (entry.action, entry.state) == ("copy", "undone"):
            return []
        return [(step.target, step.source) for step in steps[1:] if step.target.exists()]

    def said(self) -> Said:
        told = audit(self.scratch / "books" / "journal.sqlite", lambda _: False)
        return {(one.kind, one.path, one.found) for one in told if one.kind not in FINE}

    @contextmanager
    def away(self, path: Path) -> Iterator[None]:
        (folder,) = (aside for root, aside in self.elsewhere.items() if path.is_relative_to(root))
        with renamed(path, folder / "gone"):
            yield


@contextmanager
def renamed(path: Path, new: Path) -> Iterator[None]:
    with folder_of(new):
        path.rename(new)
        try:
            yield
        finally:
            new.rename(path)


@contextmanager
def edited(path: Path) -> Iterator[None]:
    content, status = path.read_bytes(), path.stat()
    path.chmod(0o600)
    path.write_bytes(content + b"edited")
    try:
        yield
    finally:
        path.write_bytes(content)
        path.chmod(status.st_mode)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@contextmanager
def new_file(path: Path) -> Iterator[None]:
    with folder_of(path):
        path.write_bytes(b"another one altogether")
        try:
            yield
        finally:
            path.unlink()


@contextmanager
def folder_of(path: Path) -> Iterator[None]:
    """With all that is missing above it, for a while."""
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    finally:
        for folder in missing:
            folder.rmdir()


@contextmanager
def tagged(photo: Path) -> Iterator[None]:
    assert sys.platform == "linux"
    had = os.getxattr(photo, TAGS) if TAGS in os.listxattr(photo) else None
    os.setxattr(photo, TAGS, b"hers")
    try:
        yield
    finally:
        if had is None:
            os.removexattr(photo, TAGS)
        else:
            os.setxattr(photo, TAGS, had)


@pytest.mark.crash
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_verify_names_what_was_spoilt_and_nothing_else() -> None:
    tell_stories(Spoiling)
