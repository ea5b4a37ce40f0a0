"""Opens every picture once: small copies for training to read, and their fingerprints."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from trayapp.engine.decode import UnreadableError, decode
from trayapp.learning.dataset import NONE, Dataset, LeftOut, Picture
from trayapp.learning.duplicates import Fingerprint, fingerprint
from trayapp.learning.progress import Progress

QUALITY = 95  # of the copies, without colour subsampling: far below what training can see


@dataclass(frozen=True, slots=True)
class Copies:
    """`dataset` without what cannot be read; `files` and `prints` in the order of its pictures.

    The files lie in folders named after the class, as fastai's `parent_label` wants it.
    """

    dataset: Dataset
    files: tuple[Path, ...]
    prints: tuple[Fingerprint, ...]

    def without(self, left_out: Sequence[LeftOut]) -> Copies:
        """The same but for these pictures."""
        names = {item.name for item in left_out}
        kept = [i for i, p in enumerate(self.dataset.pictures) if p.name not in names]
        return Copies(
            self.dataset.without(left_out),
            tuple(self.files[i] for i in kept),
            tuple(self.prints[i] for i in kept),
        )


def copy_all(dataset: Dataset, folder: Path, side: int, progress: Progress) -> Copies:
    """Copies with a shorter side of `side` pixels at most, made in `folder` or found there.

    What an interrupted run has copied is not copied again. Raises `OSError` on a full disk.
    """
    index = folder / "index.jsonl"
    for label in dataset.vocab:
        (folder / label).mkdir(parents=True, exist_ok=True)
    known = {row["name"]: row for row in _rows(index)}
    rows = []
    with (
        index.open("a", encoding="utf-8") as stream,
        progress.bar("Reading pictures", len(dataset.pictures)) as advance,
    ):
        for number, picture in enumerate(dataset.pictures):
            row = known.get(picture.name)
            if row is None:
                row = _copy(picture, folder / _file(picture, number), side)
                stream.write(json.dumps(row) + "\n")
            rows.append(row)
            advance(1)
    return _gather(dataset, folder, rows)


def _gather(dataset: Dataset, folder: Path, rows: list[dict[str, str]]) -> Copies:
    left_out, files, prints = [], [], []
    for number, (picture, row) in enumerate(zip(dataset.pictures, rows, strict=True)):
        if error := row.get("error"):
            left_out.append(LeftOut(picture.name, error))
            continue
        files.append(folder / _file(picture, number))
        prints.append(_from_row(row))
    return Copies(dataset.without(left_out), tuple(files), tuple(prints))


def _file(picture: Picture, number: int) -> Path:
    return Path(picture.label or NONE, f"{number:06}.jpg")


def _copy(picture: Picture, target: Path, side: int) -> dict[str, str]:
    """Its row of the index, written only after the copy."""
    try:
        image, _ = decode(picture.path, enough=2 * side)
    except UnreadableError as error:
        return {"name": picture.name, "error": str(error)}
    except OSError as error:
        return {"name": picture.name, "error": f"could not be read: {error.strerror}"}
    shrink(image, side).save(target, quality=QUALITY, subsampling=0)
    with Image.open(picture.path) as original:
        width, height = original.size
    return {"name": picture.name, **_to_row(fingerprint(image, width * height))}


def shrink(image: Image.Image, side: int) -> Image.Image:
    """Its shorter side at most `side` pixels, in its own shape."""
    scale = side / min(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _rows(index: Path) -> Iterator[dict[str, str]]:
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            yield json.loads(line)
        except ValueError:  # cut short when the program was killed
            continue


def _to_row(found: Fingerprint) -> dict[str, str]:
    row = {"colours": _text(found.colours), "pixels": str(found.pixels)}
    if found.bits is not None and found.mirrored is not None:
        row |= {"bits": _text(np.packbits(found.bits))}
        row |= {"mirrored": _text(np.packbits(found.mirrored))}
    return row


def _from_row(row: dict[str, str]) -> Fingerprint:
    bits, mirrored = (
        np.unpackbits(_bytes(row[key])).astype(bool) if key in row else None
        for key in ("bits", "mirrored")
    )
    return Fingerprint(bits, mirrored, _bytes(row["colours"]), int(row["pixels"]))


def _text(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode()


def _bytes(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.uint8)
