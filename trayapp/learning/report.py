"""Findings → report.html, a page with plots and pictures that needs nothing beside it."""

from __future__ import annotations

import base64
import io
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jinja2

from trayapp.engine.card import Metric
from trayapp.engine.decode import decode
from trayapp.engine.package import ModelPackage
from trayapp.learning import evaluate, plots
from trayapp.learning.dataset import NONE, Picture
from trayapp.learning.findings import Findings
from trayapp.learning.pictures import shrink

TEMPLATE = Path(__file__).with_name("report.html")
PICTURES = 60  # at most in each part: a page to look through, not an archive
SIDE = 150  # pixels of a picture's shorter side


def render(findings: Findings, package: ModelPackage) -> str:
    """The page for `findings` about `package`."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    mistakes, suspects = findings.mistakes(), findings.suspects()
    page = template.render(
        findings=findings,
        card=package.card,
        split=split_in_words(findings),
        share=percent(findings.fit.calibration.none_share),
        target=percent(findings.fit.calibration.target),
        ece=calibration_error_in_words(findings),
        metrics=[metric_row(metric) for metric in findings.metrics],
        classes=[*findings.asked.labels, NONE],
        confusion=_confusion(findings),
        plots=_plots(findings),
        mistakes=[_mistake(findings, i) for i in mistakes[:PICTURES]],
        mistake_count=len(mistakes),
        suspects=[
            {
                **_photo(item.picture),
                "own": percent(item.probability),
                "said": item.other,
                "confidence": percent(item.other_probability),
            }
            for item in suspects[:PICTURES]
        ],
        suspect_count=len(suspects),
        put_right=findings.put_right(),
        made=made(findings, package),
        left_out=findings.dataset.left_out,
    )
    return str(page)


def percent(share: float | None) -> str:
    """A share in [0, 1] as people read it; "–" where there is none."""
    return "–" if share is None else f"{100 * share:.1f} %"


def metric_row(metric: Metric) -> dict[str, Any]:
    """A metric with what follows from it."""
    right = metric.right / metric.filed if metric.filed else None
    refused = 1 - metric.filed / metric.photos if metric.photos else None
    return {
        "data": metric.data,
        "photos": f"{metric.photos:,}",
        "best": percent((metric.best or 0) / metric.photos) if metric.best else "–",
        "filed": f"{metric.filed:,}",
        "right": f"{metric.right:,}",
        "precision": percent(right),
        "refused": percent(refused),
    }


def split_in_words(findings: Findings) -> str:
    """What was held back from what."""
    count = len(set(findings.asked.folds.tolist()))
    asked = f"{len(findings.asked.pictures):,} photos"
    if not findings.folds:
        return f"Held back: {asked}, a fifth of each class and kind."
    by_source = findings.folds.startswith("source")
    how = "whole sources held back in turn" if by_source else "a part at a time"
    return f"Held back: all {asked}, {how}, in {count} trainings; the model itself learnt from all."


def calibration_error_in_words(findings: Findings) -> str:
    """ECE before and after."""
    calibration = findings.fit.calibration
    return f"{percent(calibration.ece_before)} before, {percent(calibration.ece_after)} after"


def made(findings: Findings, package: ModelPackage) -> dict[str, Any]:
    """All that is needed to make it again, and how far model.onnx is from the learner."""
    found = package.card.parity
    parity = "not measured"
    if found:
        parity = (
            f"{found.pictures} pictures, same first choice on {percent(found.top1_agreement)}, "
            f"mean |Δp| {found.mean_abs_dp:.5f}, largest {found.max_abs_dp:.4f}"
        )
    return {
        "photos": f"{len(findings.dataset.pictures):,}",
        "left out": f"{len(findings.dataset.left_out):,}",
        "weights to start from": findings.weights or "none: trained from scratch",
        "seed": findings.seed,
        "folds": findings.folds or "none",
        "model.onnx against the learner": parity,
        **{key.replace("_", " "): value for key, value in asdict(findings.recipe).items()},
    }


def _plots(findings: Findings) -> dict[str, str]:
    return {
        "reliability": plots.reliability(findings),
        "coverage": plots.coverage(findings),
        "training": plots.training(findings.histories),
    }


def _confusion(findings: Findings) -> list[dict[str, Any]]:
    table = evaluate.confusion(findings.answers, findings.asked.truth, findings.fit.thresholds)
    rows = []
    for row in table.tolist():
        # Even one mistake shows: the colour grows with the root of the share.
        depths = [round(65 * (count / max(1, sum(row))) ** 0.5) for count in row]
        cells = [{"count": c, "depth": d} for c, d in zip(row, depths, strict=True)]
        rows.append({"cells": cells})
    return rows


def _mistake(findings: Findings, i: int) -> dict[str, str]:
    return {
        **_photo(findings.asked.pictures[i]),
        "said": findings.answers.labels[findings.answers.best[i]],
        "confidence": percent(float(findings.answers.confidence[i])),
    }


def _photo(picture: Picture) -> dict[str, str]:
    image, _ = decode(picture.path, enough=2 * SIDE)
    stream = io.BytesIO()
    shrink(image, SIDE).save(stream, "JPEG", quality=80)
    data = base64.b64encode(stream.getvalue()).decode()
    label = picture.label or f"{NONE} ({picture.kind})"
    return {"name": picture.name, "label": label, "image": f"data:image/jpeg;base64,{data}"}
