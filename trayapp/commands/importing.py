"""model import: brings in a fastai learner as a model package that proves itself."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from trayapp import catalog
from trayapp.commands import terminal
from trayapp.commands.consent import agree
from trayapp.commands.photos import Json
from trayapp.edition import IMPORT, get_fastai, missing
from trayapp.engine import EngineError
from trayapp.engine.card import DEFINE_FILE, LEARNER_FILE, NoneClass
from trayapp.engine.package import ModelPackage
from trayapp.engine.pickles import check_pickle
from trayapp.files import sha256

WORK = "trayapp.learning.bring_in:bring_in"
STALE_SECONDS = 86_400
_PREFIX = ".import-"  # no model package: what is in it lies one folder deeper

Folder = Path | None


def import_(
    file: Annotated[Path, typer.Argument(help="What learn.export() wrote, such as export.pkl.")],
    name: Annotated[str, typer.Option(help="What the model is to be called.")],
    samples: Annotated[Folder, typer.Option(help="Pictures to compare both engines on.")] = None,
    calibrate: Annotated[
        Folder, typer.Option(help="Class folders, named for the labels, to find thresholds from.")
    ] = None,
    define: Annotated[
        Path | None, typer.Option(help="A Python file with what the notebook defined.")
    ] = None,
    none: Annotated[
        str | None, typer.Option(help="The learner's own label for none of these.")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="You trust the file's maker.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="A model of that name.")] = False,
    json: Json = False,
) -> int:
    """Bring in a fastai classifier: converted, and compared with the original."""
    source = terminal.absolute(file)
    _check_extra()
    _check_name(name, replace)
    for folder, option in ((samples, "--samples"), (calibrate, "--calibrate")):
        if folder is not None and not folder.expanduser().is_dir():
            raise EngineError(f"{folder} is not a folder ({option})")
    with _workshop(terminal.paths().models) as place:
        learner = _take(source, place / "given" / LEARNER_FILE)
        check_pickle(learner, name=source)
        code = {sha256(learner): source}
        if define is not None:
            code[sha256(_take(define, place / "given" / DEFINE_FILE))] = define
        agree(code, trust)
        request = {
            "file": str(learner),
            "origin": source.name,
            "name": name,
            "folder": str(place / "package"),
            "scratch": str(place / "scratch"),
            "define": str(place / "given" / DEFINE_FILE) if define else None,
            "samples": str(terminal.absolute(samples)) if samples else None,
            "calibrate": str(terminal.absolute(calibrate)) if calibrate else None,
            "none": none,
        }
        found = _bring_in(request, source, place)
        package = ModelPackage.load(place / "package")
        _install(place, terminal.paths().models / name)
    _tell(package, found, terminal.paths().models / name, json)
    return 0


def _check_extra() -> None:
    if lacking := missing(IMPORT):
        raise EngineError(f"importing a learner needs {', '.join(lacking)}: {get_fastai()}")


def _check_name(name: str, replace: bool) -> None:
    plain = Path(name).name == name and not name.startswith(".") and name == name.strip()
    if not plain or not name.isprintable() or set(name) & set('<>:"/\\|?*'):
        raise EngineError(f"--name: found {name!r}; allowed: the name of a folder")
    if name in catalog.installed(terminal.paths()) and not replace:
        raise EngineError(
            f"there is a model {name!r} already: choose another --name, or say --replace"
        )


@contextmanager
def _workshop(models: Path) -> Iterator[Path]:
    """A folder beside the packages, for one that is not whole yet; gone in the end."""
    made = not models.exists()
    models.mkdir(parents=True, exist_ok=True)
    for left in models.glob(f"{_PREFIX}*"):  # by an import that was killed
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                shutil.rmtree(left)
    place = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=models))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        if made:
            with suppress(OSError):  # there is a package in it now
                models.rmdir()


def _take(source: Path, copy: Path) -> Path:
    """A copy that nobody changes between the consent and the loading."""
    copy.parent.mkdir(exist_ok=True)
    try:
        shutil.copyfile(source, copy)
    except IsADirectoryError:
        raise EngineError(f"{source} is a folder: name the file in it") from None
    except FileNotFoundError:
        raise EngineError(f"{source} is not there") from None
    return copy


def _bring_in(request: Mapping[str, Any], source: Path, place: Path) -> dict[str, Any]:
    from trayapp.learning.sandbox import Limits, run_apart

    said = ""

    def hear(news: Mapping[str, Any]) -> None:
        nonlocal said
        step = str(news.get("step", ""))
        if step != said and sys.stderr is not None and sys.stderr.isatty():
            terminal.warn(f"{step} …")
        said = step

    try:
        return run_apart(WORK, request, place / "scratch", Limits(), hear)
    except KeyboardInterrupt:
        raise terminal.StoppedError("stopped; nothing was imported") from None
    except EngineError as error:
        # It knows the copies only.
        text = str(error).replace(str(request["file"]), str(source))
        raise EngineError(text if str(source) in text else f"{source}: {text}") from None


def _install(place: Path, target: Path) -> None:
    """Put the whole package where models lie, and one of that name away."""
    old = place / "old"
    if target.exists():
        target.rename(old)
    try:
        (place / "package").rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise


def _tell(package: ModelPackage, found: Mapping[str, Any], folder: Path, json: bool) -> None:
    card = package.card
    assert card.parity is not None
    refusal = isinstance(card.none, NoneClass)
    if json:
        row = {
            "name": card.name,
            "path": str(folder),
            "labels": list(card.labels),
            "none": refusal,
            "activation": card.activation,
            "thresholds": card.thresholds,
            "calibration": msgspec.to_builtins(card.calibration),
            "parity": msgspec.to_builtins(card.parity),
            "files": card.files,
            "notes": found["notes"],
            "network": found["network"],
        }
        terminal.say_json(row)
        return
    terminal.say(
        f"Imported {card.name}: {', '.join(card.labels)}{' or none of these' if refusal else ''}"
    )
    terminal.say(
        f"Compared with the learner on {card.parity.pictures} pictures: the same first choice on "
        f"{card.parity.top1_agreement:.1%}, mean |Δp| {card.parity.mean_abs_dp:.5f}, largest "
        f"{card.parity.max_abs_dp:.4f}"
    )
    for note in found["notes"]:
        terminal.say(f"Note: {note}")
    terminal.say(f"To use it: beartray model use {card.name}")
