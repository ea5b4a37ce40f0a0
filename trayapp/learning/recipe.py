"""How a network is taught: every number of it, in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

ARCHITECTURE = "tf_efficientnet_lite0"

Method = Literal["crop", "squish", "pad"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes in pixels, rates per step, angles in degrees; chosen on photos of sources held back.

    First the new head is fitted to what the body sees already, then for `epochs` all but the stem
    and the first `frozen_stages` stages are taught: those know edges and textures, and leaving
    them alone nearly doubles the speed on a CPU. A head that fits before the body moves, and the
    average of the weights before and after, keep what the body knew of pictures that training
    does not show (Kumar et al. 2022, arXiv:2202.10054; Wortsman et al. 2022, arXiv:2109.01903).
    Random crops magnify, so that the network is asked about larger pictures than it is taught
    with (Touvron et al. 2019, arXiv:1906.06423).
    """

    architecture: str = ARCHITECTURE
    size: int = 256
    method: Method = "crop"
    epochs: int = 4
    batch_size: int = 32
    frozen_stages: int = 3
    head_c: float = 0.01  # inverse strength of the regularisation of the first fit
    rate: float = 5e-4  # of the body
    head_rate: float = 1e-3
    scratch_rate: float = 3e-3  # where there are no weights to begin with
    weight_decay: float = 0.05
    dropout: float = 0.2
    label_smoothing: float = 0.05
    mixup: float = 0.0
    taught_share: float = 0.78  # of `size`, for the side of a training crop
    min_scale: float = 0.5  # of a picture's area that a random crop keeps
    max_rotate: float = 10.0
    max_lighting: float = 0.3
    max_saturation: float = 0.5
    average: float = 0.98  # decay of the moving average of weights; 0 is none
    blend: float = 0.5  # share of what `epochs` taught, the rest as it was after the first fit
    bfloat16: bool = True  # where the processor computes in it
    margin: float = 1.3  # how many times `size` the shorter side of a kept picture is

    @property
    def taught_size(self) -> int:
        """The side of a training crop, in pixels."""
        return max(32, round(self.size * self.taught_share))

    @property
    def kept_side(self) -> int:
        """The shorter side of the pictures that training reads, in pixels."""
        return round(self.size * self.margin)


def recipe_for(architecture: str, size: int, epochs: int | None) -> Recipe:
    """The recipe for a network at an input size; `epochs` in place of its own number."""
    recipe = replace(Recipe(), architecture=architecture, size=size)
    return recipe if epochs is None else replace(recipe, epochs=epochs)
