"""Teaches one network: a fastai Learner, fitted by a recipe, that goes on after being stopped."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trayapp.engine.operators import declare_torchvision_operators

declare_torchvision_operators()

import fastai.callback.schedule  # noqa: E402, F401 (gives Learner fit_one_cycle)
import torch  # noqa: E402
from fastai.callback.channelslast import ChannelsLast  # noqa: E402
from fastai.callback.mixup import MixUp  # noqa: E402
from fastai.data.block import CategoryBlock, DataBlock  # noqa: E402
from fastai.data.transforms import IndexSplitter, Normalize, parent_label  # noqa: E402
from fastai.learner import Learner  # noqa: E402
from fastai.losses import CrossEntropyLossFlat, LabelSmoothingCrossEntropyFlat  # noqa: E402
from fastai.torch_core import norm_types, set_seed, trainable_params  # noqa: E402
from fastai.vision.augment import (  # noqa: E402
    FlipItem,
    RandomResizedCrop,
    Resize,
    ResizeMethod,
    Saturation,
    aug_transforms,
)
from fastai.vision.core import PILImage  # noqa: E402
from fastai.vision.data import ImageBlock  # noqa: E402

from trayapp.engine.decode import decode  # noqa: E402
from trayapp.learning import network, probe  # noqa: E402
from trayapp.learning.callbacks import (  # noqa: E402
    Bfloat16,
    Keeper,
    MovingAverage,
    Row,
    StayAsTheyAre,
    has_bfloat16,
    write_state,
)
from trayapp.learning.dataset import Picture  # noqa: E402
from trayapp.learning.progress import Advance, Progress  # noqa: E402
from trayapp.learning.recipe import Recipe  # noqa: E402

METHODS = {"crop": ResizeMethod.Crop, "squish": ResizeMethod.Squish, "pad": ResizeMethod.Pad}


class TrainingCrop(RandomResizedCrop):
    """A random crop for training only; what is held back meets the final `Resize` alone."""

    split_idx = 0


class FinalResize(Resize):
    """What is held back is seen as photos will be."""

    split_idx = 1


@dataclass(frozen=True)
class Lesson:
    """One training: the copies to read (in folders named after the class), which positions of
    them to learn from and which are held back, and where it keeps what it has reached.
    """

    name: str
    files: Sequence[Path]
    train: NDArray[np.int64]
    valid: NDArray[np.int64]
    vocab: tuple[str, ...]
    recipe: Recipe
    seed: int
    checkpoint: Path

    @property
    def probe(self) -> Path:
        """Where the weights are kept that only the head was fitted of."""
        return self.checkpoint.with_suffix(".probe.pt")


@dataclass(frozen=True)
class Taught:
    """A fitted learner with the final transforms, and how it went."""

    learner: Any
    network: network.Network
    history: tuple[Row, ...]


def teach(lesson: Lesson, progress: Progress) -> Taught:
    """Fit a network to the lesson, from its checkpoint on if there is one.

    Raises `EngineError` for an unknown architecture, `OSError` on a full disk.
    """
    recipe = lesson.recipe
    set_seed(lesson.seed, reproducible=True)
    made = network.create(recipe.architecture, len(lesson.vocab), recipe.dropout)
    learner = _learner(lesson, made)
    keeper = Keeper(lesson.checkpoint, lesson.seed)
    if made.weights is not None and not lesson.checkpoint.is_file():
        _probe(learner, lesson, progress)
    batch = learner.dls.train.bs
    seen = len(lesson.train) // batch * batch  # of an epoch: the last, smaller batch is left out
    with progress.bar(lesson.name, recipe.epochs * seen) as advance:

        def tell(row: Row) -> None:
            held = "" if row[3] is None else f", {row[3]:.1%} of what is held back right"
            progress.say(f"{lesson.name}: epoch {row[0]}: loss {row[1]:.3f}{held}")

        keeper.restore(learner, advance, tell, seen)
        _fit(learner, recipe, made, keeper)
    if made.weights is not None:
        _blend(learner.model, lesson.probe, recipe.blend)
    _settle(learner, lesson, made)
    return Taught(learner, made, tuple(keeper.history))


def outputs(
    learner: Any, pictures: Sequence[Picture], description: str, progress: Progress
) -> NDArray[np.float64]:
    """The learner's raw outputs (n, classes) for the files themselves, by its final transforms."""
    rows = []
    size = 32
    with progress.bar(description, len(pictures)) as advance, torch.inference_mode():
        for start in range(0, len(pictures), size):
            part = pictures[start : start + size]
            images = [PILImage(decode(picture.path)[0]) for picture in part]
            for batch in learner.dls.test_dl(images, bs=size, num_workers=0):
                rows.append(learner.model(batch[0]).float().cpu().numpy())
            advance(len(part))
    return np.concatenate(rows).astype(np.float64)


def _probe(learner: Any, lesson: Lesson, progress: Progress) -> None:
    """Fit the new head to what the body sees already, and keep these weights."""
    chosen = [lesson.files[i] for i in lesson.train]
    batches = learner.dls.test_dl(chosen, bs=32, num_workers=0)
    with ExitStack() as stack:
        advance = stack.enter_context(progress.bar(f"{lesson.name}: first look", len(chosen)))
        if lesson.recipe.bfloat16 and has_bfloat16(learner.dls.device):
            stack.enter_context(torch.autocast(learner.dls.device.type, torch.bfloat16))
        seen = probe.features(learner.model, _counted((batch[0] for batch in batches), advance))
    classes = np.array([lesson.vocab.index(file.parent.name) for file in chosen])
    probe.fit_head(learner.model, seen, classes, lesson.recipe.head_c)
    write_state(learner.model.state_dict(), lesson.probe)


def _counted(batches: Iterable[Any], advance: Advance) -> Iterator[Any]:
    for batch in batches:
        yield batch
        advance(len(batch))


def _learner(lesson: Lesson, made: network.Network) -> Any:
    recipe = lesson.recipe
    stages = recipe.frozen_stages

    def split(module: Any) -> list[list[Any]]:
        return [[p for m in group for p in m.parameters()] for group in _groups(module, stages)]

    smooth = recipe.label_smoothing
    return Learner(
        _data(lesson, made),
        made.module,
        loss_func=LabelSmoothingCrossEntropyFlat(eps=smooth) if smooth else CrossEntropyLossFlat(),
        splitter=split,
        train_bn=False,
    )


def _groups(module: Any, stages: int) -> list[list[Any]]:
    """Layers as stem and first stages, body, head."""
    stem, rest = network.parts(module)
    head = network.head(module)
    kept = [*stem, *rest[:stages]]
    body = [m for m in rest[stages:] if m is not head and head not in set(m.modules())]
    return [kept, body, [m for m in rest[stages:] if head in set(m.modules())]]


def _data(lesson: Lesson, made: network.Network) -> Any:
    recipe = lesson.recipe
    chosen = [*lesson.train, *lesson.valid]
    held_back = range(len(lesson.train), len(chosen))
    resize = FinalResize(recipe.size, method=METHODS[recipe.method])
    crop = TrainingCrop(recipe.taught_size, min_scale=recipe.min_scale)
    changes = aug_transforms(
        do_flip=False,  # FlipItem is cheaper
        max_rotate=recipe.max_rotate,
        max_zoom=1.0,
        max_warp=0.0,
        max_lighting=recipe.max_lighting,
        xtra_tfms=[Saturation(recipe.max_saturation, p=0.5)],
    )
    block = _block(lesson, made, [FlipItem(), crop, resize], changes, IndexSplitter(held_back))
    workers = min(8, os.cpu_count() or 1) if torch.cuda.is_available() and os.name != "nt" else 0
    return block.dataloaders(
        [lesson.files[i] for i in chosen],
        path=".",
        bs=min(recipe.batch_size, len(lesson.train)),
        num_workers=workers,  # a CPU is busy with the network itself
    )


def _block(lesson: Lesson, made: network.Network, items: Any, batches: Any, splitter: Any) -> Any:
    return DataBlock(
        blocks=(ImageBlock, CategoryBlock(vocab=list(lesson.vocab), sort=False)),
        get_y=parent_label,
        splitter=splitter,
        item_tfms=items,
        batch_tfms=[*batches, Normalize.from_stats(made.mean, made.std)],
    )


def _fit(learner: Any, recipe: Recipe, made: network.Network, keeper: Keeper) -> None:
    rates: Any = recipe.scratch_rate
    still: list[Any] = []
    learner.create_opt()
    if made.weights is not None:
        learner.freeze_to(1)
        rates = [recipe.rate, recipe.rate, recipe.head_rate]
        # Norms work as they will in use: with the statistics of small batches the body would
        # be another one than the head was fitted to.
        norms = [m for m in learner.model.modules() if isinstance(m, norm_types)]
        still = [*_groups(learner.model, recipe.frozen_stages)[0], *norms]
    keeper.begin(learner)
    callbacks = [keeper, StayAsTheyAre(still), ChannelsLast()]
    if recipe.bfloat16 and has_bfloat16(learner.dls.device):
        callbacks.append(Bfloat16(learner.dls.device.type))
    if recipe.mixup:
        callbacks.append(MixUp(recipe.mixup))
    if recipe.average:
        callbacks.append(MovingAverage(recipe.average, keeper))
    with ExitStack() as quiet:
        quiet.enter_context(learner.no_bar())
        quiet.enter_context(learner.no_logging())
        learner.fit_one_cycle(
            recipe.epochs,
            rates,
            wd=recipe.weight_decay,
            cbs=callbacks,
            start_epoch=keeper.start_epoch,
        )


def _blend(model: Any, before: Path, share: float) -> None:
    """Weights `share` of the way from the file `before` to those of the model."""
    start = torch.load(before, weights_only=True, map_location="cpu")
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.lerp(start[name].to(value), value, share))


def _settle(learner: Any, lesson: Lesson, made: network.Network) -> None:
    """Leave only what anybody's fastai can load: plain transforms, nothing of this project."""
    model = learner.model.to(memory_format=torch.contiguous_format).float().eval()
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    learner.opt, learner.splitter = None, trainable_params
    learner.loss_func = CrossEntropyLossFlat()
    resize = Resize(lesson.recipe.size, method=METHODS[lesson.recipe.method])
    block = _block(lesson, made, [resize], [], IndexSplitter([0]))
    learner.dls = block.dataloaders(
        [lesson.files[i] for i in lesson.train[:2]], path=".", bs=64, num_workers=0
    )
