"""A new head knows at once what the body can already tell apart."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from trayapp.learning import network, probe

pytestmark = pytest.mark.learning


def batches(seed: int = 0) -> tuple[list[torch.Tensor], np.ndarray]:
    """Sixty noisy pictures of three colours, twenty of each, in batches of ten."""
    classes = np.repeat(np.arange(3), 20)
    noise = torch.rand((60, 3, 64, 64), generator=torch.Generator().manual_seed(seed))
    noise[torch.arange(60), torch.from_numpy(classes)] += 1.5
    return list(noise.split(10)), classes


@pytest.mark.parametrize("architecture", ["test_efficientnet", "squeezenet1_1"])
@pytest.mark.parametrize("known", [(0, 1, 2), (0, 2)])
def test_it_tells_new_pictures_apart(architecture: str, known: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    module = network.create(architecture, 3, 0.5).module
    pictures, classes = batches()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    seen = probe.features(module, pictures)
    assert len(seen) == 60
    among = np.isin(classes, known)
    probe.fit_head(module, seen[among], classes[among], 1.0)
    new, truth = batches(seed=1)
    with torch.inference_mode():
        answers = torch.cat([module(batch) for batch in new]).argmax(1).numpy()
    asked = np.isin(truth, known)
    assert (answers[asked] == truth[asked]).mean() > 0.9
    head = {
        f"{name}.{part}"
        for name, m in module.named_modules()
        for part in ("weight", "bias")
        if m is network.head(module)
    }
    changed = {
        name for name, value in module.state_dict().items() if not torch.equal(value, before[name])
    }
    assert changed == head


def test_a_class_without_pictures_is_not_expected() -> None:
    module = network.create("test_efficientnet", 4, 0.0).module
    pictures, classes = batches()
    probe.fit_head(module, probe.features(module, pictures), classes, 1.0)
    with torch.inference_mode():
        answers = torch.cat([module(batch) for batch in pictures]).argmax(1)
    assert 3 not in answers
