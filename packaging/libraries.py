"""What is known of native libraries and licences: components.toml, and what versions they are."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageMetadata
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec
from license_expression import ExpressionError, Licensing, get_spdx_licensing

TABLE = Path(__file__).with_name("components.toml")


@dataclass(frozen=True)
class Library:
    """A row of components.toml, which explains the fields."""

    name: str
    licence: str
    files: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    copyright: str = ""
    texts: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    source: str | None = None
    numbered: bool = False
    listed: str = ""


@cache
def table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def known() -> tuple[Library, ...]:
    """Every library of components.toml."""
    return msgspec.convert(table()["library"], tuple[Library, ...])


def of_file(libraries: Iterable[Library], place: str) -> Library | None:
    """The library that the file at `place` in the bundle is."""
    name = PurePosixPath(place).name
    if not re.search(r"\.(so|dylib|dll|pyd)\b", name) or "cpython-" in name:
        return None
    return next((item for item in libraries if _any(name, item.files)), None)


def inside(libraries: Iterable[Library], place: str) -> list[Library]:
    """The libraries that are built into the file at `place` in the bundle."""
    return [item for item in libraries if _any(place, item.inside)]


def _any(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def expression(package: str, found: PackageMetadata) -> str | None:
    """A Python package's licence as an SPDX expression, None when it says none that is known."""
    if own := table()["package"].get(package):
        return str(own)
    classifiers = found.get_all("Classifier") or []
    said = [*(found.get_all("License-Expression") or []), *(found.get_all("License") or [])]
    said += [line.split(" :: ")[-1] for line in classifiers if line.startswith("License ::")]
    for words in said:
        text = " ".join(words.split())
        text = str(table()["spdx"].get(text, text))
        if text and is_expression(text):
            return text
    return None


def texts(package: str) -> list[str]:
    """The files in licences/ for a Python package that brings none."""
    return list(table()["text"].get(package, []))


def is_expression(text: str) -> bool:
    try:
        _licensing().parse(_plain(text), validate=True)
    except ExpressionError:
        return False
    return True


def demands_gpl(text: str) -> bool:
    """Whether under this licence the whole program would have to be under the GPL.

    An exception, such as GCC's and PyInstaller's, is there so that it does not.
    """
    return _demands(_licensing().parse(_plain(text)))


def _demands(node: Any) -> bool:
    if kind := getattr(node, "operator", "").strip():
        answers = [_demands(part) for part in node.args]
        return all(answers) if kind == "OR" else any(answers)
    if hasattr(node, "exception_symbol"):
        return False
    return str(node.key).startswith(("GPL-", "AGPL-", "SSPL-"))


def _plain(text: str) -> str:
    """Licences that SPDX has no name for are taken as they are."""
    return re.sub(r"\bLicenseRef-[\w.-]+", "MIT", text)


@cache
def _licensing() -> Licensing:
    return get_spdx_licensing()


def version(
    library: Library, origin: str, in_wheels: Mapping[str, str]
) -> tuple[str | None, str | None]:
    """A library's version and package URL, as far as somebody has written them down.

    `in_wheels` is what packages say of their wheels, by name in lower case; the system's own
    libraries are looked for among Debian's packages.
    """
    if "site-packages" in origin.replace("\\", "/").split("/"):
        if library.numbered and (number := re.search(r"\.so\.(\d+\.\d+\.\d+)$", origin)):
            return number[1], None
        return in_wheels.get(library.listed or library.name.casefold()), None
    if shutil.which("dpkg-query") and (package := _debian(origin)):
        name, packaged = package
        return packaged, f"pkg:deb/debian/{name}@{packaged}"
    return None, None


@cache
def _debian(origin: str) -> tuple[str, str] | None:
    real = Path(origin).resolve()
    merged = [str(real), str(real).removeprefix("/usr")]  # as before /lib became a link
    query = ["dpkg-query", "--search", *merged]
    found = subprocess.run(query, capture_output=True, text=True).stdout.partition(": ")[0]
    if not found:
        return None
    ask = ["dpkg-query", "--show", "--showformat", "${Package} ${Version}", found]
    answer = subprocess.run(ask, capture_output=True, text=True).stdout.split()
    return (answer[0], answer[1]) if len(answer) == 2 else None
