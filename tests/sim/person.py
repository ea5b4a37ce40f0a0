"""The person of a simulation, and what befalls the machine; keeps a ledger of every content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from random import Random

from tests.sim.disks import Disk, Inode
from tests.sim.parts import END, LABELS
from tests.sim.world import World

NAMES = ("a.jpg", "b.jpg", "IMG_1.JPG", "c.png", "a.jpeg")
KINDS = (*LABELS, *LABELS, "desk", "broken")
SIDECARS = ("{name}.xmp", "{stem}.xmp", "{stem}.aae", "{name}.XMP")


class Person:
    """Does things to files, at any moment, and knows of each content how often it has to exist."""

    def __init__(self, world: World, inbox: str, bases: list[str]) -> None:
        self.world, self.inbox, self.bases = world, inbox, bases
        self.made: Counter[bytes] = Counter()
        self.removed: Counter[bytes] = Counter()
        self.on_their_way: Callable[[], Collection[bytes]] = tuple
        self.moves: Counter[bytes] = Counter()  # how often each was moved or renamed
        self.touched: set[bytes] = set()  # contents moved, renamed, removed or changed by hand
        self.brought_back: set[bytes] = set()  # contents that a disk has under a name more again
        self.parted: set[bytes] = set()  # of these, or midway, those of which one was renamed
        self.by_hand: set[bytes] = set()  # as `touched`, but not what was only written slowly
        self.first: dict[bytes, str] = {}
        self.writing: dict[str, tuple[Inode, bytes]] = {}
        self._number = 0

    def content(self, rng: Random, kind: str | None = None) -> bytes:
        """A photo; what it shows comes first."""
        self._number += 1
        kind = kind or rng.choice(KINDS)
        end = b"|CUT" if kind == "broken" else END
        return f"{kind}|#{self._number:04}#|".encode() + b"x" * rng.choice((20, 20, 31)) + end

    def _cut_off(self) -> bytes:
        """What is there of a photo of which nothing could be written; no two are the same."""
        self._number += 1
        return f"cut|#{self._number:04}#".encode()

    def sidecar(self, rng: Random) -> bytes:
        self._number += 1
        return (
            f"<x:xmpmeta xmlns:x='adobe:ns:meta/'><!--#{self._number:04}#--><rdf:RDF"
            " xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></x:xmpmeta>"
        ).encode()

    def arrive(self, rng: Random) -> None:
        """A photo comes into the folder, with its sidecars or without, at once or slowly."""
        path = f"{self.inbox}/{rng.choice(NAMES)}"
        content = self.content(rng)
        way = rng.choice(("whole", "whole", "slow", "part", "moved in"))
        if rng.random() < 0.3:
            self._put_sidecar(rng, path)
        if way == "slow":
            self._write_slowly(rng, path, content)
        elif way == "whole":
            self.put(path, content)
        else:
            self._move_in(path, content)
        if rng.random() < 0.15:
            self.world.at(self.world.now + rng.uniform(0, 4), lambda: self._put_sidecar(rng, path))

    def put(self, path: str, content: bytes) -> bool:
        """A new file, whole; not where one is."""
        disks = self.world.disks
        if disks.seen(path) is not None:
            return False
        try:
            inode = disks.create(path)
        except OSError:
            return False
        try:
            disks.write(inode, content, path)
        except OSError:
            disks.unlink(path)
            return False
        disks.tell("closed", path)
        self._own(path, content, inode)
        self.world.tell("person", f"puts {path}: {_short(content)}")
        return True

    def add_sidecar(self, rng: Random) -> None:
        photos = [path for path, _ in self._photos()]
        names = [f"{self.inbox}/{name}" for name in NAMES]
        self._put_sidecar(rng, rng.choice(photos + names))

    def rename(self, rng: Random) -> None:
        found = self._any(rng)
        if found is None:
            return
        path, content = found
        folder = path.rpartition("/")[0]
        if rng.random() < 0.3:
            folder = rng.choice([self.inbox, *self._label_folders()])
        self._move(path, f"{folder}/{rng.choice(NAMES)}", content)

    def delete(self, rng: Random) -> None:
        if (found := self._any(rng)) is None:
            return
        path, content = found
        try:
            self.world.disks.unlink(path)
        except OSError:
            return
        self._count_removed(content)
        self._touch(content)
        self._synced(path)
        self.world.tell("person", f"deletes {path}: {_short(content)}")

    def edit(self, rng: Random) -> None:
        """In place, or as most programs do: a new file in the place of the old one."""
        if (found := self._any(rng)) is None:
            return
        path, old = found
        new = self.sidecar(rng) if old.startswith(b"<") else self.content(rng)
        disks = self.world.disks
        inode = disks.find(path)
        if inode.disk.grain_ns > 1 and len(new) == len(old):  # no stat could tell the two apart
            return
        try:
            if rng.random() < 0.5 and inode.links == 1:
                disks.write(inode, new, path)
                disks.tell("closed", path)
            else:
                temporary = f"{path.rpartition('/')[0]}/.person~"
                disks.write(disks.create(temporary), new, temporary)
                disks.rename(temporary, path, over=True)
        except OSError:
            if disks.seen(f"{path.rpartition('/')[0]}/.person~"):
                disks.unlink(f"{path.rpartition('/')[0]}/.person~")
            return
        self._count_removed(old)
        self._touch(old, new)
        self._own(path, new, disks.find(path))
        self.world.tell("person", f"edits {path}: {_short(old)} → {_short(new)}")

    def take_the_name(self, rng: Random) -> None:
        """Puts a file where a photo may be about to go, or a file in the place of a folder."""
        base = rng.choice(self.bases)
        label = rng.choice((*LABELS, "unsure"))
        if rng.random() < 0.1:
            if self.world.disks.seen(base) is not None:
                self.put(f"{base}/{label}", self.content(rng, "desk"))
            return
        try:
            self.world.disks.make_folders(f"{base}/{label}")
        except OSError:
            return
        self.put(f"{base}/{label}/{rng.choice(NAMES)}", self.content(rng))

    def take_back(self, rng: Random) -> None:
        """Moves a filed photo into the inbox again."""
        filed = [(path, data) for path, data in self._photos() if not self._in_inbox(path)]
        if filed:
            path, content = rng.choice(filed)
            self._move(path, f"{self.inbox}/{path.rpartition('/')[2]}", content)

    def clear_folder(self, rng: Random) -> None:
        """Deletes an empty folder."""
        folders = self._label_folders()
        if folders:
            folder = rng.choice(folders)
            try:
                self.world.disks.remove_folder(folder)
            except OSError:
                return
            self._synced(folder)
            self.world.tell("person", f"removes the folder {folder}")

    def stop_writing(self, disk: Disk | None = None) -> None:
        """The programs that write slowly end in the middle of it."""
        for path, (inode, content) in list(self.writing.items()):
            if disk is None or inode.disk is disk:
                del self.writing[path]
                inode.writers -= 1
                inode.data = inode.data or self._cut_off()
                self.touched.add(inode.data)
                self._own(path, inode.data, inode)
                self.world.tell("person", f"stops writing {path}: {_short(content)}")

    def is_known(self, data: bytes) -> bool:
        return self.made[data] > 0

    def _write_slowly(self, rng: Random, path: str, content: bytes) -> None:
        disks = self.world.disks
        if disks.seen(path) is not None or path in self.writing:
            return
        try:
            inode = disks.create(path)
        except OSError:
            return
        inode.writers += 1
        inode.synced = None
        self.writing[path] = (inode, content)
        self.touched.add(content)
        self.world.tell("person", f"begins to write {path}: {_short(content)}")
        longest = 2.5 if inode.disk.leases and not inode.disk.grain_ns > 1 else 0.6
        cuts = sorted(rng.sample(range(1, len(content)), 2))
        moment = self.world.now
        for end in (*cuts, len(content)):
            moment += rng.uniform(0, longest)
            self.world.at(moment, self._writer(path, inode, content, end))

    def _writer(self, path: str, inode: Inode, content: bytes, end: int) -> Callable[[], None]:
        def write() -> None:
            if self.writing.get(path, (None,))[0] is not inode:
                return
            try:
                self.world.disks.write(inode, content[:end], path)
            except OSError:
                return  # a program that goes on all the same
            finally:
                inode.synced = None
                inode.data = inode.data or self._cut_off()
                if end == len(content):
                    del self.writing[path]
                    inode.writers -= 1
                    inode.disk.sync_all()
                    self.made[inode.data] += 1
                    self.first.setdefault(inode.data, path)
                    self.touched.add(inode.data)
                    self.world.disks.tell("closed", path)
                    self.world.tell("person", f"has written {path}: {_short(inode.data)}")

        return write

    def _move_in(self, path: str, content: bytes) -> None:
        """Downloads under another name first."""
        temporary = f"{path}.part"
        if self.world.disks.seen(path) or self.world.disks.seen(temporary):
            return
        if self.put(temporary, content):
            self._move(temporary, path, content)
            if self.world.disks.seen(path):
                self.touched.discard(content)
                self.by_hand.discard(content)
                self.first[content] = path

    def _put_sidecar(self, rng: Random, photo: str) -> None:
        folder, _, name = photo.rpartition("/")
        sidecar = rng.choice(SIDECARS).format(name=name, stem=name.rpartition(".")[0] or name)
        self.put(f"{folder}/{sidecar}", self.sidecar(rng))

    def _move(self, path: str, target: str, content: bytes) -> None:
        disks = self.world.disks
        if disks.seen(target) is not None:
            return
        parts = content in self.brought_back or content in self.on_their_way()
        parts = parts and disks.contents()[content] > 1
        try:
            disks.rename(path, target, over=False)
        except OSError:
            return
        self.parted |= {content} if parts else set()
        self.moves[content] += 1
        self._touch(content)
        self._synced(target)
        self._synced(path)
        self.world.tell("person", f"moves {path} → {target}: {_short(content)}")

    def _touch(self, *contents: bytes) -> None:
        self.touched.update(contents)
        self.by_hand.update(contents)

    def _count_removed(self, content: bytes) -> None:
        """A photo that lies elsewhere too still has to, unless it is on its way just now."""
        found = self.world.disks.tree().items()
        elsewhere = any(inode.data == content and "/." not in path for path, inode in found)
        spared = elsewhere and not content.startswith(b"<") and content not in self.on_their_way()
        self.removed[content] += not spared

    def _own(self, path: str, content: bytes, inode: Inode) -> None:
        self.made[content] += 1
        self.first.setdefault(content, path)
        inode.synced = None
        inode.disk.sync_all()

    def _synced(self, path: str) -> None:
        folder = self.world.disks.seen(path.rpartition("/")[0])
        if folder is not None:
            folder.disk.sync_all()

    def _photos(self) -> list[tuple[str, bytes]]:
        return [
            (path, inode.data)
            for path, inode in sorted(self.world.disks.tree().items())
            if self.made[inode.data]
            and not ("/." in path or path in self.writing or path.startswith("/sim/home"))
        ]

    def _any(self, rng: Random) -> tuple[str, bytes] | None:
        found = self._photos()
        return rng.choice(found) if found else None

    def _label_folders(self) -> list[str]:
        names = (*LABELS, "unsure")
        folders = [f"{base}/{name}" for base in self.bases for name in names]
        seen = self.world.disks.seen
        return [folder for folder in folders if (node := seen(folder)) and node.entries is not None]

    def _in_inbox(self, path: str) -> bool:
        return path.rpartition("/")[0] == self.inbox


def _short(content: bytes) -> str:
    if content.startswith(b"<"):
        return "sidecar " + content.split(b"#")[1].decode()
    return content[:24].decode(errors="replace")
