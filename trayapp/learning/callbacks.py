"""What goes along with a fit: checkpoints, number formats, layers that stay as they are."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trayapp.engine.operators import declare_torchvision_operators
from trayapp.files import write_atomically
from trayapp.learning.progress import Advance

declare_torchvision_operators()

import torch  # noqa: E402
from fastai.callback.core import Callback  # noqa: E402
from fastai.torch_core import set_seed, to_float  # noqa: E402
from fastcore.foundation import L  # noqa: E402
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn  # noqa: E402

Row = tuple[int, float, float | None, float | None]
"""Epoch from 1 on, loss, and on what is held back: loss, and the share that is right."""

Tell = Callable[[Row], None]


class Keeper(Callback):
    """Counts, and saves after each epoch all that is needed to go on from there.

    Every epoch has a seed of its own, so that one that was interrupted goes on as if it was not.
    """

    order = 60  # after all that changes the model

    def __init__(self, file: Path, seed: int) -> None:
        self.file, self.seed = file, seed
        self.start_epoch = 0
        self.history = list[Row]()
        self.average: Any = None  # of MovingAverage
        self._advance: Advance = int
        self._tell: Tell = _nobody
        self._state: dict[str, Any] = {}

    def restore(self, learner: Any, advance: Advance, tell: Tell, pictures: int) -> None:
        """Take up the last saved state, if there is one; an epoch goes through `pictures`."""
        self._advance, self._tell = advance, tell
        if not self.file.is_file():
            return
        self._state = torch.load(self.file, weights_only=True, map_location=learner.dls.device)
        learner.model.load_state_dict(self._state["model"])
        self.history = list(self._state["history"])
        advance(pictures * len(self.history))

    def begin(self, learner: Any) -> None:
        """Before it is fitted, with the new optimiser."""
        state, self._state = self._state, {}
        if state:
            self.start_epoch, self.average = state["epoch"], state["average"]
            hypers = L(dict(values) for values in state["hypers"])
            learner.opt.load_state_dict({"hypers": hypers, "state": state["opt"]})

    def before_epoch(self) -> None:
        seed = self.seed + self.epoch
        set_seed(seed, reproducible=True)
        self.dls.train.rng = random.Random(seed)
        self._sums = {True: [0.0, 0, 0], False: [0.0, 0, 0]}  # loss, right, pictures

    def after_batch(self) -> None:
        sums, count = self._sums[self.training], len(self.yb[0])
        sums[0] += float(self.loss.detach()) * count
        sums[2] += count
        if self.training:
            self._advance(count)
        else:
            sums[1] += int((self.pred.argmax(1) == self.yb[0]).sum())

    def after_epoch(self) -> None:
        if self.epoch < self.start_epoch:
            return
        loss, _, seen = self._sums[True]
        held_loss, right, held = self._sums[False]
        values = (held_loss / held, right / held) if held else (None, None)
        self.history.append((len(self.history) + 1, loss / max(1, seen), *values))
        self._tell(self.history[-1])
        self.save(self.epoch + 1)

    def save(self, epoch: int) -> None:
        """What is reached before `epoch`."""
        state = self.learn.opt.state_dict()
        hypers = [{k: float(v) for k, v in values.items()} for values in state["hypers"]]
        write_state(
            {
                "model": self.learn.model.state_dict(),
                "epoch": epoch,
                "history": self.history,
                "hypers": hypers,
                "opt": state["state"],
                "average": None if self.average is None else self.average.state_dict(),
            },
            self.file,
        )


class StayAsTheyAre(Callback):
    """Keeps norms at the statistics, and layers that are not taught, as they were before."""

    order = 5  # after the one that sets the whole model to training

    def __init__(self, modules: Sequence[Any]) -> None:
        self.modules = modules

    def before_train(self) -> None:
        for module in self.modules:
            module.eval()


class Bfloat16(Callback):
    """Computes in bfloat16 where that is safe; fastai's own callback does it on CUDA only."""

    order = 10

    def __init__(self, device: str) -> None:
        self.device = device

    def before_batch(self) -> None:
        self.autocast = torch.autocast(self.device, torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self) -> None:
        self.learn.pred = to_float(self.pred)

    def after_loss(self) -> None:
        self.autocast.__exit__(None, None, None)


class MovingAverage(Callback):
    """Ends with the exponential moving average of the weights (Polyak and Juditsky 1992).

    Of the first steps, each counts more: in a short training the weights that it began with
    would otherwise outweigh all that it learnt.
    """

    order = 50

    def __init__(self, decay: float, keeper: Keeper) -> None:
        self.decay, self.keeper = decay, keeper

    def before_fit(self) -> None:
        average = AveragedModel(self.learn.model, multi_avg_fn=self._update, use_buffers=True)
        if self.keeper.average is not None:
            average.load_state_dict(self.keeper.average)
        self.keeper.average = average

    def _update(self, average: Any, current: Any, number: Any) -> None:
        decay = min(self.decay, (1 + int(number)) / (10 + int(number)))
        get_ema_multi_avg_fn(decay)(average, current, number)

    def after_step(self) -> None:
        self.keeper.average.update_parameters(self.learn.model)

    def after_fit(self) -> None:
        self.learn.model.load_state_dict(self.keeper.average.module.state_dict())


def has_bfloat16(device: Any) -> bool:
    """Whether the processor computes in bfloat16, rather than only imitating it slowly."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return device.type == "cpu" and any(getattr(torch.cpu, name, bool)() for name in checks)


def write_state(state: Any, file: Path) -> None:
    """What torch can load again, as a whole or not at all. Raises `OSError` on a full disk."""
    stream = io.BytesIO()  # torch itself tells of a full disk in its own words
    torch.save(state, stream)
    write_atomically(file, stream.getvalue(), 0o644)


def _nobody(_row: Row) -> None:
    """Before anybody has asked to be told."""
