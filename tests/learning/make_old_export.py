"""Makes fastai-2.7.pkl, an export as people have had them for years, for test_unpickle.py.

    python -m venv old; old/bin/pip install "fastai==2.7.18" "fastcore==1.7.29"
    old/bin/python tests/learning/make_old_export.py

It prints the answers that the test expects. fastai 2.8 moved what such an export names.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import fastai.vision.all as fv
import torch
from PIL import Image
from torch import nn

COLOURS = {"blue": (40, 60, 200), "green": (60, 190, 50), "red": (210, 40, 50)}
FILE = Path(__file__).parent / "fastai-2.7.pkl"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # no path of this computer gets into the file
        for label, colour in COLOURS.items():
            Path(label).mkdir()
            for number in range(8):
                Image.new("RGB", (60 + number, 50), colour).save(f"{label}/{number}.png")
        fv.set_seed(1)
        learner = _learner()
        with learner.no_bar(), learner.no_logging():
            learner.fit(4, 1e-2)
            learner.export(FILE)
            for label, colour in COLOURS.items():
                print(
                    label, learner.predict(fv.PILImage.create(Image.new("RGB", (90, 40), colour)))
                )


def _learner() -> fv.Learner:
    block = fv.DataBlock(
        (fv.ImageBlock, fv.CategoryBlock),
        get_items=fv.get_image_files,
        get_y=fv.parent_label,
        splitter=fv.RandomSplitter(0.25, seed=1),
        item_tfms=fv.RandomResizedCrop(32, min_scale=0.5),
        batch_tfms=[*fv.aug_transforms(), fv.Normalize.from_stats(*fv.imagenet_stats)],
    )
    network = nn.Sequential(
        nn.Conv2d(3, 6, 5, 4), nn.ReLU(), fv.AdaptiveConcatPool2d(1), fv.Flatten(), nn.Linear(12, 3)
    )
    loaders = block.dataloaders(Path(), bs=6, num_workers=0, device=torch.device("cpu"))
    return fv.Learner(loaders, network, loss_func=fv.CrossEntropyLossFlat())


if __name__ == "__main__":
    main()
