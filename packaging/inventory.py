"""Finds out what a bundle consists of: whose every file and every module is."""

from __future__ import annotations

import fnmatch
import json
import re
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import libraries
from installed import Installed
from libraries import Library

COMPONENTS = "components.json"
ROOT = Path(__file__).resolve().parent.parent
OWN = "Beartray"
_BROUGHT_ALONG = re.compile(r"[^/]+\.libs/|(.*/)?\.dylibs/")  # by auditwheel and its like
STARTER = ("pyimod", "pyi_", "_pyi_", "pyiboot", "_pyinstaller")  # PyInstaller's own modules

Entry = tuple[str, str, str]
"""A file or module as PyInstaller lists it: its place or name, where it lies now, its kind."""


@dataclass(frozen=True)
class Component:
    """Something that somebody made and others use.

    `licence` is an SPDX expression, `purl` a package URL, `files` are paths in the bundle below
    its folder of libraries, `modules` the first parts of the names of modules.
    """

    name: str
    licence: str
    kind: str = "library"
    version: str | None = None
    purl: str | None = None
    source: str | None = None
    files: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


class UnknownError(Exception):
    """Something in the bundle is nobody's: one line that names it and says what to do."""


class Inventory:
    """Tells whose things are.

    `known` are the libraries of components.toml, `installed` the packages that the bundle is made
    from; what is drawn and written for it lies in the folder `work`.
    """

    def __init__(self, known: Iterable[Library], installed: Installed, work: Path) -> None:
        self._known, self._installed, self._work = tuple(known), installed, work
        self._python = tuple(
            Path(folder).resolve()
            for folder in {sys.base_prefix, sysconfig.get_path("stdlib"), sys.base_exec_prefix}
        )

    def take(self, entries: Iterable[Entry]) -> list[Component]:
        """Every component of the bundle, by name. Raises `UnknownError`."""
        files: defaultdict[Component, set[str]] = defaultdict(set)
        modules: defaultdict[Component, set[str]] = defaultdict(set)
        for place, origin, kind in entries:
            if kind == "SYMLINK":
                continue  # to something that is listed itself
            module = kind.startswith(("PYMODULE", "PYSOURCE"))
            for component in self._of(place, origin, module):
                if module:
                    modules[component].add(place.split(".")[0])
                else:
                    files[component].add(_posix(place))
        return [
            replace(item, files=tuple(sorted(files[item])), modules=tuple(sorted(modules[item])))
            for item in sorted(
                {*files, *modules}, key=lambda item: (item.name.casefold(), item.purl or "")
            )
        ]

    def _of(self, place: str, origin: str, module: bool) -> Iterator[Component]:
        """The component that a thing is, and those that are built into it."""
        name = _posix(place)
        if not module:
            library = libraries.of_file(self._known, name)
            if library is not None:
                yield self._library(library, origin)
            yield from (self._library(part, origin) for part in libraries.inside(self._known, name))
            if library is not None:
                return
        yield self._owner(name, Path(origin), module)

    def _owner(self, place: str, origin: Path, module: bool) -> Component:
        top = place.split("." if module else "/")[0]
        if not module and _BROUGHT_ALONG.match(place):
            raise _nobodys(place, origin)  # the package's licence is not that of what it brings
        if top == "models":
            return _model(place.split("/")[1])
        package = self._installed.owner(str(origin)) or self._by_name(top)
        if package:
            return python_package(package)
        if top.startswith(STARTER) or "PyInstaller" in origin.parts:
            return python_package("pyinstaller")
        if self._is_pythons(top, origin, module):
            return python_itself()
        if origin.is_relative_to(ROOT) or origin.is_relative_to(self._work):
            return own()
        raise _nobodys(place, origin)

    def _by_name(self, top: str) -> str | None:
        """The package that a folder of the bundle, or a module, is named for."""
        name = top.removesuffix(".libs").removesuffix(".dist-info").split("-")[0]
        return self._installed.by_module(name.split(".")[0])

    def _is_pythons(self, top: str, origin: Path, module: bool) -> bool:
        if module and top in sys.stdlib_module_names:
            return True
        resolved = origin.resolve()
        inside = any(resolved.is_relative_to(folder) for folder in self._python)
        apart = "site-packages" in resolved.parts or "dist-packages" in resolved.parts
        named = top == "base_library.zip" or top.lower().startswith(("libpython", "python3"))
        return named or (inside and not apart)

    def _library(self, library: Library, origin: str) -> Component:
        version, purl = libraries.version(library, origin, self._installed.versions)
        if version and not purl:
            purl = f"pkg:generic/{library.name.lower().replace(' ', '-')}@{version}"
        return Component(
            library.name, library.licence, version=version, purl=purl, source=library.source
        )


@cache
def python_package(name: str) -> Component:
    """An installed package. Raises `UnknownError` when it does not say its licence."""
    found = metadata.distribution(name).metadata
    known = str(found["Name"]).lower().replace("_", "-")
    licence = libraries.expression(known, found)
    if licence is None:
        raise UnknownError(
            f"{name} does not say its licence in words that are known: add them to"
            " packaging/components.toml"
        )
    version = str(found["Version"])
    return Component(known, licence, version=version, purl=f"pkg:pypi/{known}@{version}")


@cache
def python_itself() -> Component:
    version = ".".join(map(str, sys.version_info[:3]))
    return Component("Python", "PSF-2.0", version=version, purl=f"pkg:generic/python@{version}")


@cache
def own() -> Component:
    version = metadata.version("beartray")
    return Component(OWN, "MIT", "application", version, f"pkg:generic/beartray@{version}")


def _nobodys(place: str, origin: Path) -> UnknownError:
    return UnknownError(
        f"{place} (from {origin}) has no licence that is known: say in"
        " packaging/components.toml whose it is, or leave it out in packaging/contents.py"
    )


def _model(name: str) -> Component:
    card = json.loads((ROOT / "models" / name / "model.json").read_text(encoding="utf-8"))
    return Component(f"model {name}", card["licence"], "machine-learning-model", own().version)


def _posix(place: str) -> str:
    return place.replace("\\", "/")


def write(components: Iterable[Component], target: Path) -> Path:
    rows = [{key: value for key, value in asdict(item).items() if value} for item in components]
    target.write_text(json.dumps(rows, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return target


def read(bundle: Path) -> list[Component]:
    """What a bundle says that it consists of; raises `OSError` where it says nothing."""
    rows: list[dict[str, Any]] = json.loads((internal(bundle) / COMPONENTS).read_text("utf-8"))
    lists = ("files", "modules")
    return [Component(**{**row, **{key: tuple(row.get(key, ())) for key in lists}}) for row in rows]


def internal(bundle: Path) -> Path:
    """The folder of libraries: beside the program, or in a macOS .app."""
    contents = bundle / "Contents" / "Frameworks"
    return contents if contents.is_dir() else bundle / "_internal"


def unaccounted(bundle: Path) -> list[str]:
    """The files in a bundle's folder of libraries that are no component's."""
    known = {name for component in read(bundle) for name in component.files}
    folder = internal(bundle)
    there = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    names = {path.relative_to(folder).as_posix() for path in there}
    return sorted(name for name in names - known if not fnmatch.fnmatch(name, COMPONENTS))
