"""Model packages and engine processes that mean ill."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engine.misfits import Misfit, Starter
from tests.helpers import picture
from tests.program import COLOURS, Program
from trayapp import settings
from trayapp.engine import EngineError
from trayapp.engine.package import ModelPackage
from trayapp.engine.pool import Pool
from trayapp.engine.wire import Answer, Broken, Connection, Ready, hear_parent, send
from trayapp.engine.worker import Options, behave, serve
from trayapp.photo import Verdict
from trayapp.settings import SettingsError
from trayapp.xmlsource import MAX_ELEMENTS
from trayapp.xmp import MAX_BYTES, TagError, merge_xmp

pytestmark = pytest.mark.hostile

LIMIT = 30.0


def package(folder: Path, model: bytes, **changes: Any) -> Path:
    """The colours' package with another model in it."""
    folder.mkdir()
    card = json.loads((COLOURS / "model.json").read_text())
    card["files"] = {"model.onnx": hashlib.sha256(model).hexdigest()}
    (folder / "model.json").write_text(json.dumps({**card, **changes}))
    (folder / "model.onnx").write_bytes(model)
    return folder


@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"a":' * 100_000, b'{"format": ' + b"9" * 5000])
def test_a_card_nested_without_end_is_refused_in_words(
    program: Program, tmp_path: Path, text: bytes
) -> None:
    folder = package(tmp_path / "deep", b"")
    (folder / "model.json").write_bytes(text)
    with pytest.raises(EngineError, match="not JSON"):
        ModelPackage.load(folder)
    program.configure(model=str(folder))
    done = program.try_command("model", "info", folder)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and "internal" not in done.stderr


def field(number: int, value: bytes | int) -> bytes:
    """One field of a protocol buffer: a number below 128, or bytes below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    assert len(value) < 128 * 128
    low, high = len(value) & 127, len(value) >> 7
    return bytes([number << 3 | 2, low | 128, high]) + value


def model_with_data_at(place: str) -> bytes:
    """y = x + w, with w in a file beside the model (onnx.proto3: TensorProto.external_data)."""
    location = field(1, b"location") + field(2, place.encode())
    tensor = field(1, 4) + field(2, 1) + field(8, b"w") + field(13, location) + field(14, 1)
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Add")
    shape = field(2, field(1, field(1, 4)))
    kind = field(1, field(1, 1) + shape)
    x, y = field(1, b"x") + field(2, kind), field(1, b"y") + field(2, kind)
    graph = field(1, node) + field(2, b"g") + field(5, tensor) + field(11, x) + field(12, y)
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


@pytest.mark.parametrize("place", ["w.bin", "../w.bin", "/{}/w.bin"])
def test_a_model_reads_no_file_that_its_card_does_not_list(tmp_path: Path, place: str) -> None:
    inner = tmp_path / "models"
    inner.mkdir()
    for folder in (tmp_path, inner):
        np.arange(4, dtype=np.float32).tofile(folder / "w.bin")
    before = Path.cwd()
    os.chdir(inner)  # where a model that comes as bytes is looked for
    try:
        folder = package(inner / "toys", model_with_data_at(place.format(inner)))
        with Pool(folder) as pool, pytest.raises(EngineError, match="does not work") as caught:
            pool.submit(picture(tmp_path / "a.jpg")).result(LIMIT)
    finally:
        os.chdir(before)
    assert "xternal" in str(caught.value) or "nitializer" in str(caught.value), "for this reason"


@pytest.mark.skipif(sys.platform == "win32", reason="links need a right there")
def test_a_model_that_is_a_link_is_held_to_its_sum(tmp_path: Path) -> None:
    folder = package(tmp_path / "toys", b"a model")
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("/etc/passwd")
    with pytest.raises(EngineError, match="SHA-256 differs"):
        ModelPackage.load(folder)


# An engine process that a photo has taken over.


class Liar(Misfit):
    """Says what it was not asked, by the photo's name, and then answers like any other."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def classify(self, path: Path) -> Verdict:
        lies: dict[str, list[Any]] = {
            "other labels": [Ready(("../../elsewhere",))],
            "broken": [Broken("x\n2026-11-21 forged")],
            "no text": [b"\xa5\xff\xff\xff\xff\xff"],
            "certain": [Answer("good", 1e300, {"good": float("nan")}, None, None, None, None)],
            "long": [Answer(None, None, {}, "unreadable", "x" * 100_000, None, None)],
        }
        for lie in lies.get(path.stem, []):
            if isinstance(lie, bytes):
                self._connection.send_bytes(lie)
            else:
                send(self._connection, lie)
        if path.stem == "other labels":
            send(self._connection, Answer("../../elsewhere", 1.0, {}, None, None, None, None))
        return super().classify(path)


def liar(connection: Connection, options: Options) -> None:
    behave(options)
    serve(connection, Liar(connection), options)


def early(connection: Connection, options: Options) -> None:
    """Answers before it says that it is ready."""
    send(connection, Answer("good", 1.0, {"good": 1.0}, None, None, None, None))
    hear_parent(connection)


@pytest.fixture
def open_pool(tmp_path: Path) -> Iterator[Callable[[Any], Pool]]:
    pools: list[Pool] = []

    def open_(main: Any) -> Pool:
        pools.append(Pool(tmp_path, start_worker=Starter(main)))
        return pools[-1]

    yield open_
    for pool in pools:
        pool.close()


@pytest.mark.parametrize("name", ["other labels", "broken", "no text", "certain", "long"])
def test_nothing_is_believed_that_is_not_sound(
    tmp_path: Path, open_pool: Callable[[Any], Pool], name: str
) -> None:
    pool = open_pool(liar)
    verdict = pool.submit(tmp_path / f"{name}.jpg").result(LIMIT)
    assert verdict.error == f"{name}.jpg: the decoder crashed on it"
    assert pool.submit(tmp_path / "next.jpg").result(LIMIT).label == "good"
    assert pool.problem is None


def test_an_engine_that_answers_too_soon_is_no_engine(
    tmp_path: Path, open_pool: Callable[[Any], Pool]
) -> None:
    with pytest.raises(EngineError, match="ended while starting"):
        open_pool(early).submit(tmp_path / "a.jpg").result(LIMIT)


# Settings and sidecars of somebody else's.


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000,
        "x = " + "9" * 5000,
        '"a\\nb" = 1',
        '[sort]\n"a\\u001b[2J" = 1',
        "[sort]\nsubfolder = '" + "x" * 100_000 + "{'",
    ],
)
def test_settings_that_mean_ill_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings.parse(text, "settings.toml")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 1000


def deep(count: int) -> bytes:
    """As many elements as are allowed, as deep as is allowed."""
    tower = "<a>" * 90 + "</a>" * 90
    return (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/"><rdf:Description><dc:subject><rdf:Bag>'
        + f"<rdf:li>{tower}</rdf:li>" * (count // 90)
        + "</rdf:Bag></dc:subject></rdf:Description></rdf:RDF>"
    ).encode()


BLANK = " " * (MAX_BYTES - 1000)
COSTLY = {
    "deep": deep(MAX_ELEMENTS - 2000),
    "too many": deep(MAX_ELEMENTS + 2000),
    "blank tag": f"<x:xmpmeta xmlns:x='adobe:ns:meta/'{BLANK}/>".encode(),
    "blank": f"<x:xmpmeta xmlns:x='adobe:ns:meta/'>{BLANK}</x:xmpmeta>".encode(),
    "attributes": b"<a " + b" ".join(b"a%d='1'" % n for n in range(500_000)) + b"/>",
    "namespaces": b"<a " + b" ".join(b"xmlns:a%d='b'" % n for n in range(300_000)) + b"/>",
    "open": b"<a>" * 90 + b"<" * 1_000_000,
    "quote": b"<a b='" + b">" * 4_000_000,
}


@pytest.mark.parametrize("kind", COSTLY)
def test_a_sidecar_costs_seconds_at_most(kind: str) -> None:
    began = time.process_time()
    try:
        merge_xmp(COSTLY[kind], ["grizzly"])
    except TagError as error:
        assert str(error).isprintable()
    assert time.process_time() - began < 5
