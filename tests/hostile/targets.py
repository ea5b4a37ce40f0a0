"""What is fed with spoiled files, and what has to hold whatever is in them."""

from __future__ import annotations

import json
import math
import os
import random
import re
import socket
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tests.hostile import mutate, seeds
from tests.program import COLOURS
from trayapp import settings
from trayapp.decide import decide, filed_folders, folder_name
from trayapp.desktop.control import ControlPaths, ControlServer, send
from trayapp.engine import EngineError
from trayapp.engine.card import parse
from trayapp.engine.package import ModelPackage
from trayapp.engine.pickles import check_pickle
from trayapp.engine.pool import Pool
from trayapp.engine.wire import Answer, Broken, Ready, Shown, hear_engine
from trayapp.engine.worker import MEMORY_LIMIT_BYTES, PHOTO_LIMIT_SECONDS
from trayapp.photo import BeartrayError, Photo, Verdict
from trayapp.settings import SettingsError
from trayapp.xmp import TagError, merge_xmp

Notes = Counter[str]
"""What is allowed and yet worth knowing, counted."""

Check = Callable[[bytes], None]
"""Feeds one file; raises whatever is wrong."""

SLACK_BYTES = 300 << 20
"""What a process holds besides the data that its memory limit bounds: libraries, stacks."""


@dataclass(frozen=True)
class Target:
    """`spoil` makes a file, `open` gives the check for as long as it is wanted."""

    spoil: Callable[[random.Random], bytes]
    open: Callable[[Notes], Any]


def one_line(message: str | None) -> None:
    """A message is one line, of what a terminal and a log can show."""
    assert message, "says nothing"
    bad = [
        character
        for character in message
        if re.match(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", character)
    ]
    assert not bad, f"not one plain line: {message!r}"


# Photos, through a real engine process.


@contextmanager
def photo(notes: Notes) -> Iterator[Check]:
    with tempfile.TemporaryDirectory() as place, Pool(COLOURS) as pool:
        file = Path(place) / "photo.jpg"

        def check(data: bytes) -> None:
            file.write_bytes(data)
            verdict = pool.submit(file).result(3 * PHOTO_LIMIT_SECONDS)
            assert file.read_bytes() == data, "the photo was changed"
            sound_verdict(verdict, notes)
            for pid in pool.pids:
                peak = peak_memory(pid)
                assert peak < MEMORY_LIMIT_BYTES + SLACK_BYTES, f"took {peak >> 20} MB"

        yield check


def sound_verdict(verdict: Verdict, notes: Notes) -> None:
    if verdict.reason == "unreadable":
        one_line(verdict.error)
        assert (verdict.label, verdict.confidence) == (None, None)
        words = str(verdict.error).removeprefix("photo.jpg")
        notes[re.sub(r"[\d,]+", "N", words).strip(" :")] += 1
        return
    assert verdict.seen is not None
    assert verdict.label in (None, "grizzly", "black", "teddy")
    assert all(0 <= score <= 1 for score in verdict.scores.values()), verdict
    notes["recognised" if verdict.label else "not recognised"] += 1


def peak_memory(pid: int) -> int:
    """The most memory a process ever held, in bytes; 0 for one that has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) << 10 if found else 0


# Sidecars.

_KEYWORDS = {
    "{http://purl.org/dc/elements/1.1/}subject",
    "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject",
    "{http://www.digikam.org/ns/1.0/}TagsList",
}
_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"


@contextmanager
def sidecar(notes: Notes) -> Iterator[Check]:
    yield lambda data: merged_soundly(data, notes)


def merged_soundly(data: bytes, notes: Notes, tags: tuple[str, ...] = ("bears/grizzly",)) -> None:
    """Merging refuses in one line, or adds keywords and nothing else, once."""
    try:
        merged = merge_xmp(data, tags)
    except TagError as error:
        one_line(str(error))
        notes["refused"] += 1
        return
    notes["merged"] += 1
    assert merge_xmp(merged, tags) == merged, "not the same when done twice"
    before, after = _foreign(_parsed(data)), _foreign(_parsed(merged))
    assert before == after, f"something else changed: {before ^ after}"
    assert "grizzly" in {text.strip() for text in _parsed(merged).itertext()}, "no keyword"


def _parsed(data: bytes) -> ET.Element:
    """With another reader than ours."""
    return ET.fromstring(data)


def _foreign(root: ET.Element) -> set[tuple[Any, ...]]:
    """All that is no keyword: every element's path, place among its like, attributes and text."""
    found: set[tuple[Any, ...]] = set()
    waiting: list[tuple[tuple[Any, ...], ET.Element]] = [((), root)]
    while waiting:
        path, element = waiting.pop()
        number: Counter[str] = Counter()
        for child in element:
            number[child.tag] += 1
            if child.tag not in _KEYWORDS or _deep(path):
                waiting.append(((*path, child.tag, number[child.tag]), child))
        own = {name: value for name, value in element.attrib.items() if name not in _KEYWORDS}
        if path and path[-2] == f"{_RDF}Description" and not len(number) and not own:
            continue  # may have been made to hold the keywords
        if own.keys() == {f"{_RDF}about"} and not number.keys() - _KEYWORDS:
            continue
        texts = "".join([element.text or "", *(child.tail or "" for child in element)])
        found.add((path, tuple(sorted(own.items())), " ".join(texts.split())))
    return found


def _deep(path: tuple[Any, ...]) -> bool:
    """Inside of what is no description of the packet itself, where a keyword is somebody's own."""
    own = f"{_RDF}Description"
    return path[::2].count(own) != 1 or bool(path[-2] != own)


# Model packages.


@contextmanager
def card(notes: Notes) -> Iterator[Check]:
    yield lambda data: card_soundly_read(data, notes)


def card_soundly_read(data: bytes, notes: Notes) -> None:
    try:
        found = parse(Path("model.json"), data)
    except EngineError as error:
        one_line(str(error))
        notes["refused"] += 1
        return
    notes["read"] += 1
    package = ModelPackage(Path("/models/x"), found)
    assert all((package.folder / name).parent == package.folder for name in found.files)
    for label in found.labels:
        name = folder_name(label)
        assert Path("/a", name).resolve() == Path("/a", name) != Path("/a"), label
    for level in (0.0, 1.0, -1000.0, 1000.0, 3e38):
        probabilities = package.probabilities([level] * (found.outputs - 1) + [0.5])
        assert all(0 <= value <= 1 for value in probabilities), probabilities
        judgement = package.judge(probabilities)
        assert judgement.label in (None, *found.labels)


# Settings.

_CHANGES: Mapping[str, object] = {
    "folder.path": "/photos",
    "sort.subfolder": "{year}",
    "model.min_confidence": {"a": 0.5},
    "startup.paused": True,
    "folder.ignore": ["x*"],
}


@contextmanager
def settings_file(notes: Notes) -> Iterator[Check]:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "settings.toml"
        yield lambda data: settings_soundly_read(data, file, notes)


def settings_soundly_read(data: bytes, file: Path, notes: Notes) -> None:
    file.write_bytes(data)
    try:
        found = settings.load(file)
    except SettingsError as error:
        one_line(str(error))
        notes["refused"] += 1
        return
    notes["read"] += 1
    stays_inside(found)
    for key, value in _CHANGES.items():
        file.write_bytes(data)
        try:
            changed = settings.change(file, key, value)
        except SettingsError as error:
            one_line(str(error))
            notes["not changed"] += 1
            assert file.read_bytes() == data
            continue
        expected = settings.as_dict(found)
        section, _, name = key.partition(".")
        expected[section][name] = value
        assert settings.as_dict(changed) == expected
        assert settings.load(file) == changed


def stays_inside(found: settings.Settings) -> None:
    """Whatever the settings and the label say, a photo goes below the destination."""
    root = Path("/inbox")
    seen = Photo(root / "a.jpg", 1, 1, "1:1")
    base = found.sort.base(root)
    for label in ("grizzly", "../../x", "/etc", "..", "CON", "a/b", "a\\b", "\0", " . "):
        plan = decide(seen, Verdict(label, 1.0, {label: 1.0}), found.sort, root)
        if plan is not None and plan.folder is not None:
            assert (
                os.path.normpath(plan.folder) == str(plan.folder).rstrip("/") or plan.folder == base
            )
            assert Path(os.path.normpath(plan.folder)).is_relative_to(os.path.normpath(base))
    filed_folders(found.sort, root, ["a", "b("])(root / "a")


# The control socket, and what an engine process says.


@contextmanager
def control(notes: Notes) -> Iterator[Check]:
    """Spoiled words before and after the handshake; then a sound client still gets its answer."""
    with tempfile.TemporaryDirectory() as name:
        paths = ControlPaths.for_unix(Path(name) / "private", {}, Path(name))
        heard: list[dict[str, object]] = []

        def handler(request: dict[str, object]) -> dict[str, object]:
            heard.append(request)
            return {"heard": len(heard)}

        server = ControlServer(paths, handler)
        server.start()
        try:
            address = json.loads(paths.note.read_bytes())["address"]

            def check(data: bytes) -> None:
                before = len(heard)
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(5)
                    client.connect(address)
                    client.sendall(data[:4000])
                assert len(heard) == before, "somebody without the secret was heard"
                with_secret(paths, data, notes)
                assert send(paths, {"command": "x"})["heard"] == len(heard)

            yield check
        finally:
            server.close()


def with_secret(paths: ControlPaths, data: bytes, notes: Notes) -> None:
    """Say `data` as one who knows the secret does; it is answered in JSON, or hung up on."""
    from multiprocessing.connection import Client, answer_challenge, deliver_challenge

    note = json.loads(paths.note.read_bytes())
    with Client(note["address"], "AF_UNIX") as connection:
        answer_challenge(connection, bytes.fromhex(note["secret"]))
        deliver_challenge(connection, bytes.fromhex(note["secret"]))
        try:
            connection.send_bytes(data)
            json.loads(connection.recv_bytes())
            notes["answered"] += 1
        except (EOFError, ConnectionError):
            notes["hung up on"] += 1


class Said:
    """The parent's end of a connection over which one message came."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def recv_bytes(self, maxlength: int | None = None) -> bytes:
        return self._data

    def send_bytes(self, buf: bytes) -> None:
        raise NotImplementedError


_ANSWER = Answer("a", 0.5, {"a": 0.5, "b": 0.25}, None, None, None, (1, 2, "3:4"))
_MESSAGES = (
    _ANSWER,
    Ready(("a", "b")),
    Broken("the model is broken"),
    Answer(None, None, {}, "unreadable", "photo.jpg is cut short", None, None),
    Shown(b"\xff\xd8\xff"),
    Shown(b"", "photo.jpg is cut short"),
)
_ENCODED = [msgspec.msgpack.encode(message) for message in _MESSAGES]


@contextmanager
def engine_words(notes: Notes) -> Iterator[Check]:
    yield lambda data: engine_soundly_heard(data, notes)


def engine_soundly_heard(data: bytes, notes: Notes) -> None:
    """Of an engine that a photo has taken over, nothing is believed that is not plain and sound."""
    try:
        message = hear_engine(Said(data))
    except (EOFError, OSError, msgspec.MsgspecError):
        notes["not believed"] += 1
        return
    notes["believed"] += 1
    if isinstance(message, Answer):
        numbers = [*message.scores.values(), message.confidence or 0.0]
        assert all(math.isfinite(value) and 0 <= value <= 1 for value in numbers), message
        one_line(message.verdict(Path("photo.jpg")).error or "-")


@contextmanager
def pickle_names(notes: Notes) -> Iterator[Check]:
    """Looking at what a pickle would run never runs it, and never fails but in words."""
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / "export.pkl"

        def check(data: bytes) -> None:
            file.write_bytes(data)
            try:
                check_pickle(file)
                notes["looked through"] += 1
            except BeartrayError as error:
                one_line(str(error))
                notes["refused"] += 1

        yield check


def _bytes_of(made: list[bytes]) -> Callable[[random.Random], bytes]:
    return lambda source: mutate.spoil_bytes(source, made)


def _text_of(made: list[str], words: tuple[str, ...]) -> Callable[[random.Random], bytes]:
    return lambda source: mutate.spoil_text(source, made, words)


def targets() -> dict[str, Target]:
    """All of them, by name; a request's words stand for the control socket's."""
    requests = ['{"command": "pause", "until": 1.5}', '{"command": "status"}', "[1, null]"]
    return {
        "photo": Target(_bytes_of(seeds.photos()), photo),
        "sidecar": Target(_text_of(list(seeds.SIDECARS), seeds.XML_WORDS), sidecar),
        "card": Target(_text_of(seeds.cards(), seeds.JSON_WORDS), card),
        "settings": Target(_text_of(seeds.settings(), seeds.TOML_WORDS), settings_file),
        "control": Target(_text_of(requests, seeds.JSON_WORDS), control),
        "engine": Target(_bytes_of(_ENCODED), engine_words),
        "pickle": Target(_bytes_of(seeds.pickles()), pickle_names),
    }
