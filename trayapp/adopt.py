"""Takes another model package into use, once it has shown that it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from trayapp import catalog, settings
from trayapp.edition import RUN, get_fastai, missing
from trayapp.engine import EngineError
from trayapp.engine.package import EngineName, ModelPackage
from trayapp.engine.worker import Engine
from trayapp.paths import Paths


@dataclass(frozen=True, slots=True)
class Adopted:
    """The package that is in use now, and the engine that runs it."""

    package: ModelPackage
    engine: EngineName


def load(name: str, paths: Paths) -> ModelPackage:
    """The package `name`, every file of it checked. Raises `EngineError`."""
    folder = catalog.find(name, paths)
    try:
        return ModelPackage.load(folder)
    except OSError as error:
        raise EngineError(f"{folder}: cannot be read: {error}") from None


def adopt(
    name: str,
    engine: Engine | None,
    paths: Paths,
    agree: Callable[[ModelPackage], None],
    change: Callable[[str, object], object],
) -> Adopted:
    """Classify with the package `name` from now on, and with the engine as before if None.

    `agree` raises unless a person has agreed to run the package's learner, `change` writes a
    setting. Raises `EngineError` and `SettingsError`; then nothing has changed.
    """
    package = load(name, paths)
    before = settings.load(paths.settings_file).model
    wanted = engine or ("auto" if before.engine not in package.engines else before.engine)
    runs = package.engine_for(wanted)
    if runs == "fastai":
        if lacking := missing(RUN):  # before anyone is asked for their trust
            raise EngineError(f"the fastai engine needs {', '.join(lacking)}: {get_fastai()}")
        agree(package)
    after = msgspec.structs.replace(before, package=name, engine=wanted, workers=1)
    catalog.try_out(after, paths)
    changes = [("model.package", name), ("model.engine", wanted)]
    if wanted == before.engine:
        changes.pop()
    elif before.engine != "auto":  # the old engine need not have a file in the new package
        changes.reverse()
    for key, value in changes:
        change(key, value)
    return Adopted(package, runs)
