"""A folder with photos, an album that holds some already, and what must be so after any crash."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.crash.supervisor import Judge, Run, supervise
from tests.crash.workload import books, file_all, put_right, recover, work
from tests.helpers import make_tree, read_tree
from tests.sidecars import XMP
from trayapp.photo import Action, Entry

PHOTOS = {"a.jpg": "first photo" * 9, "b.jpg": "second photo" * 9}
SIDECARS = {
    "a.jpg.xmp": XMP,
    "b.aae": "edits",
    "a.late": "came late",
}
ALBUM = {"grizzly": {"a.jpg": "another photo of that name"}}


@dataclass(frozen=True, slots=True)
class Scene:
    """Photos in `disk`/inbox, filed into `other`/album by `action`; the journal is in `home`."""

    home: Path
    disk: Path
    other: Path
    action: Action

    @property
    def inbox(self) -> Path:
        return self.disk / "inbox"

    @property
    def album(self) -> Path:
        return self.other / "album"

    def make(self) -> None:
        """As it is before anything happens, whatever was here; the journal exists."""
        for folder in (self.home, self.inbox, self.album):
            shutil.rmtree(folder, ignore_errors=True)
        make_tree(self.inbox, {**PHOTOS, **SIDECARS})
        make_tree(self.album, ALBUM)
        template = self.disk / "template"
        if not template.exists():
            recover(template)
        shutil.copytree(template, self.home)

    def work(self, judge: Judge = lambda _: 0) -> Run:
        return supervise(partial(work, self.home, self.inbox, self.action, self.album), judge)

    def file(self) -> None:
        """Everything, and nobody interrupts."""
        file_all(self.home, self.inbox, self.action, self.album)

    def put_right(self, judge: Judge = lambda _: 0) -> Run:
        """What `file` has filed."""
        return supervise(partial(put_right, self.home, self.inbox, self.action, self.album), judge)

    def recover(self, judge: Judge = lambda _: 0) -> Run:
        return supervise(partial(recover, self.home), judge)

    def recover_and_check(self, when: object, folders_stay: bool = False) -> None:
        """Nothing is lost, doubled, overwritten or wrong in the journal; undo brings all back.

        With `folders_stay` an empty folder may be left that could not be removed.
        """
        with books(self.home) as (journal, filing):
            filing.recover()
            assert journal.unfinished() == [], when
            entries = journal.history()
            self._check_files(entries, when)
            for entry in entries:
                if journal.put_right_by(entry) is None:
                    self._check_entry(entry, when)
            for entry in entries:
                if entry.state == "done":
                    filing.undo(entry)
        self._check_as_before(when, folders_stay)

    def _check_files(self, entries: list[Entry], when: object) -> None:
        names = [path.name for place in (self.inbox, self.album) for path in place.rglob("*")]
        assert [name for name in names if name.startswith(".")] == [], when
        assert (self.album / "grizzly" / "a.jpg").read_text() == ALBUM["grizzly"]["a.jpg"], when
        found = _contents(self.inbox) + _contents(self.album)
        copied = {entry.path.name for entry in entries if entry.state == "done"}
        for name, content in PHOTOS.items():
            copies = 2 if self.action == "copy" and name in copied else 1
            assert found[content] == copies, (when, name, found)
        for name, content in SIDECARS.items():
            if self.action == "copy":
                assert found[content] in (1, 2), (when, name, found)
            elif self.action == "move" or name != "a.jpg.xmp":
                assert found[content] == 1, (when, name, found)

    def _check_entry(self, entry: Entry, when: object) -> None:
        """The journal says what the disk says."""
        here, there = entry.path.exists(), entry.destination.exists()
        if entry.state == "done":
            assert there, (when, entry)
            assert here == (entry.action != "move"), (when, entry)
        else:
            assert here, (when, entry)
        if entry.state == "done" and entry.action == "tag":
            assert str(entry.label) in entry.destination.read_text(), (when, entry)
        elif entry.state == "done":
            content = PHOTOS[entry.path.name.replace(" (2)", "")]
            assert entry.destination.read_text() == content, (when, entry)
        elif entry.action != "tag":
            assert not there, (when, entry)

    def _check_as_before(self, when: object, folders_stay: bool) -> None:
        """After everything was taken back."""
        late = self.inbox / "a.late"
        if late.exists():
            late.rename(late.with_suffix(".xmp"))
        expected = {**PHOTOS, **SIDECARS}
        expected["a.xmp"] = expected.pop("a.late")
        assert read_tree(self.inbox) == expected, when
        album = read_tree(self.album)
        if folders_stay:
            album = {name: inside for name, inside in album.items() if inside}
        assert album == ALBUM, when
        for name in PHOTOS:
            assert "user.xdg.tags" not in _attributes(self.inbox / name), (when, name)


def _contents(folder: Path) -> Counter[str]:
    return Counter(path.read_text() for path in folder.rglob("*") if path.is_file())


def _attributes(path: Path) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError:  # FAT keeps none
        return []
