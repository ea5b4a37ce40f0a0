"""Findings → plots as SVG that takes the colours of the page it lies in, light or dark."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from trayapp.learning import evaluate
from trayapp.learning.evaluate import Bin, Point
from trayapp.learning.findings import Findings, History

INK = "#010203"  # stands for the page's own text colour until the plot is written
BLUE, ORANGE, GREY = "#3b82f6", "#f59e0b", "#8b8b8b"
_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "font.family": "sans-serif",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}


def reliability(findings: Findings) -> str:
    """Confidence against accuracy, before and after calibration."""
    truth = findings.asked.truth
    raw = evaluate.reliability(findings.raw_answers, truth)
    calibrated = evaluate.reliability(findings.answers, truth)

    def draw(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="ideal")
        _bins(axes, raw, ORANGE, "before")
        _bins(axes, calibrated, BLUE, "after")
        axes.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.02))
        axes.legend()

    return _svg("reliability", draw)


def coverage(findings: Findings) -> str:
    """What one threshold for all labels would file, and how much of that is right."""
    points = evaluate.curve(findings.answers, findings.asked.truth)
    target = findings.fit.calibration.target

    def draw(axes: Any) -> None:
        shown = [point for point in points if point.filed > 0]
        axes.plot([p.filed for p in shown], [p.right for p in shown], color=BLUE)
        for wanted in (0.5, 0.7, 0.9):
            _mark(axes, min(points, key=lambda p: abs(p.threshold - wanted)))
        if target is not None:
            axes.axhline(target, color=ORANGE, linewidth=1, linestyle="--", label="the target")
            axes.legend()
        low = min((point.right for point in shown), default=0.0)
        axes.set(
            xlabel="share of the photos with a label that gets filed",
            ylabel="of all that is filed, right",
            xlim=(0, 1.02),
            ylim=(min(low, 0.95) - 0.005, 1.003),
        )

    return _svg("coverage", draw)


def training(histories: Sequence[History]) -> str:
    """Loss over the epochs of each training: learnt from, and held back."""

    def draw(axes: Any) -> None:
        for number, rows in enumerate(histories):
            first = number == 0
            epochs = [row[0] for row in rows]
            axes.plot(epochs, [row[1] for row in rows], color=BLUE, label="learnt" if first else "")
            held = [(row[0], row[2]) for row in rows if row[2] is not None]
            if held:
                axes.plot(*zip(*held, strict=True), color=ORANGE, label="held back" * first)
        axes.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()

    return _svg("training", draw)


def _bins(axes: Any, bins: Sequence[Bin], colour: str, label: str) -> None:
    most = max((part.photos for part in bins), default=1)
    axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], color=colour, label=label)
    sizes = [10 + 70 * part.photos / most for part in bins]
    axes.scatter([b.confidence for b in bins], [b.accuracy for b in bins], sizes, color=colour)


def _mark(axes: Any, point: Point) -> None:
    axes.plot([point.filed], [point.right], "o", color=BLUE, markersize=4)
    axes.annotate(
        f"{point.threshold:.2f}",
        (point.filed, point.right),
        textcoords="offset points",
        xytext=(4, -11),
    )


def _svg(name: str, draw: Any) -> str:
    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):  # no two plots share an id
        figure = Figure(figsize=(4.6, 3.2), layout="constrained")
        draw(figure.subplots())
        stream = io.StringIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    return text[text.index("<svg") :].replace(INK, "currentColor")
