"""The settings file: load, check, and change without losing the person's own comments."""

from __future__ import annotations

import difflib
import string
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import msgspec
import tomlkit
from msgspec import Meta, Struct

from trayapp import paths
from trayapp.files import write_atomically
from trayapp.photo import Action, BeartrayError

TEMPLATE_FIELDS = ("label", "year", "month", "day")
_NOT_TOML = (ValueError, RecursionError)  # also numbers of 5,000 digits, and brackets that deep
_SHOWN = 100  # characters of a value in a message


class SettingsError(BeartrayError):
    """A setting that cannot be used; the message names file, key, what was found and allowed."""


Text = Annotated[str, Meta(description="a text")]
Flag = Annotated[bool, Meta(description="true or false")]
Amount = Annotated[float, Meta(ge=0, le=1_000_000, description="a number from 0 up")]
Share = Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")]


class Folder(Struct, frozen=True, forbid_unknown_fields=True):
    path: Text = ""
    recursive: Flag = False
    ignore: Annotated[list[str], Meta(description='a list of names, like ["draft*"]')] = []
    rescan_minutes: Amount = 10
    settle_seconds: Amount = 1.0
    observer: Literal["auto", "native", "polling"] = "auto"

    @property
    def root(self) -> Path:
        return Path(self.path).expanduser().absolute() if self.path else paths.default_folder()


class Sort(Struct, frozen=True, forbid_unknown_fields=True):
    action: Action = "move"
    destination: Text = ""
    subfolder: Text = "{label}"
    unsure: Literal["leave", "folder"] = "leave"

    def base(self, root: Path) -> Path:
        """The folder that the class folders are made in, for photos of the folder `root`."""
        return (root / Path(self.destination).expanduser()).absolute()


class Model(Struct, frozen=True, forbid_unknown_fields=True):
    package: Annotated[str, Meta(min_length=1, description="the name of a model package")] = "bears"
    engine: Literal["auto", "onnx", "fastai"] = "auto"
    workers: Annotated[int, Meta(ge=1, le=64, description="a whole number from 1 to 64")] = 1
    idle_exit_minutes: Amount = 15
    min_confidence: Annotated[
        dict[str, Share], Meta(description="labels with numbers from 0 to 1, like { teddy = 0.9 }")
    ] = {}


class Notify(Struct, frozen=True, forbid_unknown_fields=True):
    mode: Literal["each", "digest", "problems", "off"] = "each"


class Startup(Struct, frozen=True, forbid_unknown_fields=True):
    at_login: Flag = False
    paused: Flag = False


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    folder: Folder = Folder()
    sort: Sort = Sort()
    model: Model = Model()
    notify: Notify = Notify()
    startup: Startup = Startup()


def parse(text: str, name: str) -> Settings:
    """Settings from the text of a TOML file called `name`.

    Raises `SettingsError`, one line that names `name`, the key, what was found and what is
    allowed.
    """
    try:
        found = tomllib.loads(text)
    except _NOT_TOML as error:
        raise SettingsError(f"{name}: not valid TOML: {error}") from None
    hints = get_type_hints(Settings)
    sections: dict[str, Any] = {}
    for key, values in found.items():
        if key not in hints:
            raise SettingsError(
                f"{name}: {_plain(key)}: no such section; {_allowed_keys(key, hints)}"
            )
        sections[key] = _section(hints[key], values, f"{name}: {key}")
    settings = Settings(**sections)
    _check_folder(settings.folder.path, f"{name}: folder.path")
    _check_template(settings.sort.subfolder, f"{name}: sort.subfolder")
    return settings


def load(file: Path) -> Settings:
    """Read the settings of `file`; a file that is not there means the defaults.

    Raises `SettingsError`, also when the file cannot be read.
    """
    try:
        return parse(file.read_text("utf-8-sig"), str(file))
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read as UTF-8 text: {error}") from None


def change(file: Path, key: str, value: object) -> Settings:
    """Set `section.name` to `value` in `file`, keeping everything else as the person wrote it.

    A new file starts as a copy of config/default.toml. Nothing is written when the result would
    not be valid: `SettingsError` says why.
    """
    section, _, name = key.partition(".")
    _find_type(section, name, str(file))
    text = _text_or_default(file)
    document = tomlkit.parse(text) if _is_toml(text) else None
    if document is None:
        raise SettingsError(f"{file}: not valid TOML; mend it by hand or remove it first")
    if section not in document:
        document[section] = tomlkit.table()
    table: Any = document[section]
    table[name] = _toml_value(value)
    text = tomlkit.dumps(document)
    settings = parse(text, str(file))
    _write(file, text)
    return settings


def value_from_text(key: str, text: str, file: Path) -> object:
    """What a person typed for `key` on the command line: TOML, or a bare word where text fits."""
    section, _, name = key.partition(".")
    kind = _find_type(section, name, str(file))
    for candidate in (text, _quoted(text)):
        try:
            value = tomllib.loads(f"x = {candidate}")["x"]
            msgspec.convert(value, kind)
            return value
        except (*_NOT_TOML, msgspec.ValidationError):
            continue
    raise SettingsError(f"{file}: {key}: found {text!r}; allowed: {_allowed(kind)}")


def create(file: Path) -> None:
    """Write the documented defaults to `file` unless it is there already."""
    if not file.exists():
        _write(file, _default_text())


def as_dict(settings: Settings) -> dict[str, dict[str, object]]:
    built: dict[str, dict[str, object]] = msgspec.to_builtins(settings)
    return built


def _section(kind: type[Struct], values: object, where: str) -> Struct:
    if not isinstance(values, Mapping):
        raise SettingsError(f"{where}: found {_found(values)}; allowed: a section with keys")
    hints = get_type_hints(kind, include_extras=True)
    good = {}
    for key, value in values.items():
        if key not in hints:
            raise SettingsError(f"{where}.{_plain(key)}: no such key; {_allowed_keys(key, hints)}")
        try:
            good[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError:
            allowed = _allowed(hints[key])
            raise SettingsError(
                f"{where}.{key}: found {_found(value)}; allowed: {allowed}"
            ) from None
    return kind(**good)


def _check_folder(path: str, where: str) -> None:
    """A login item has no folder of its own that a relative path could start from."""
    try:
        good = not path or ("\0" not in path and Path(path).expanduser().is_absolute())
    except RuntimeError:  # ~nobody
        good = False
    if not good:
        raise SettingsError(f"{where}: found {_found(path)}; allowed: a full path, or one from ~")


def _check_template(template: str, where: str) -> None:
    """A template stays below the destination and uses only the known fields."""
    allowed = ", ".join(f"{{{name}}}" for name in TEMPLATE_FIELDS)
    message = f"{where}: found {_found(template)}; allowed: folder names with {allowed}, without .."
    try:
        fields = list(string.Formatter().parse(template))
    except ValueError:
        raise SettingsError(message) from None
    for _, name, form, conversion in fields:
        if name is not None and (name not in TEMPLATE_FIELDS or form or conversion):
            raise SettingsError(message)
    parts = template.replace("\\", "/").split("/")
    if template.startswith(("/", "\\", "~")) or ":" in template or ".." in parts:
        raise SettingsError(message)
    if "\0" in template or not template.strip():
        raise SettingsError(message)


def _plain(key: str) -> str:
    """A key as it is shown: a quoted one may hold line breaks."""
    return key if key.isprintable() else repr(key)


def _found(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _allowed(kind: Any) -> str:
    """The words for a type: its own description, or the choices of a Literal."""
    for extra in getattr(kind, "__metadata__", ()):
        if isinstance(extra, Meta) and extra.description:
            return extra.description
    return " or ".join(f'"{choice}"' for choice in kind.__args__)


def _allowed_keys(key: str, hints: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(key, hints, n=1)
    return f"did you mean {near[0]}?" if near else f"allowed: {', '.join(hints)}"


def _find_type(section: str, name: str, file: str) -> Any:
    sections = get_type_hints(Settings)
    if section not in sections:
        known = _allowed_keys(section, sections)
        raise SettingsError(f"{file}: {section}: no such section; {known}")
    hints = get_type_hints(sections[section], include_extras=True)
    if name not in hints:
        known = _allowed_keys(name, hints)
        raise SettingsError(f"{file}: {section}.{name}: no such key; {known}")
    return hints[name]


def _write(file: Path, text: str) -> None:
    """A settings file that is a link, as people's dotfiles are, stays one."""
    write_atomically(file.resolve(), text.encode(), 0o600)


def _text_or_default(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except FileNotFoundError:
        return _default_text()


def _default_text() -> str:
    return (paths.bundled("config") / "default.toml").read_text("utf-8")


def _is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except _NOT_TOML:
        return False
    return True


def _toml_value(value: object) -> object:
    if isinstance(value, dict):
        table = tomlkit.inline_table()
        table.update(value)
        return table
    return value


def _quoted(text: str) -> str:
    return tomlkit.string(text).as_string()
