"""Finds model packages, the person's own first, and starts the engine for one."""

from __future__ import annotations

import tempfile
from concurrent.futures import TimeoutError as TooLateError
from pathlib import Path

from trayapp.engine import EngineError
from trayapp.engine.package import ModelPackage
from trayapp.engine.pool import Pool
from trayapp.paths import Paths, bundled
from trayapp.settings import Model

MANIFEST = "model.json"
TRY_LIMIT_SECONDS = 90.0

# A picture of 8 × 8 grey points, made with Pillow.
_GREY_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000008000000080800000000e164e157000000104944415478da636c"
    "60800026068a180026080090b5310a910000000049454e44ae426082"
)


def find(name: str, paths: Paths) -> Path:
    """The folder of the package `name`, which may also be the path of one.

    Raises `EngineError` when there is none.
    """
    own_path = Path(name).expanduser()
    places = [own_path] if own_path.is_absolute() else [base / name for base in _bases(paths)]
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    known = ", ".join(installed(paths)) or "none"
    raise EngineError(f"there is no model package {name!r}; installed: {known}")


def installed(paths: Paths) -> dict[str, Path]:
    """Packages by name, in alphabetical order."""
    found: dict[str, Path] = {}
    for base in reversed(_bases(paths)):
        if base.is_dir():
            found |= {file.parent.name: file.parent for file in base.glob(f"*/{MANIFEST}")}
    return dict(sorted(found.items()))


def labels(folder: Path) -> tuple[str, ...]:
    """The labels of a package; none where it cannot be read (the engine then says why)."""
    try:
        return tuple(ModelPackage.load(folder, verify=False).labels)
    except EngineError:
        return ()


def start_engine(model: Model, paths: Paths) -> Pool:
    """The engine for these settings, already loading its model."""
    try:
        folder = find(model.package, paths)
    except EngineError:
        folder = paths.models / model.package  # the worker says what is wrong with it
    pool = Pool(
        folder,
        engine=model.engine,
        workers=model.workers,
        idle_exit_seconds=model.idle_exit_minutes * 60 or float("inf"),
        min_confidence=model.min_confidence,
        trust_file=paths.trust,
    )
    pool.start()
    return pool


def try_out(model: Model, paths: Paths) -> None:
    """Load a model in an engine process, as for work, and let it look at a picture.

    Raises `EngineError`, which says why it does not answer.
    """
    with tempfile.TemporaryDirectory() as place, start_engine(model, paths) as pool:
        picture = Path(place) / "grey.png"
        picture.write_bytes(_GREY_PNG)
        try:
            verdict = pool.submit(picture).result(TRY_LIMIT_SECONDS)
        except TooLateError:
            raise EngineError(
                f"{model.package} does not answer within {TRY_LIMIT_SECONDS:.0f} s"
            ) from None
    if verdict.reason == "unreadable":
        raise EngineError(f"{model.package} does not answer: {verdict.error}")


def _bases(paths: Paths) -> list[Path]:
    return [paths.models, bundled("models")]
