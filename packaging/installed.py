"""Knows of the installed Python packages which file and which module is whose."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from importlib import metadata
from importlib.metadata import Distribution, PackagePath


class Installed:
    """Some of the packages here, by name. Raises `PackageNotFoundError` when one is not here."""

    def __init__(self, names: Iterable[str]) -> None:
        self._of_file: dict[str, str] = {}
        self._of_module: dict[str, str] = {}
        self.versions: dict[str, str] = {}  # of what else is in their wheels, by its name
        for name in sorted(names):
            self._look(name, metadata.distribution(name))

    def owner(self, path: str) -> str | None:
        """The package that brought the file at `path`."""
        return self._of_file.get(path)

    def by_module(self, name: str) -> str | None:
        """The package that a module, or the folder of a package, belongs to."""
        return self._of_module.get(name)

    def _look(self, name: str, package: Distribution) -> None:
        base = str(package.locate_file(""))
        for file in package.files or []:
            self._of_file[os.path.normpath(f"{base}/{file}")] = name
            top = file.parts[0].removesuffix(".py").split(".cpython-")[0]
            if not top.endswith((".dist-info", "..")):
                self._of_module.setdefault(top, name)
            if "sboms" in file.parts and file.name.endswith(".json"):
                self._read(file)

    def _read(self, file: PackagePath) -> None:
        """https://peps.python.org/pep-0770/"""
        for row in json.loads(file.read_text(encoding="utf-8")).get("components", []):
            for name in str(row["name"]).split(" / "):
                if version := row.get("version"):
                    self.versions[name.casefold()] = version
