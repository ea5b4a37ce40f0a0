"""Which pictures are held back from which training; nearly the same ones always together."""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from trayapp.engine import EngineError
from trayapp.learning.dataset import NONE, Picture

HELD_BACK = 0.2
SOURCE_FOLDS = 8  # at most: each costs a training

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions in the list of pictures: to learn from, and to be asked about afterwards."""

    train: Numbers
    test: Numbers


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `--folds` asks for: so many trainings (0: one, with a fifth held back), and whether
    whole sources are held back.
    """

    count: int
    by_source: bool


def parse(folds: str) -> Wanted:
    """Nothing → one training; "5" → five; "source" → each source in turn; "source:3" → in three
    bundles. Raises `EngineError` for anything else.
    """
    found = re.fullmatch(r"(?P<source>source)?:?(?P<count>\d+)?", folds)
    count = int(found["count"] or 0) if found else 1
    if not found or count not in {0, *range(2, 21)}:
        raise EngineError(f"--folds: found {folds!r}; allowed: 2 to 20, source, or source:2 to 20")
    return Wanted(count, by_source=bool(found["source"]))


def plan(pictures: Sequence[Picture], groups: Numbers, folds: str, seed: int) -> list[Fold]:
    """The trainings that `folds` asks for; each picture is held back from one, or, with a fifth
    held back, from one at most.

    Raises `EngineError` when that cannot be done.
    """
    wanted = parse(folds)
    if wanted.by_source:
        return _of_sources(pictures, groups, wanted.count or SOURCE_FOLDS, seed)
    parts = _parts(pictures, groups, wanted.count or round(1 / HELD_BACK), seed)
    return _folds(parts, groups)[: None if wanted.count else 1]


def _of_sources(pictures: Sequence[Picture], groups: Numbers, most: int, seed: int) -> list[Fold]:
    """Whole sources held back in turn; one that alone has some class or kind is split in groups,
    so that the others still teach it.
    """
    sources = [picture.source for picture in pictures]
    alone = _alone(pictures)
    whole = [name for name, _ in Counter(sources).most_common() if name not in alone]
    if len(whole) < 2:
        raise EngineError(
            "--folds source: needs a labels.csv that names two or more sources which share their "
            "classes and kinds; use --folds 5"
        )
    count = min(len(whole), most)
    parts = _parts(pictures, groups, count, seed)
    sizes = [0] * count
    for name in whole:  # the largest first, each to the fold with the fewest so far
        smallest = sizes.index(min(sizes))
        members = [i for i, source in enumerate(sources) if source == name]
        parts[members] = smallest
        sizes[smallest] += len(members)
    return _folds(parts, groups)


def _alone(pictures: Sequence[Picture]) -> set[str]:
    """Sources that are the only one to have some class, or some kind of a class."""
    having = defaultdict[tuple[str, str], set[str]](set)
    for picture in pictures:
        label = picture.label or NONE
        having[label, ""].add(picture.source)
        having[label, picture.kind.split("/")[0]].add(picture.source)
    return {source for found in having.values() if len(found) == 1 for source in found}


def _parts(pictures: Sequence[Picture], groups: Numbers, count: int, seed: int) -> Numbers:
    """A part 0 … count - 1 for each picture: as like each other as groups allow in class and kind.

    Raises `EngineError` where a class is too small.
    """
    strata = _strata(pictures, count)
    rarest, photos = Counter(picture.label or NONE for picture in pictures).most_common()[-1]
    if photos < count:
        raise EngineError(
            f"{rarest}: {photos} pictures are too few for {count} parts: add some, or take fewer "
            "(--folds)"
        )
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    parts = np.zeros(len(pictures), np.int64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its remarks on rare strata, which we have merged
        for number, (_, test) in enumerate(splitter.split(strata, strata, groups)):
            parts[test] = number
    return parts


def _strata(pictures: Sequence[Picture], count: int) -> list[str]:
    """Class and kind; only the class where there are too few of the kind."""
    fine = [f"{picture.label or NONE}/{picture.kind}" for picture in pictures]
    numbers = Counter(fine)
    return [
        name if numbers[name] >= 2 * count else picture.label or NONE
        for name, picture in zip(fine, pictures, strict=True)
    ]


def _folds(parts: Numbers, groups: Numbers) -> list[Fold]:
    folds = []
    for number in np.unique(parts):
        test = np.flatnonzero(parts == number)
        # A source's picture may have its twin in another source: nobody learns from that one.
        known = np.isin(groups, groups[test])
        folds.append(Fold(np.flatnonzero((parts != number) & ~known), test))
    return folds
