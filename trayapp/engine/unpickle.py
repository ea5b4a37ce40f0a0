"""Loads a fastai learner, on any system and without a GPU; running a pickle is running a program.

What keeps a file from being loaded is said in one line with what to do about it. Most of that is
found by reading the pickle's names, which runs nothing of it.
"""

from __future__ import annotations

import importlib
import pathlib
import pickle
import sys
import types
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from trayapp.edition import frozen
from trayapp.engine import EngineError
from trayapp.engine.older import find_older
from trayapp.engine.operators import declare_torchvision_operators
from trayapp.engine.pickles import Name, check_pickle

_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_NOTEBOOK = {"__main__", "__mp_main__"}
_PACKAGES = {"cv2": "opencv-python", "sklearn": "scikit-learn", "skimage": "scikit-image"}
"""What provides a module, where it is called otherwise."""
_OURS = {"fastai", "fastcore", "fasttransform", "torch", "torchvision", "timm"}
_CATEGORIES = {"Categorize", "MultiCategorize", "EncodedMultiCategorize"}


def load_learner(file: Path, define: Path | None = None) -> Any:
    """The fastai `Learner` of `learn.export()`, on the CPU, in evaluation mode.

    What it names of a notebook's `__main__` is taken from the Python file `define`. This runs
    both files: only after consent, and in a process of their own.

    Raises:
        EngineError: it cannot be loaded, or is no classifier of pictures.
    """
    names = check_pickle(file)
    declare_torchvision_operators()
    # Before the pickle has a say: its names are looked up in what is imported.
    importlib.import_module("fastai.vision.all")
    notebook = _Notebook(file, define)
    notebook.check(names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fastai's that a pickle is a program, torch's on age
        loaded = _load(file, notebook)
        _check_learner(file, loaded)
        learner = _on_cpu(loaded)
    _check_classifier(file, learner)
    learner.model.eval()
    return learner


class _Notebook:
    """Stands in for the `__main__` that a learner was exported from."""

    def __init__(self, file: Path, define: Path | None) -> None:
        self.file = file
        self.module = types.ModuleType("beartray_define")
        if define is None:
            return
        self.module.__file__ = str(define)
        try:
            source = define.read_bytes()
        except OSError as error:
            raise EngineError(f"{define} cannot be read: {error.strerror}") from None
        try:
            exec(compile(source, str(define), "exec"), self.module.__dict__)
        except Exception as error:
            raise EngineError(f"{define} does not run ({error!r}): correct it") from error

    def has(self, name: str) -> bool:
        return hasattr(self.module, name.partition(".")[0])

    def find(self, name: str) -> Any:
        """Raises `AttributeError`."""
        found: Any = self.module
        for part in name.split("."):
            found = getattr(found, part)
        return found

    def check(self, names: Iterable[Name]) -> None:
        wanted = {name.partition(".")[0] for module, name in names if module in _NOTEBOOK}
        if missing := sorted(name for name in wanted if not self.has(name)):
            raise EngineError(
                f"{self.file} names what its notebook defined: {', '.join(missing)}; put these "
                "definitions into a Python file and name it with --define FILE.py"
            )


def _load(file: Path, notebook: _Notebook) -> Any:
    import torch

    try:
        return torch.load(
            file, map_location="cpu", weights_only=False, pickle_module=_pickle_for(notebook)
        )
    except EngineError:
        raise
    except ModuleNotFoundError as error:
        module = (error.name or str(error)).partition(".")[0]
        if module in _OURS:
            raise _other_version(file, module, error) from error
        raise EngineError(
            f"{file} needs the module {module}, which is not installed: if it is a package, "
            f"{_install(module)}; if a file of its maker's, name that with --define FILE.py"
        ) from error
    except (AttributeError, ImportError) as error:
        raise _other_version(file, "fastai", error) from error
    except MemoryError:
        raise EngineError(f"{file} needs more memory than the import may use") from None
    except TypeError as error:
        if "code" not in str(error):
            raise _damaged(file, error) from error
        # cloudpickle, which fastai exports with, keeps a notebook's functions as bytecode.
        raise EngineError(
            f"{file} was exported with another version of Python than this {_PYTHON}: export it "
            f"again with Python {_PYTHON}, or with learn.export(pickle_module=pickle)"
        ) from error
    except Exception as error:
        raise _damaged(file, error) from error


def _install(module: str) -> str:
    if frozen():
        return "import it with a Beartray that is installed with pip, beside that package"
    return f"`pip install {_PACKAGES.get(module, module)}`"


def _damaged(file: Path, error: Exception) -> EngineError:
    return EngineError(
        f"{file} cannot be unpickled ({_line(error)}): export it again with learn.export()"
    )


def _pickle_for(notebook: _Notebook) -> Any:
    """A `pickle` module, as torch wants one, that finds names wherever they are today."""

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module in _NOTEBOOK:
                return notebook.find(name)
            if module.startswith("pathlib") and name in {"PosixPath", "WindowsPath"}:
                # A path of the other system; it only says where the photos once were.
                return pathlib.Path
            if (older := find_older(module, name)) is not None:
                return older
            try:
                return super().find_class(module, name)
            except ModuleNotFoundError:
                if module.partition(".")[0] in _OURS or not notebook.has(name):
                    raise
                return notebook.find(name)  # a file beside the notebook

    def load(stream: Any, **options: Any) -> Any:
        return Unpickler(stream, **options).load()

    found = types.ModuleType("pickle_of_beartray")
    vars(found).update(vars(pickle) | {"Unpickler": Unpickler, "load": load})
    return found


def _other_version(file: Path, package: str, error: Exception) -> EngineError:
    from importlib.metadata import PackageNotFoundError, version

    try:
        have = f"{package} {version(package)}"
    except PackageNotFoundError:
        have = f"no {package}"
    newer = "get the newest Beartray" if frozen() else f"`pip install --upgrade {package}`"
    return EngineError(
        f"{file} was made with another version than this computer's {have} ({_line(error)}): "
        f"{newer}, or export it again with this version"
    )


def _check_learner(file: Path, loaded: Any) -> None:
    from fastai.learner import Learner
    from torch import nn

    if isinstance(loaded, Learner):
        return
    if isinstance(loaded, nn.Module):
        what = "is a network without its transforms and labels (torch.save of a model)"
    elif isinstance(loaded, dict) and {"model", "data", "cls"} <= set(loaded):
        raise EngineError(
            f"{file} is an export of fastai 1, which fastai 2 cannot load: train it again"
        )
    elif isinstance(loaded, dict):
        what = "holds weights only (learn.save, or a state_dict)"
    else:
        what = f"is no learner but a {type(loaded).__name__}"
    raise EngineError(f"{file} {what}: export the learner with learn.export() instead")


def _on_cpu(learner: Any) -> Any:
    """As `fastai.learner.load_learner` does with cpu=True."""
    import torch

    learner.dls.cpu()
    if hasattr(learner, "channels_last"):
        learner = learner.to_contiguous(to_fp32=True)
    elif hasattr(learner, "mixed_precision"):
        learner = learner.to_fp32()
    elif hasattr(learner, "non_native_mixed_precision"):
        learner = learner.to_non_native_fp32()
    learner.dls.device = torch.device("cpu")
    learner.model.float().cpu()
    return learner


def _check_classifier(file: Path, learner: Any) -> None:
    """One kind of picture in, categories out; else say what it is."""
    kinds = [_kinds(part.tfms.fs) for part in getattr(learner.dls, "tls", ())]
    taken = _taken(learner)
    if taken == "PILImage" and len(kinds) == 2 and kinds[1] & _CATEGORIES:
        return
    given = set().union(*kinds)
    if type(learner).__name__ == "TextLearner" or given & {"Tokenizer", "Numericalize"}:
        what = "a text model"
    elif type(learner).__name__ == "TabularLearner" or hasattr(learner.dls, "cont_names"):
        what = "a model of tables"
    elif given & {"PILMask", "AddMaskCodes"}:
        what = "a segmentation model, which labels pixels,"
    elif given & {"RegressionSetup", "TensorPoint", "TensorBBox", "BBoxLabeler", "PointScaler"}:
        what = "a regression model, which gives numbers or places,"
    elif taken == "PILImageBW":
        what = "a model of greyscale pictures"
    else:
        made = ", ".join(sorted(set().union(*kinds[1:]) - {"Transform"})) or "nothing known"
        what = f"a model that makes {made} of a {taken}"
    raise EngineError(
        f"{file} is {what} and not a classifier of colour pictures (ImageBlock to CategoryBlock "
        "or MultiCategoryBlock): Beartray cannot file photos with it"
    )


def _taken(learner: Any) -> str:
    """What the learner makes of a picture before all other transforms."""
    from fastai.vision.core import PILImage

    try:
        loader = learner.dls.test_dl([PILImage.create(np.zeros((8, 8, 3), np.uint8))])
        return type(loader.dataset[0][0]).__name__
    except Exception:  # whatever a text or table model does with a picture
        return "thing that is no picture"


def _kinds(transforms: Iterable[Any]) -> set[str]:
    """The classes of the transforms, and those whose `create` is one."""
    found = set()
    for transform in transforms:
        found.add(type(transform).__name__)
        found.update(kind.__name__ for kind in made_by(transform))
    return found


def made_by(transform: Any) -> set[type]:
    """The classes whose `create` the transform is, such as `PILImage` for that of an ImageBlock."""
    methods = getattr(getattr(transform, "encodes", None), "methods", ())
    owners = (getattr(method.implementation, "__self__", None) for method in methods)
    return {owner for owner in owners if isinstance(owner, type)}


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 160 else text[:159] + "…"
