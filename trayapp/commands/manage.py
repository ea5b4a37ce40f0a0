"""model and config: what Beartray works with."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from trayapp import catalog, settings
from trayapp.commands import terminal
from trayapp.commands.photos import Json
from trayapp.engine import EngineError
from trayapp.engine.package import ModelPackage
from trayapp.paths import default_folder

model = typer.Typer(help="The installed models.")
config = typer.Typer(help="The settings file.")

Name = Annotated[str | None, typer.Argument(help="The one in use, if left out.")]


@model.command("list")
def list_(json: Json = False) -> int:
    """The installed models; * marks the one in use."""
    current = terminal.load_settings().model.package
    models = catalog.installed(terminal.paths())
    if current not in models:  # used from where it lies
        with suppress(EngineError):
            models[current] = catalog.find(current, terminal.paths())
    for name, folder in models.items():
        labels = list(catalog.labels(folder))
        if json:
            row = {"name": name, "used": name == current, "labels": labels, "path": str(folder)}
            terminal.say_json(row)
        else:
            terminal.say(f"{'*' if name == current else ' '} {name}: {', '.join(labels)}")
    return 0


@model.command()
def info(name: Name = None, json: Json = False) -> int:
    """What a model knows, where it comes from and how well it does."""
    package, folder = _load(name)
    card = msgspec.to_builtins(package.card)
    if json:
        terminal.say_json({"path": str(folder), **card})
        return 0
    terminal.say(f"{package.name} ({folder})")
    for key, value in card.items():
        if key != "name" and value not in (None, "", {}, ()):
            terminal.say(f"  {key}: {_words(value)}")
    return 0


@model.command()
def use(name: Annotated[str, typer.Argument(help="From `beartray model list`.")]) -> int:
    """Classify with this model from now on."""
    package, _ = _load(name)
    settings.change(terminal.paths().settings_file, "model.package", name)
    terminal.say(f"Using {package.name}: {', '.join(package.labels)}")
    return 0


@model.command()
def verify(name: Name = None, json: Json = False) -> int:
    """Check every file of a model against its checksum."""
    package, folder = _load(name)
    if json:
        terminal.say_json({"name": package.name, "path": str(folder), "verified": True})
    else:
        terminal.say(f"{package.name}: every file is as it was published ({folder})")
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


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ("; " if value and isinstance(value[0], Mapping) else ", ").join(map(_words, value))
    return str(value)


def _load(name: str | None) -> tuple[ModelPackage, Path]:
    """Raises `EngineError`, which says what is wrong with the package."""
    chosen = name or terminal.load_settings().model.package
    folder = catalog.find(chosen, terminal.paths())
    try:
        return ModelPackage.load(folder), folder
    except OSError as error:
        raise EngineError(f"{folder}: cannot be read: {error}") from None
