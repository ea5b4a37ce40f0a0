"""model and config: what Beartray works with."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trayapp import adopt, catalog, settings
from trayapp.commands import importing, terminal
from trayapp.commands.card_words import describe
from trayapp.commands.consent import agree
from trayapp.commands.photos import Json
from trayapp.edition import RUN, get_fastai, missing
from trayapp.engine import EngineError
from trayapp.engine.package import ModelPackage
from trayapp.engine.trust import Trust, code_of
from trayapp.engine.worker import Engine
from trayapp.paths import default_folder

model = typer.Typer(help="The installed models.")
model.command("import")(importing.import_)
config = typer.Typer(help="The settings file.")

Name = Annotated[str | None, typer.Argument(help="The one in use, if left out.")]


@model.command("list")
def list_(json: Json = False) -> int:
    """The installed models and their engines; * marks the one in use."""
    current = terminal.load_settings().model.package
    models = catalog.installed(terminal.paths())
    if current not in models:  # used from where it lies
        with suppress(EngineError):
            models[current] = catalog.find(current, terminal.paths())
    for name, folder in models.items():
        row = {"name": name, "used": name == current, "labels": [], "path": str(folder)}
        try:
            package = ModelPackage.load(folder, verify=False)
        except EngineError as error:
            row |= {"engines": [], "problem": str(error)}
            shown = f"cannot be used: {error}"
        else:
            row |= {"labels": list(package.labels), "engines": list(package.engines)}
            shown = f"{', '.join(package.labels)} ({', '.join(package.engines)})"
        if json:
            terminal.say_json(row)
        else:
            terminal.say(f"{'*' if name == current else ' '} {name}: {shown}")
    return 0


@model.command()
def info(name: Name = None, json: Json = False) -> int:
    """What a model knows, where it comes from and how well it does."""
    package, folder = _load(name)
    if json:
        card = msgspec.to_builtins(package.card)
        terminal.say_json({"path": str(folder), "engines": list(package.engines), **card})
        return 0
    for line in describe(package):
        terminal.say(line)
    return 0


@model.command()
def use(
    name: Annotated[str, typer.Argument(help="From `beartray model list`.")],
    engine: Annotated[
        Engine | None, typer.Option(help="fastai runs learner.pkl, which is a program.")
    ] = None,
    trust: Annotated[bool, typer.Option("--trust", help="You trust learner.pkl's maker.")] = False,
) -> int:
    """Classify with this model from now on, once it has shown that it works."""
    found = adopt.adopt(
        name,
        engine,
        terminal.paths(),
        agree=lambda package: agree(code_of(package), trust),
        change=partial(settings.change, terminal.paths().settings_file),
    )
    how = f" (with the {found.engine} engine)" if found.engine != "onnx" else ""
    terminal.say(f"Using {found.package.name}{how}: {', '.join(found.package.labels)}")
    return 0


@model.command()
def verify(name: Name = None, json: Json = False) -> int:
    """Check every file of a model against its checksum, and that the model answers."""
    package, folder = _load(name)
    chosen = name or terminal.load_settings().model.package
    engines = {engine: _try(package, chosen, engine) for engine in package.engines}
    if json:
        row = {"name": package.name, "path": str(folder), "verified": True, "engines": engines}
        terminal.say_json(row)
        return 0
    terminal.say(f"{package.name}: every file is as it was published ({folder})")
    for engine, found in engines.items():
        terminal.say(f"{package.name}: the {engine} engine {found}")
    return 0


@config.command()
def path() -> int:
    """Where the settings file is."""
    terminal.say(str(terminal.paths().settings_file))
    return 0


@config.command()
def show(json: Json = False) -> int:
    """The settings in force."""
    found = terminal.load_settings()
    if json:
        terminal.say_json({**settings.as_dict(found)})
        return 0
    import tomlkit

    for line in tomlkit.dumps(settings.as_dict(found)).splitlines():
        terminal.say(line)
    return 0


@config.command("set", context_settings={"ignore_unknown_options": True})  # such as -1
def set_(
    key: Annotated[str, typer.Argument(help="Such as sort.action or folder.path.")],
    value: Annotated[str, typer.Argument(help="Text, a number, true or false, or TOML.")],
) -> int:
    """Change one setting, keeping your comments; a running Beartray follows."""
    file = terminal.paths().settings_file
    found = settings.value_from_text(key, value, file)
    if key == "folder.path" and found:
        found = str(terminal.absolute(Path(str(found))))
    settings.change(file, key, found)
    shown = found if found != "" or key != "folder.path" else default_folder()
    terminal.say(f"{key} = {shown}")
    return 0


def _try(package: ModelPackage, name: str, engine: Engine) -> str:
    """What becomes of a picture that one engine is shown. Raises `EngineError`."""
    if engine == "fastai":
        trust = Trust(terminal.paths().trust)
        if not all(map(trust.knows, code_of(package))):
            return "was not tried: nobody has agreed to run learner.pkl"
        if missing(RUN):
            return f"was not tried: {get_fastai()}"
    catalog.try_out(settings.Model(package=name, engine=engine), terminal.paths())
    return "answers"


def _load(name: str | None) -> tuple[ModelPackage, Path]:
    """Raises `EngineError`, which says what is wrong with the package."""
    package = adopt.load(name or terminal.load_settings().model.package, terminal.paths())
    return package, package.folder
