"""Findings → README.md, the model card of a package (Mitchell et al. 2019, arXiv:1810.03993)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from trayapp.engine.package import ModelPackage
from trayapp.learning import report
from trayapp.learning.dataset import NONE
from trayapp.learning.evaluate import first_choice
from trayapp.learning.findings import Findings

CARD = """# {name}

{description}
Made by `beartray train`: {provenance}.

- **Input**: {width} × {height} px, RGB, {resize}.
- **Parity**: {parity}.
- **Licence**: {licence}. The photos' own licences are another matter.

## Data

{data}

{left_out} files were left out: unreadable, there twice, or dropped by hand.

## What it files

{split}
{first} of the photos that have a label are right by the first choice alone.

{metrics}

Measured with thresholds that were chosen on other photos than those measured.

## When it is sure enough

Temperature {temperature:.2f}; calibration error (ECE, 15 bins) {ece}.
A label's threshold is the lowest from 0.5 on at which, of the photos held back, at least {target}
of what gets filed is right, mistakes on photos of none of these included, with a confidence of
95 % where the photos allow it. It holds for folders like these photos, of which {share} are none
of these; where more of what comes in is something else, more of what is filed is wrong.

{thresholds}
{notes}
## Know before you trust it

- The figures are for photos like those it was trained on. Photos from another camera, season or
  place may do worse: try it with `beartray classify`, and with `beartray sort --dry-run`.
- It knows what is none of these from the {negatives:,} examples it was shown, not from the world.
- Labels that are wrong in the data count here as mistakes, or teach it to make them.
"""


def render(findings: Findings, package: ModelPackage) -> str:
    """The model card of `package`."""
    card, calibration = package.card, findings.fit.calibration
    made = report.made(findings, package)
    return CARD.format(
        name=card.name,
        description=card.description,
        provenance=card.provenance,
        width=card.input.width,
        height=card.input.height,
        resize=f"{card.input.resize}, {card.input.resampling}",
        parity=made["model.onnx against the learner"],
        licence=card.licence,
        data=_data(findings),
        left_out=f"{len(findings.dataset.left_out):,}",
        split=report.split_in_words(findings),
        first=report.percent(first_choice(findings.answers, findings.asked.truth)),
        metrics=_metrics(findings),
        temperature=calibration.temperature,
        ece=report.calibration_error_in_words(findings),
        target=report.percent(calibration.target),
        share=report.percent(calibration.none_share),
        thresholds=_table(
            ("label", "files from"),
            [(label, f"{value:.3f}") for label, value in card.thresholds.items()],
        ),
        notes="".join(f"\n{note}.\n" for note in findings.fit.notes),
        negatives=sum(picture.label is None for picture in findings.dataset.pictures),
    )


def _data(findings: Findings) -> str:
    counts = Counter((p.label or NONE, p.kind) for p in findings.dataset.pictures)
    rows = [(label, kind, f"{count:,}") for (label, kind), count in sorted(counts.items())]
    return _table(("class", "kind", "photos"), rows)


def _metrics(findings: Findings) -> str:
    header = (
        "photos",
        "all",
        "best label right",
        "filed",
        "rightly",
        "of those filed",
        "left alone",
    )
    return _table(
        header, [tuple(report.metric_row(metric).values()) for metric in findings.metrics]
    )


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = [header, ("---", *["---:"] * (len(header) - 1)), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
