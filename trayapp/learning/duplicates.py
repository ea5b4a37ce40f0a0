"""Which pictures are the same one, or nearly: perceptual hashes, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from scipy.linalg.blas import sgemm
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trayapp.learning.dataset import NONE, Dataset, LeftOut

SIDE = 16  # a hash of 256 bits; with 64, teddies on white are all alike
# Of 256 bits. Among 3,087 bears, all 17 pairs up to 72 were the same scene (mirrored, zoomed, the
# next frame, the same toy in another colour); from 74 on others come in.
NEAR = 72
SAME = 20  # re-encoded, resized or slightly retouched
SAME_COLOUR = 12  # mean difference of 8 × 8 colours, of 255: the same toy comes in many
FLAT = 3.0  # standard deviation of greys, of 255, below which a hash means nothing
BLOCK = 2048

Bits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """`bits` and `mirrored` of shape (256,), `colours` (192,) in 0…255, `pixels` width × height.

    A picture with no structure has no bits (None): only its colours and size tell it apart.
    """

    bits: Bits | None
    mirrored: Bits | None
    colours: NDArray[np.uint8]
    pixels: int


def fingerprint(image: Image.Image, pixels: int) -> Fingerprint:
    """Of an upright RGB `image`, which in its file has so many `pixels`."""
    colours = np.asarray(image.resize((8, 8), Image.Resampling.BOX), np.uint8).ravel()
    grey = image.convert("L").resize((128, 128), Image.Resampling.BOX)
    if float(np.asarray(grey).std()) < FLAT:
        return Fingerprint(None, None, colours, pixels)
    bits = imagehash.phash(grey, SIDE).hash.ravel()
    mirrored = imagehash.phash(ImageOps.mirror(grey), SIDE).hash.ravel()
    return Fingerprint(bits, mirrored, colours, pixels)


def groups(prints: Sequence[Fingerprint]) -> NDArray[np.int64]:
    """A number for each picture; nearly the same ones, directly or by others, have the same."""
    first, second = _pairs(prints, NEAR, mirrored=True)
    ones = np.ones(len(first), np.int8)
    graph = coo_array((ones, (first, second)), shape=(len(prints), len(prints)))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def once(dataset: Dataset, prints: Sequence[Fingerprint]) -> tuple[LeftOut, ...]:
    """What to leave out so that no picture is there twice: all but the largest copy.

    Copies that contradict each other in their label are all left out: one must be wrong.
    """
    left_out = list[LeftOut]()
    for members in _copies(prints):
        pictures = [dataset.pictures[i] for i in members]
        labels = sorted({picture.label or NONE for picture in pictures})
        if len(labels) > 1:
            for picture in pictures:
                other = next(p.name for p in pictures if p.label != picture.label)
                why = f"the same picture is {' and '.join(labels)}: see {other}"
                left_out.append(LeftOut(picture.name, why))
            continue
        kept = max(members, key=lambda i: (prints[i].pixels, -i))
        left_out += [
            LeftOut(dataset.pictures[i].name, f"the same as {dataset.pictures[kept].name}")
            for i in members
            if i != kept
        ]
    return tuple(left_out)


def _copies(prints: Sequence[Fingerprint]) -> list[list[int]]:
    """Sets of two or more pictures, each the same as the set's first."""
    first, second = _pairs(prints, SAME, mirrored=False)
    colours = np.array([item.colours for item in prints], np.int16)
    taken, sets = set[int](), dict[int, list[int]]()
    for a, b in sorted(zip(first.tolist(), second.tolist(), strict=True)):
        if a in taken or b in taken:
            continue
        if np.abs(colours[a] - colours[b]).mean() <= SAME_COLOUR:
            sets.setdefault(a, [a]).append(b)
            taken.add(b)
    return list(sets.values())


def _pairs(
    prints: Sequence[Fingerprint], distance: int, *, mirrored: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Numbers a < b of all pictures whose hashes differ in no more than `distance` bits."""
    numbers = np.array([i for i, item in enumerate(prints) if item.bits is not None], np.int64)
    if not len(numbers):
        return numbers, numbers
    plain = _signs([prints[i].bits for i in numbers])
    views = [plain, _signs([prints[i].mirrored for i in numbers])] if mirrored else [plain]
    enough = SIDE * SIDE - 2 * distance  # the dot product of signs: agreements less differences
    found = list[NDArray[np.int64]]()
    for view in views:
        for start in range(0, len(numbers), BLOCK):
            # SciPy's own product: the NumPy of a bundle may have none that is fast.
            block = np.argwhere(sgemm(1.0, plain[start : start + BLOCK], view, trans_b=1) >= enough)
            block[:, 0] += start
            found.append(block)
    pairs = np.sort(np.concatenate(found), axis=1)
    pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
    return numbers[pairs[:, 0]], numbers[pairs[:, 1]]


def _signs(bits: Sequence[Bits | None]) -> NDArray[np.float32]:
    return np.where(np.array(bits, bool), 1, -1).astype(np.float32)
