"""How a network is taught: every number of it, in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

ARCHITECTURE = "tf_efficientnet_lite0"

Method = Literal["crop", "squish", "pad"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Sizes in pixels, rates per step, angles in degrees; chosen on photos of sources held back.

    First only the new head is taught for `frozen_epochs`, then for `epochs` all but the stem and
    the first `frozen_stages` stages: those know edges and textures already, and leaving them
    alone nearly doubles the speed on a CPU. A head that fits before the body moves, and the
    average of the weights before and after, keep what the body knew of pictures that training
    does not show (Kumar et al. 2022, arXiv:2202.10054; Wortsman et al. 2022, arXiv:2109.01903).
    Random crops magnify, so that the network is asked about larger pictures than it is taught
    with (Touvron et al. 2019, arXiv:1906.06423).
    """

    architecture: str = ARCHITECTURE
    size: int = 256
    method: Method = "crop"
    epochs: int = 4
    frozen_epochs: int = 2
    batch_size: int = 32
    frozen_stages: int = 3
    head_rate: float = 3e-3
    rate: float = 5e-4
    weight_decay: float = 0.02
    dropout: float = 0.2
    label_smoothing: float = 0.02
    mixup: float = 0.0
    taught_share: float = 0.86  # of `size`, for the side of a training crop
    min_scale: float = 0.4  # of a picture's area that a random crop keeps
    max_rotate: float = 10.0
    max_lighting: float = 0.3
    average: float = 0.98  # decay of the moving average of weights; 0 is none
    blend: float = 0.8  # share of what `epochs` taught, the rest as it was after `frozen_epochs`
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
