"""The README.md of an imported package: what it is, how it was checked, when it files; pure."""

from __future__ import annotations

from collections.abc import Sequence

from trayapp.engine.card import Input, ModelCard, NoneClass

_FIT = {
    "crop": "the largest part",
    "squish": "the whole",
    "pad": "the whole, framed,",
    "none": "the centre",
}


def import_card(card: ModelCard, notes: Sequence[str], *, made: bool) -> str:
    """Markdown; `made` says that the pictures compared were made for the purpose."""
    lines = [
        f"# {card.name}",
        "",
        card.description,
        "",
        f"- **Labels**: {', '.join(card.labels)}.",
        f"- **None of these**: {_none(card)}",
        f"- **Input**: {_input(card.input)}",
        f"- **Files a photo** from these probabilities on: {_thresholds(card)}.",
        f"- **Calibration**: {_calibration(card)}",
    ]
    if parity := card.parity:
        kind = "pictures made for the purpose" if made else "of your pictures"
        lines.append(
            f"- **Against the learner** in fastai, on {parity.pictures} {kind}: the same first "
            f"choice on {parity.top1_agreement:.1%}, mean |Δp| {parity.mean_abs_dp:.5f}, largest "
            f"{parity.max_abs_dp:.4f}."
        )
    lines += [f"- **Provenance**: {card.provenance}.", f"- **Licence**: {card.licence}."]
    if notes:
        lines += ["", "## Know before you trust it", "", *(f"- {note}." for note in notes)]
    return "\n".join(lines) + "\n"


def _none(card: ModelCard) -> str:
    if isinstance(card.none, NoneClass):
        return "the learner has a label of its own for it, which must not be the likelier one."
    return "whatever reaches no threshold."


def _input(spec: Input) -> str:
    what = f"{_FIT[spec.resize]} of a photo"
    if spec.scaled:
        what = f"the centre of {what}, scaled to {spec.scaled[0]} × {spec.scaled[1]}"
    return f"{spec.width} × {spec.height} px: {what}."


def _thresholds(card: ModelCard) -> str:
    if len(set(card.thresholds.values())) == 1:
        return f"{next(iter(card.thresholds.values())):g} for every label"
    return ", ".join(f"{label} {value:g}" for label, value in card.thresholds.items())


def _calibration(card: ModelCard) -> str:
    found = card.calibration
    if not found.photos:
        # Networks are surer than they are right (Guo et al. 2017). A photo that is not filed
        # stays where it is and costs nothing; one filed wrongly has to be found first.
        return (
            "none. Networks are surer than they are right, and a photo that stays where it is "
            "costs less than one filed wrongly, so only what it is very sure of is filed. "
            "`beartray model import … --calibrate DIR` finds thresholds from your own photos."
        )
    return f"temperature {found.temperature:g} from {found.photos:,} photos."
