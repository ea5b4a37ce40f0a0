"""What a learner's transforms do to a picture at validation: on its pixels, and in the network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from msgspec import structs
from PIL import Image
from torch import Tensor, nn

from trayapp.engine import EngineError
from trayapp.engine.card import Input
from trayapp.engine.operators import declare_torchvision_operators
from trayapp.engine.unpickle import made_by
from trayapp.learning.resample import Resample, resample_like

declare_torchvision_operators()  # what follows imports torchvision

from fastai.data.transforms import IntToFloatTensor, Normalize, ToTensor  # noqa: E402
from fastai.vision.augment import (  # noqa: E402
    AffineCoordTfm,
    CropPad,
    RandomCrop,
    RandomResizedCrop,
    RandomResizedCropGPU,
    Resize,
)
from fastai.vision.core import PILImage, TensorImage  # noqa: E402

_TOLERANCE = 1e-4
"""How far a transform may be from doing nothing; pixels are in [0, 1], and 8 bits step by 0.004."""


@dataclass(frozen=True, slots=True)
class Transforms:
    """`input` is done to the picture; `batch` (maybe empty) comes before the learner's network."""

    input: Input
    batch: nn.Sequential


def read_transforms(learner: Any) -> Transforms:
    """What `learner` does to a picture at validation (split_idx 1).

    Raises:
        EngineError: it cannot be done without fastai; names the transform.
    """
    loader = learner.dls.test_dl([PILImage.create(torch.zeros(8, 8, 3).byte().numpy())])
    if before := [t for t in loader.before_batch.fs if _works(t)]:
        raise _refusal(before[0], "works on the pictures of a batch together")
    spec = _read_item(_item_transforms(learner, loader))
    return _read_batch([t for t in loader.after_batch.fs if _works(t)], spec)


def _item_transforms(learner: Any, loader: Any) -> list[Any]:
    """Those after the one that makes a picture, wherever they were given."""
    first = learner.dls.tls[0].tfms.fs
    makers = [n for n, t in enumerate(first) if any(issubclass(k, PILImage) for k in made_by(t))]
    own = list(first[makers[-1] + 1 :]) if makers else []
    return [t for t in [*own, *loader.after_item.fs] if _works(t) and type(t) is not ToTensor]


def _works(transform: Any) -> bool:
    """Whether it does anything at validation; flips and lighting are for training only."""
    return getattr(transform, "split_idx", None) != 0 and type(transform).__name__ != "noop"


def _read_item(transforms: list[Any]) -> Input:
    spec: Input | None = None
    for transform in transforms:
        kind = type(transform)
        if kind in (Resize, RandomResizedCrop) and (spec is None or spec.resize == "none"):
            spec = _resizing(transform, spec)
        elif kind in (CropPad, RandomCrop) and (spec is None or spec.resize != "none"):
            spec = _cropping(transform, spec)
        elif kind in (Resize, RandomResizedCrop, CropPad, RandomCrop):
            raise _refusal(transform, "is not the only one that resizes or crops")
        else:
            raise _refusal(transform, "is not one of fastai's that Beartray knows")
    if spec is None:
        raise EngineError(
            "the learner takes pictures of any size (no Resize, RandomResizedCrop or CropPad "
            "among its item transforms): train it with item_tfms=Resize(…)"
        )
    return spec


def _resizing(transform: Any, before: Input | None) -> Input:
    width, height = map(int, transform.size)
    plain = Input(width, height, "squish", _resampling(transform), (0.0,) * 3, (1.0,) * 3)
    if before is not None:
        cut = (before.width, before.height)
        plain = structs.replace(plain, cut=cut, padding=before.padding)
    if type(transform) is Resize:
        plain = structs.replace(plain, resize=str(transform.method))
        if plain.resize == "pad":
            if before is not None and before.padding != str(transform.pad_mode):
                raise _refusal(transform, "pads in another way than the one before it")
            plain = structs.replace(plain, padding=str(transform.pad_mode))
        return _checked(transform, plain)
    # The whole picture, squeezed to a bit more than the size, less the margin.
    margin = math.ceil(max(width, height) * transform.val_xtra / 8) * 8
    return _checked(
        transform,
        structs.replace(plain, scaled=(width + margin, height + margin) if margin else None),
    )


def _cropping(transform: Any, before: Input | None) -> Input:
    width, height = map(int, transform.size)
    padding: Any = str(getattr(transform, "pad_mode", "zeros"))
    if before is None:
        plain = Input(width, height, "none", "bilinear", (0.0,) * 3, (1.0,) * 3, padding=padding)
        return _checked(transform, plain)
    if before.scaled is not None:
        raise _refusal(transform, "is not the only one that crops")
    scaled = (before.width, before.height)
    framed = before.resize == "pad" or before.cut is not None
    if framed and padding != before.padding and (width > scaled[0] or height > scaled[1]):
        raise _refusal(transform, "pads in another way than the one before it")
    if framed:
        padding = before.padding
    return _checked(
        transform,
        structs.replace(before, width=width, height=height, scaled=scaled, padding=padding),
    )


def _checked(transform: Any, spec: Input) -> Input:
    """`structs.replace` checks no value; a model.json has to be readable."""
    try:
        return msgspec.convert(msgspec.to_builtins(spec), Input)
    except msgspec.ValidationError as error:
        raise _refusal(transform, f"has a setting that Beartray does not know ({error})") from None


def _resampling(transform: Any) -> Any:
    return Image.Resampling(int(transform.mode)).name.lower()


def _read_batch(transforms: list[Any], spec: Input) -> Transforms:
    """Sort each transform into what the pixels get anyway, and what the network has to do."""
    steps: list[nn.Module] = []
    size = (spec.height, spec.width)
    scale, normal = 255.0, None
    for number, transform in enumerate(transforms):
        last = number == len(transforms) - 1
        if type(transform) is IntToFloatTensor and not steps:
            scale = 1.0 / (float(transform.div) / 255.0) if transform.div else 255.0
            if scale != 1.0:
                steps.append(Scale(scale))
        elif type(transform) is Normalize and last and all(map(_keeps_flat, steps)):
            normal = _statistics(transform)
        elif type(transform) is Normalize:
            steps.append(Standardize(*_statistics(transform)))
        else:
            step, size = _step(transform, size)
            steps += [step] if step else []
    if scale == 255.0 and not any(type(t) is IntToFloatTensor for t in transforms):
        steps.insert(0, Scale(255.0))
    if normal:
        spec = structs.replace(spec, mean=tuple(normal[0]), std=tuple(normal[1]))
    return Transforms(_checked_range(spec), nn.Sequential(*steps).eval())


def _checked_range(spec: Input) -> Input:
    if min(spec.std) <= 0:
        raise EngineError(f"the learner's Normalize divides by {min(spec.std):g}: train it again")
    return spec


def _keeps_flat(step: nn.Module) -> bool:
    """Whether it may come after Normalize as well as before: it only takes averages."""
    return isinstance(step, Resample) and step.keeps_flat


def _statistics(transform: Any) -> tuple[list[float], list[float]]:
    # The digits that single precision has: 0.485, not 0.48500001430511475.
    mean, std = (
        [float(f"{number:.7g}") for number in value.flatten().tolist()]
        for value in (transform.mean, transform.std)
    )
    if len(mean) == 1:
        mean, std = mean * 3, std * 3
    if len(mean) != 3 or len(std) != 3:
        raise _refusal(transform, f"is for pictures of {len(mean)} channels")
    return mean, std


def _step(transform: Any, size: tuple[int, int]) -> tuple[nn.Module | None, tuple[int, int]]:
    """What `transform` does to pictures of `size` (height, width), and their size after it."""
    own = Own(transform)
    picture = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    try:
        once, again = own(picture.clone()), own(picture.clone())
    except Exception as error:
        raise _refusal(transform, f"fails on a picture ({error})") from error
    if once.shape[:2] != picture.shape[:2] or not torch.equal(once, again):
        raise _refusal(transform, "does not give the same twice at validation")
    after = (int(once.shape[2]), int(once.shape[3]))
    if after == size and (once - picture).abs().max() <= _TOLERANCE:
        return None, size
    if isinstance(transform, AffineCoordTfm | RandomResizedCropGPU):
        step = resample_like(own, size)
        if (step(picture) - once).abs().max() <= _TOLERANCE:
            return step, after
        raise _refusal(transform, "turns or bends pictures at validation")
    try:
        torch.jit.trace(own, picture, check_trace=True)
    except Exception as error:
        raise _refusal(transform, "cannot be made part of the network") from error
    return own, after


class Own(nn.Module):
    """A transform of the learner, as a layer."""

    def __init__(self, transform: Any) -> None:
        super().__init__()
        self.transform = transform

    def forward(self, pictures: Tensor) -> Tensor:
        made = self.transform(TensorImage(pictures), split_idx=1)
        return made.as_subclass(Tensor)


class Scale(nn.Module):
    """Pixels in [0, 1] to the range that the learner takes."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures * self.factor


class Standardize(nn.Module):
    """Normalize, where it cannot be done before all else."""

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> Tensor:
        return (pictures - self.mean) / self.std


def _refusal(transform: Any, why: str) -> EngineError:
    return EngineError(
        f"the learner's transform {type(transform).__name__} {why}, so model.onnx could not give "
        "its answers: train it without, or use the learner itself with fastai"
    )
