"""A learner becomes a package that answers as it does, whatever its transforms and network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from torch import nn

from tests.learning import learners
from tests.learning.learners import fv
from trayapp.engine import EngineError
from trayapp.engine.card import Input, NoneClass, NoneThreshold, Parity
from trayapp.engine.package import ModelPackage
from trayapp.engine.preprocess import fit
from trayapp.engine.unpickle import load_learner
from trayapp.learning.convert import convert, write_package
from trayapp.learning.export import halve
from trayapp.learning.pack import Details, revise
from trayapp.learning.parity import compare, holds, suspect
from trayapp.learning.samples import make_samples

pytestmark = pytest.mark.learning


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("convert")


@pytest.fixture(scope="module")
def samples(base: Path) -> list[Path]:
    """Those that no engine decodes at a fraction of their size, which is not quite the same."""
    return [path for path in make_samples(base / "samples") if path.suffix == ".png"][:40]


Checked = tuple[Parity, ModelPackage]
Check = Callable[..., Checked]


@pytest.fixture
def check(tmp_path: Path, samples: Sequence[Path]) -> Check:
    """Convert a learner and compare it with its package, by default in full precision."""

    def check(learner: Any, *, half: bool = False) -> Checked:
        converted = convert(learner)
        details = Details("colours", dict.fromkeys(converted.labels, 0.9))
        package = write_package(tmp_path / "package", converted, details, half=half)
        return compare(learner, package, samples), package

    return check


@pytest.mark.parametrize("train", [learners.squished, learners.cropped, learners.several])
def test_trained_learners_of_three_kinds_are_the_same_in_half_the_size(
    check: Check, base: Path, train: Callable[[Path], Path]
) -> None:
    learner = load_learner(train(base))
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    parity, package = check(learner, half=True)
    assert parity.top1_agreement >= 0.99
    assert parity.mean_abs_dp <= 0.002
    assert parity.pictures == 40
    assert package.labels == ("amber", "cyan", "plum")
    assert package.card.activation == ("sigmoid" if train is learners.several else "softmax")
    weights = sum(value.numel() for value in learner.model.parameters())
    assert len(package.read("model.onnx")) < 2.2 * weights + 30_000
    for name, value in learner.model.state_dict().items():
        assert torch.equal(value, before[name]), "the learner itself stays as it was"


ITEMS = {
    "crop": [fv.Resize((40, 56))],
    "squish": [fv.Resize(48, "squish")],
    "pad with black": [fv.Resize(48, "pad", pad_mode="zeros")],
    "pad with the border": [fv.Resize(48, "pad", pad_mode="border")],
    "pad with reflections": [fv.Resize(48, "pad")],
    "random resized crop": [fv.RandomResizedCrop(56)],
    "without a margin": [fv.RandomResizedCrop(56, val_xtra=0.0)],
    "oblong": [fv.RandomResizedCrop((48, 64), val_xtra=0.3)],
    "cut out": [fv.CropPad(64)],
    "cut out with reflections": [fv.CropPad(64, pad_mode="reflection")],
    "cut out anywhere": [fv.RandomCrop(48)],
    "scaled, then cut out": [fv.Resize(64), fv.RandomCrop(48)],
    "scaled, then framed": [fv.Resize(48, "squish"), fv.RandomCrop((64, 56))],
    "cut out, then scaled": [fv.CropPad(100), fv.Resize(48, "squish")],
    "framed, then padded": [
        fv.CropPad((400, 90), pad_mode="border"),
        fv.Resize(48, "pad", "border"),
    ],
    "flipped in training": [fv.Resize(48), fv.FlipItem(), fv.DihedralItem()],
}


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_every_item_transform_gives_the_same_answers(
    check: Check, base: Path, item: list[Any]
) -> None:
    parity, _ = check(learners.untrained(base, "test_efficientnet", item))
    assert parity.top1_agreement == 1.0
    assert parity.max_abs_dp < 0.02, "a pixel may be rounded the other way"


BATCHES = {
    "nothing": [],
    "augmented": fv.aug_transforms(),
    "scaled down with the book's presizing": fv.aug_transforms(size=32),
    "scaled up": fv.aug_transforms(size=(96, 80), pad_mode="zeros"),
    "cropped": fv.aug_transforms(size=32, min_scale=0.75),
    "cropped a bit": [fv.RandomResizedCropGPU(40, valid_scale=0.8)],
    "standardized": [*fv.aug_transforms(size=40), fv.Normalize.from_stats(*fv.imagenet_stats)],
    "erased in training": [fv.RandomErasing(), fv.Normalize.from_stats(*fv.imagenet_stats)],
}


@pytest.mark.parametrize("batch", BATCHES.values(), ids=BATCHES)
def test_every_batch_transform_gives_the_same_answers(
    check: Check, base: Path, batch: list[Any]
) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(72), batch, normalize=False)
    parity, package = check(learner)
    assert parity.top1_agreement == 1.0
    assert parity.max_abs_dp < 0.001
    normal = any(isinstance(transform, fv.Normalize) for transform in batch)
    assert package.card.input.mean == pytest.approx(fv.imagenet_stats[0] if normal else (0, 0, 0))


class Invert(fv.Transform):
    """A transform of the person's own, on the batch."""

    order = 20

    def encodes(self, x: fv.TensorImage) -> fv.TensorImage:
        return 1 - x


class Shake(fv.Transform):
    """One that is not the same twice."""

    def encodes(self, x: fv.TensorImage) -> fv.TensorImage:
        return x + torch.rand_like(x)


class Darken(fv.Transform):
    """A transform of the person's own, on the picture."""

    def encodes(self, x: Image.Image) -> Image.Image:
        return x.point(lambda value: value // 2)


class Crop(fv.Resize):
    """Not what its parent does, perhaps."""


def test_an_own_batch_transform_becomes_part_of_the_network(check: Check, base: Path) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48), [Invert()])
    parity, _ = check(learner)
    assert parity.top1_agreement == 1.0
    assert parity.max_abs_dp < 0.001


@pytest.mark.parametrize(
    ("item", "batch", "named"),
    [
        ([fv.Resize(48), Darken()], None, "Darken"),
        ([Crop(48)], None, "Crop"),
        ([fv.RatioResize(48), fv.CropPad(48)], None, "RatioResize"),
        ([fv.RandomResizedCrop(64), fv.RandomCrop(48)], None, "is not the only one"),
        ([fv.Resize(48)], [Shake()], "Shake does not give the same twice"),
    ],
)
def test_what_cannot_be_reproduced_is_refused_by_name(
    base: Path, item: list[Any], batch: list[Any] | None, named: str
) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48))
    loaders = learner.dls
    loaders.valid.after_item.fs.clear()
    loaders.valid.after_item.fs.extend(item)
    if batch:
        loaders.valid.after_batch.fs.extend(batch)
    with pytest.raises(EngineError, match=named) as refusal:
        convert(learner)
    assert "\n" not in str(refusal.value)


def test_pictures_of_any_size_are_refused(base: Path) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48))
    learner.dls.valid.after_item.fs.clear()
    with pytest.raises(EngineError, match=r"takes pictures of any size .* item_tfms=Resize"):
        convert(learner)


class Pooled(nn.Module):
    """A network of the person's own, in a plain Learner."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU())
        self.head = nn.Linear(8, 3)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(pictures).mean((2, 3)))


def _timm(name: str) -> nn.Module:
    import timm

    return timm.create_model(name, num_classes=3, pretrained=False)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "torchvision": lambda: nn.Sequential(fv.models.squeezenet1_0(num_classes=3)),
    "TensorFlow's padding": lambda: _timm("tf_efficientnet_lite0"),
    "attention": lambda: _timm("test_vit"),
    "own": Pooled,
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("side", [64, 57])
def test_a_bare_network_in_a_learner(
    check: Check, base: Path, network: Callable[[], nn.Module], side: int
) -> None:
    if network is NETWORKS["attention"]:
        side = 160  # the only size that it takes
    loaders = learners.untrained(base, "test_efficientnet", fv.Resize(side, "squish")).dls
    torch.manual_seed(3)
    learner = fv.Learner(loaders, network(), loss_func=fv.CrossEntropyLossFlat())
    parity, package = check(learner)
    assert parity.max_abs_dp < 0.001
    graph = onnx.load_from_string(package.read("model.onnx"))
    kinds = {node.op_type for node in graph.graph.node}
    assert "BatchNormalization" not in kinds or network is NETWORKS["attention"]


@pytest.mark.parametrize(
    ("loss", "activation"),
    [
        (fv.CrossEntropyLossFlat(), "softmax"),
        (fv.FocalLossFlat(), "softmax"),
        (fv.LabelSmoothingCrossEntropy(), "softmax"),
        (nn.CrossEntropyLoss(), "softmax"),
        (fv.BCEWithLogitsLossFlat(thresh=0.3), "sigmoid"),
    ],
)
def test_the_loss_says_what_the_outputs_are(base: Path, loss: Any, activation: str) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48))
    learner.loss_func = loss
    converted = convert(learner)
    assert converted.activation == activation
    assert converted.threshold == (0.3 if activation == "sigmoid" else 0)


@pytest.mark.parametrize("loss", [fv.MSELossFlat(), fv.L1LossFlat()])
def test_other_losses_are_refused_by_name(base: Path, loss: Any) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48))
    learner.loss_func = loss
    with pytest.raises(EngineError, match=f"loss {type(loss.func).__name__} gives neither"):
        convert(learner)


def test_a_network_for_other_labels_is_refused(base: Path) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48))
    learner.model = nn.Sequential(learner.model, nn.Linear(3, 5))
    with pytest.raises(EngineError, match=r"gives \(1, 5\) for a picture and 3 labels"):
        convert(learner)


def test_the_same_learner_gives_the_same_bytes(base: Path, tmp_path: Path) -> None:
    learner = learners.untrained(base, fv.resnet18, fv.Resize(48), fv.aug_transforms(size=32))
    first, second = convert(learner), convert(learner)
    assert first == second
    assert halve(first.model) == halve(second.model)
    assert str(Path.home()).encode() not in first.model
    assert b".py" not in first.model, "nothing of where a layer was written"
    details = Details("twice", dict.fromkeys(first.labels, 0.9), readme="# twice\n")
    texts = [
        write_package(tmp_path / name, found, details).folder.joinpath("model.json").read_bytes()
        for name, found in (("a", first), ("b", second))
    ]
    assert texts[0] == texts[1]


def test_one_label_may_mean_none_of_these(base: Path, tmp_path: Path) -> None:
    converted = convert(learners.untrained(base, "test_efficientnet", fv.Resize(48)))
    details = Details("two", {"amber": 0.6, "plum": 0.7}, none="cyan", others={"a.png": b"plot"})
    package = write_package(tmp_path, converted, details)
    assert package.labels == ("amber", "plum")
    assert package.card.none == NoneClass(1)
    assert set(package.card.files) == {"model.onnx", "a.png"}
    again = revise(package, readme="# two\n", description="Better.", none=NoneThreshold())
    assert ModelPackage.load(tmp_path) == again
    assert set(again.card.files) == {"model.onnx", "a.png", "README.md"}
    with pytest.raises(EngineError, match="no label 'grey' for none of these"):
        write_package(
            tmp_path, converted, Details("x", dict.fromkeys(converted.labels, 0.5), "grey")
        )


def test_what_makes_the_difference_is_named(base: Path, tmp_path: Path) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48))
    converted = convert(learner)
    other = msgspec.structs.replace(converted.input, resize="squish")
    paths = [tmp_path / f"{number}.png" for number in range(4)]
    for number, path in enumerate(paths):
        stripes = learners.colour_photo("amber+cyan+plum", number, (40, 150))
        stripes.transpose(Image.Transpose.ROTATE_90).save(path)
    details = Details("wrong", dict.fromkeys(converted.labels, 0.9))
    changed = type(converted)(converted.model, other, "softmax", converted.labels)
    package = write_package(tmp_path / "wrong", changed, details)
    assert not holds(compare(learner, package, paths))
    assert suspect(learner, package, paths) == "its item transforms (Resize, ToTensor)"


class Nothing(fv.Callback):
    """A callback that a learner may carry along."""


def test_callbacks_do_not_matter(check: Check, base: Path) -> None:
    learner = learners.untrained(base, "test_efficientnet", fv.Resize(48))
    learner.add_cb(Nothing())
    assert check(learner)[0].top1_agreement == 1.0


SIZES = [(1, 1), (1, 30), (30, 1), (2, 3), (24, 24), (33, 32), (90, 61), (47, 61), (300, 20)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", ["crop", "squish", "pad"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
def test_resizing_is_fastais_to_the_pixel(size: tuple[int, int], method: Any, padding: Any) -> None:
    width, height = size
    noise = np.random.default_rng(width * height).integers(0, 256, (height, width, 3))
    image = Image.fromarray(noise.astype(np.uint8))
    for side in ((24, 24), (20, 32)):
        theirs = np.asarray(fv.Resize(side, method, pad_mode=padding)(image, split_idx=1))
        spec = Input(side[1], side[0], method, "bilinear", (0.0,) * 3, (1.0,) * 3, padding=padding)
        ours = np.asarray(fit(image, spec))
        if min(size) == 1 and not theirs.any():
            continue  # fastai's rounding left nothing of it but black
        assert np.array_equal(ours, theirs)
