"""The engine beside fastai's own `learn.predict` and the bare limit: photos a second, and memory.

Each in turn, so that all see the same machine; what the machine does besides leaves the ratios.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any, Literal

from tests.bench.figures import Figure, median
from tests.bench.running import resident
from tests.program import ROOT
from trayapp.engine.card import LEARNER_FILE
from trayapp.engine.pool import Pool
from trayapp.engine.worker import Options, behave

MODEL = ROOT / "models" / "bears"
WARM = 5  # photos before the clock starts
ONE_CORE = "learn.predict on one core"
GOAL_TIMES, GOAL_SHARE, GOAL_MB = 6.0, 0.85, 170.0


@dataclass(frozen=True, slots=True)
class Run:
    """Photos a second, and MB resident at the end of it."""

    rate: float
    memory: float


def engines(
    scratch: Path, web: Sequence[Path], large: Sequence[Path], quick: bool
) -> Iterator[Figure]:
    """Web photos and, where there are some, camera photos."""
    learner = _learner(scratch)
    rounds = 1 if quick else 3
    yield from _compare("web photos", learner, web, 100 if quick else 300, rounds, goals=True)
    if large:
        yield from _compare("8 to 24 MP", learner, large, 2 * len(large), rounds, goals=False)


def _compare(
    what: str, learner: Path, photos: Sequence[Path], count: int, rounds: int, goals: bool
) -> Iterator[Figure]:
    some = list(islice(cycle(photos), count))
    fewer = some[: max(len(photos[:14]), count // 6)]  # it is that much slower
    runs: dict[str, list[Run]] = {}
    for _ in range(rounds):
        runs.setdefault("learn.predict", []).append(_apart(_predict, learner, fewer))
        runs.setdefault(ONE_CORE, []).append(_apart(_predict_on_one_core, learner, fewer))
        runs.setdefault("bare limit", []).append(_apart(_bare, MODEL, some))
        for workers in (1, 2):
            name = f"Beartray's engine, workers = {workers}"
            runs.setdefault(name, []).append(pool_rate(some, workers))
    rate = {name: median([run.rate for run in found]) for name, found in runs.items()}
    for name, found in runs.items():
        times, share = rate[name] / rate["learn.predict"], rate[name] / rate["bare limit"]
        note = f"{times:.1f} × learn.predict, {share:.0%} of the bare limit"
        memory, bound = max(run.memory for run in found), ""
        if goals and name.endswith("= 1"):
            times = rate[name] / rate[ONE_CORE]
            note += (
                f" (goal {GOAL_SHARE:.0%}: {_met(share >= GOAL_SHARE)}), {times:.1f} × on one core"
            )
            bound = f"goal < {GOAL_MB:.0f} MB: {_met(memory < GOAL_MB)}"
        elif goals and name.endswith("= 2"):  # on all cores of a small machine, as learn.predict
            note += f" (goal {GOAL_TIMES:.0f} ×: {_met(times >= GOAL_TIMES)})"
        yield Figure(f"Engine, {what}", name, rate[name], "photos/s", note)
        yield Figure(f"Engine, {what}", f"{name}: resident", memory, "MB", bound)


def _met(holds: bool) -> Literal["holds", "DOES NOT HOLD"]:
    return "holds" if holds else "DOES NOT HOLD"


def bare_rate(photos: Sequence[Path]) -> float:
    """Photos a second in a process that does nothing but decode, prepare and run the network."""
    return _apart(_bare, MODEL, photos).rate


def _apart(work: Callable[[Path, Sequence[Path]], Run], file: Path, photos: Sequence[Path]) -> Run:
    """In a process of its own, of the engine's low priority."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, file, photos).result()


def _timed(photos: Sequence[Path], look: Callable[[Path], object]) -> Run:
    for photo in islice(cycle(photos), WARM):
        look(photo)
    began = time.monotonic()
    for photo in photos:
        look(photo)
    return Run(len(photos) / (time.monotonic() - began), resident(os.getpid()))


def _bare(folder: Path, photos: Sequence[Path]) -> Run:
    """Decode, prepare, run: no judging, no checks, nobody to tell."""
    from trayapp.engine.onnx import OnnxClassifier
    from trayapp.engine.package import ModelPackage

    behave(Options(folder))
    return _timed(photos, OnnxClassifier(ModelPackage.load(folder)).outputs)


def pool_rate(photos: Sequence[Path], workers: int) -> Run:
    """The engine as the app starts it, fed with nothing but paths."""
    with Pool(MODEL, workers=workers) as pool:
        for _ in pool.classify(islice(cycle(photos), workers * WARM)):
            pass
        began = time.monotonic()
        for _ in pool.classify(photos):
            pass
        took = time.monotonic() - began
        return Run(len(photos) / took, max(resident(pid) for pid in pool.pids))


def _predict(file: Path, photos: Sequence[Path]) -> Run:
    """As in a notebook: on all cores, but without the progress bar that each photo would draw."""
    from trayapp.engine.unpickle import load_learner

    os.nice(10)
    learner = load_learner(file)
    with learner.no_bar(), learner.no_logging():
        return _timed(photos, learner.predict)


def _predict_on_one_core(file: Path, photos: Sequence[Path]) -> Run:
    import torch

    torch.set_num_threads(1)
    return _predict(file, photos)


def _learner(scratch: Path) -> Path:
    """The learner that model.onnx was made from, or one that costs the same."""
    file = MODEL / LEARNER_FILE
    if file.exists():
        return file
    made = scratch / LEARNER_FILE
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(_make_learner, made).result()
    return made


def _make_learner(file: Path) -> None:
    """EfficientNet-Lite0 that has learnt nothing."""
    from PIL import Image

    from trayapp.engine.operators import declare_torchvision_operators

    declare_torchvision_operators()
    import fastai.vision.all as fv

    labels = ("black", "grizzly", "none", "teddy")
    for label, number in chain.from_iterable(((label, n) for n in range(3)) for label in labels):
        path = file.parent / "photos" / label / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 30)).save(path)
    loaders: Any = fv.ImageDataLoaders.from_folder(
        file.parent / "photos",
        valid_pct=0.5,
        item_tfms=fv.Resize(224),
        batch_tfms=fv.Normalize.from_stats(*fv.imagenet_stats),
        bs=4,
        num_workers=0,
    )
    fv.vision_learner(loaders, "tf_efficientnet_lite0", pretrained=False).export(file)
