"""The real model on real files: an answer, or in words why there is none."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import socket
from datetime import datetime
from pathlib import Path

import pytest
from PIL import Image

from tests.engine.conftest import BEARS
from tests.helpers import picture
from trayapp.engine import EngineError, preprocess, reading
from trayapp.engine.onnx import OnnxClassifier
from trayapp.engine.package import ModelPackage
from trayapp.photo import Photo


@pytest.fixture(scope="module")
def classifier() -> OnnxClassifier:
    return OnnxClassifier(ModelPackage.load(BEARS))


def said(classifier: OnnxClassifier, path: Path) -> str:
    verdict = classifier.classify(path)
    assert (verdict.label, verdict.confidence, verdict.reason) == (None, None, "unreadable")
    assert verdict.error is not None
    assert "\n" not in verdict.error
    return verdict.error


def test_a_photo_of_nothing_in_particular(classifier: OnnxClassifier, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2020:02:02 20:20:20"
    path = picture(tmp_path / "wall.jpg", (640, 480), exif=exif)
    verdict = classifier.classify(path)
    assert verdict.label is None
    assert verdict.reason == "unsure"
    assert tuple(verdict.scores) == classifier.labels == ("black", "grizzly", "teddy")
    assert verdict.confidence == max(verdict.scores.values())
    assert verdict.taken == datetime(2020, 2, 2, 20, 20, 20)  # noqa: DTZ001 (a camera's)
    assert verdict.seen == Photo.at(path)
    assert classifier.classify(path) == verdict


def test_whoever_asks_for_less_confidence_gets_a_label(tmp_path: Path) -> None:
    bold = OnnxClassifier(ModelPackage.load(BEARS), {"grizzly": 0.0, "black": 0.0, "teddy": 0.0})
    verdict = bold.classify(picture(tmp_path / "wall.jpg"))
    assert verdict.label is None, "none of these is still the likeliest"


def test_bad_photos_are_said_to_be_bad(classifier: OnnxClassifier, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    assert said(classifier, path) == "a.jpg is not there"
    path.write_bytes(b"")
    assert said(classifier, path) == "a.jpg is empty"
    assert classifier.classify(path).seen == Photo.at(path)
    path.write_bytes(b"words")
    assert said(classifier, path) == "a.jpg is not a picture Beartray can read"


def test_what_is_no_regular_file_is_left_alone(classifier: OnnxClassifier, tmp_path: Path) -> None:
    photo = picture(tmp_path / "photo.jpg")
    (tmp_path / "link.jpg").symlink_to(photo)
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.jpg"))
        for name in ("link.jpg", "folder.jpg", "pipe.jpg", "socket.jpg"):
            assert "is not a regular file; Beartray leaves it alone" in said(
                classifier, tmp_path / name
            )


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_becomes_no_regular_file_just_before_opening_it(
    classifier: OnnxClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path, look = picture(tmp_path / "a.jpg"), Photo.at

    def look_then_swap(looked_at: Path) -> Photo:
        photo = look(looked_at)
        path.rename(tmp_path / "elsewhere.jpg")
        if kind == "link":
            path.symlink_to(tmp_path / "elsewhere.jpg")
        else:
            os.mkfifo(path)
        return photo

    monkeypatch.setattr(Photo, "at", look_then_swap)
    assert "is not a regular file; Beartray leaves it alone" in said(classifier, path)


def test_a_photo_that_may_not_be_read(
    classifier: OnnxClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = picture(tmp_path / "a.jpg")

    def refuse(*_: object) -> int:  # as root, which tests may run as, chmod refuses nothing
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    assert said(classifier, path) == "a.jpg may not be read: permission denied"


def test_a_photo_that_changes_while_it_is_read(
    classifier: OnnxClassifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, decode = picture(tmp_path / "a.jpg"), preprocess.decode

    def decode_while_more_arrives(*args: object, **options: object) -> object:
        with path.open("ab") as more:
            more.write(b"more")
        return decode(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "decode", decode_while_more_arrives)
    assert said(classifier, path) == "a.jpg changed while it was read"
    assert classifier.classify(path).seen is None


def test_a_model_that_is_none(tmp_path: Path) -> None:
    folder = shutil.copytree(BEARS, tmp_path / "bears")
    (folder / "model.onnx").write_bytes(b"no model")
    card = json.loads((folder / "model.json").read_text())
    card["files"]["model.onnx"] = hashlib.sha256(b"no model").hexdigest()
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(EngineError, match=r"model\.onnx does not work with its model\.json"):
        OnnxClassifier(ModelPackage.load(folder))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"none": {"kind": "threshold"}}, "it gives 4 numbers, model.json means 3"),
        ({"input": {"width": 200, "height": 200}}, "(.*[Gg]ot invalid dimensions"),
    ],
)
def test_a_model_that_is_not_what_its_card_says(
    tmp_path: Path, change: dict[str, dict[str, object]], why: str
) -> None:
    folder = shutil.copytree(BEARS, tmp_path / "bears")
    card = json.loads((folder / "model.json").read_text())
    for key, value in change.items():
        card[key] = {**card[key], **value} if key == "input" else value
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(EngineError, match=why.replace("(.*", r"\(.*")) as caught:
        OnnxClassifier(ModelPackage.load(folder))
    assert "\n" not in str(caught.value)
