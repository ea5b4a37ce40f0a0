"""Small learners, trained on coloured pictures in a few seconds, as a person would export them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from trayapp.engine.operators import declare_torchvision_operators

declare_torchvision_operators()

import fastai.vision.all as fv  # noqa: E402

__all__ = ["fv"]  # the others are for `learners.…`

COLOURS = {"amber": (230, 160, 20), "cyan": (30, 200, 210), "plum": (140, 20, 130)}
SIDE = 48
EACH = 24


def colour_photo(names: str, number: int, size: tuple[int, int] | None = None) -> Image.Image:
    """A grainy photo of the colours in `names` ("amber", "amber+cyan"), each an area of it."""
    random = np.random.default_rng(number)
    width, height = size or (int(side) for side in random.integers(40, 140, 2))
    parts = [COLOURS[name] for name in names.split("+")]
    pixels = np.zeros((height, width, 3)) + random.integers(0, 60, 3)
    for place, colour in enumerate(parts):
        start, end = place * height // len(parts), (place + 1) * height // len(parts)
        pixels[start:end, width // 10 :] = colour
    pixels += random.normal(0, 12, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@cache
def photos(folder: Path) -> Path:
    """A folder of class folders; the pictures' names say the colours, too."""
    root = folder / "colours"
    for label in COLOURS:
        (root / label).mkdir(parents=True)
        for number in range(EACH):
            colour_photo(label, number).save(root / label / f"{label}_{number}.jpg")
    return root


@cache
def mixed_photos(folder: Path) -> Path:
    """Pictures of one or two colours, which their names say."""
    root = folder / "mixed"
    root.mkdir(parents=True)
    for names in (*COLOURS, "amber+cyan", "cyan+plum", "amber+plum"):
        for number in range(EACH):
            colour_photo(names, number).save(root / f"{names}_{number}.jpg")
    return root


def colours_of(path: Path) -> Any:  # fastai would take list[str] for a class to cast to
    return path.name.partition("_")[0].split("+")


@cache
def squished(folder: Path) -> Path:
    """resnet18 of torchvision, Resize squish, one label; trained."""
    return _export(
        _plain(folder, fv.resnet18, fv.Resize(SIDE, "squish")), folder / "squished.pkl", 4
    )


@cache
def cropped(folder: Path) -> Path:
    """A backbone of timm, RandomResizedCrop and aug_transforms, one label; trained."""
    learner = _plain(
        folder,
        "test_efficientnet",
        fv.RandomResizedCrop(64, min_scale=0.5),
        fv.aug_transforms(max_lighting=0.1),
    )
    return _export(learner, folder / "cropped.pkl", 12)


@cache
def several(folder: Path) -> Path:
    """Several labels a picture, Resize pad; trained."""
    block = fv.DataBlock(
        (fv.ImageBlock, fv.MultiCategoryBlock),
        get_items=fv.get_image_files,
        get_y=colours_of,
        splitter=fv.RandomSplitter(0.2, seed=1),
        item_tfms=fv.Resize(SIDE, "pad"),
    )
    fv.set_seed(1, reproducible=True)
    loaders = block.dataloaders(mixed_photos(folder), bs=12, num_workers=0)
    learner = fv.vision_learner(loaders, fv.resnet18, pretrained=False)
    return _export(learner, folder / "several.pkl", 5)


def untrained(folder: Path, arch: Any, item: Any, batch: Any = None, **options: Any) -> Any:
    """A learner with these transforms and chance weights that still tell pictures apart."""
    learner = _plain(folder, arch, item, batch, **options)
    _stir(learner)
    return learner


def _plain(folder: Path, arch: Any, item: Any, batch: Any = None, **options: Any) -> Any:
    torch.set_num_threads(1)
    fv.set_seed(1, reproducible=True)
    loaders = fv.ImageDataLoaders.from_folder(
        photos(folder),
        valid_pct=0.2,
        seed=1,
        item_tfms=item,
        batch_tfms=batch,
        bs=12,
        num_workers=0,
    )
    return fv.vision_learner(loaders, arch, pretrained=False, **options)


def _stir(learner: Any) -> None:
    """As if trained: batch norms have seen something, and pictures get decided, unlike answers."""
    torch.manual_seed(2)
    model = learner.model.train()
    pictures = learner.dls.valid.one_batch()[0].as_subclass(torch.Tensor)
    with torch.no_grad():
        for _ in range(3):
            model(pictures + 0.1 * torch.randn_like(pictures))
        answers = model.eval()(pictures)
        last = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
        scale = 4 / (answers - answers.mean(0)).std()
        last.weight *= scale
        middle = answers.mean(0) * scale
        if last.bias is None:
            last.bias = torch.nn.Parameter(-middle)
        else:
            last.bias.copy_(last.bias * scale - middle)


def _export(learner: Any, file: Path, epochs: int) -> Path:
    with learner.no_bar(), learner.no_logging():
        learner.fit_one_cycle(epochs, 5e-3)
    learner.export(file)
    return file
