"""Writes down the licence of everything in a bundle, and refuses what must not be in it."""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import metadata
from pathlib import Path

import libraries
from installed import Installed
from inventory import OWN, Component, Entry, Inventory, UnknownError, python_package
from inventory import write as write_inventory

MAKERS = ("pyinstaller", "pyinstaller-hooks-contrib")
FILE = "THIRD-PARTY-LICENCES.txt"
TEXTS = Path(__file__).with_name("licences")
_LICENCE_FILE = re.compile(r"(LICEN[CS]ES?|COPYING|NOTICE|ThirdPartyNotices).*", re.IGNORECASE)
RULE = "=" * 100

PREFACE = """\
Beartray is under the MIT licence; see LICENSE. It stands on the work of many others, which comes
with it. Everything that is in this copy of Beartray is listed here, with its licence; the texts
follow in the same order.

Those under the LGPL (GNU Lesser General Public License) you may replace by a version of your own:
libraries are files in the folder beside this one; Python packages are those that `python3 tasks.py
bundle` finds in a checkout of Beartray when it makes this program. Their source is where the list
says, or for Python packages at https://pypi.org.
"""


def write(entries: Iterable[Entry], packages: Iterable[str], work: Path) -> list[Entry]:
    """Write the list, and the inventory that it is made from, into `work`.

    `entries` are all files and modules that PyInstaller puts into the bundle, of `packages` and
    what these are made with; returned are the two that come on top. Raises `UnknownError` when
    something has no licence, or one that would make all of Beartray GPL.
    """
    installed = Installed({*packages, *MAKERS} - {"beartray"})
    components = _with_starter(Inventory(libraries.known(), installed, work).take(entries))
    check(components)
    target = work / FILE
    target.write_text(text_of(components), encoding="utf-8")
    listed = write_inventory(_with_own_files(components), work / "components.json")
    return [(path.name, str(path), "DATA") for path in (target, listed)]


def _with_starter(components: list[Component]) -> list[Component]:
    """PyInstaller's starter is in the program itself, which no list of entries names."""
    if any(item.name == "pyinstaller" for item in components):
        return components
    return sorted([*components, python_package("pyinstaller")], key=lambda item: item.name.lower())


def _with_own_files(components: list[Component]) -> list[Component]:
    return [
        replace(item, files=tuple(sorted({*item.files, FILE}))) if item.name == OWN else item
        for item in components
    ]


def check(components: Iterable[Component]) -> None:
    """Raises `UnknownError` when one is under the GPL without an exception."""
    for item in components:
        if libraries.demands_gpl(item.licence):
            raise UnknownError(
                f"{item.name} is under {item.licence}: with it all of Beartray would be; leave"
                " it out in packaging/contents.py"
            )


def text_of(components: Iterable[Component]) -> str:
    """The whole document. Raises `UnknownError` when a text is missing."""
    others = [item for item in components if item.name != OWN]
    rows = [" · ".join(filter(None, (_title(item), item.licence, item.source))) for item in others]
    parts, told = [PREFACE, "\n".join(rows)], dict[str, str]()
    for item in others:
        parts.append(f"{RULE}\n{_title(item)}\n{item.licence}\n{RULE}")
        for text in licence_texts(item, others):
            first = told.setdefault(text, item.name)
            parts.append(text if first == item.name else f"(The text is given under {first}.)")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _title(item: Component) -> str:
    return f"{item.name} {item.version or ''}".strip()


def licence_texts(item: Component, others: Iterable[Component]) -> list[str]:
    """The texts of one component's licence; `others` may hold it in theirs.

    Raises `UnknownError` when there is none.
    """
    library = next((row for row in libraries.known() if row.name == item.name), None)
    if library is not None:
        return _texts_of_library(library, others)
    if item.name == "Python":
        return [_python_text()]
    if item.kind == "machine-learning-model":
        return [(TEXTS / f"{item.licence}.txt").read_text(encoding="utf-8")]
    if not (texts := package_texts(item.name)):
        raise UnknownError(f"{item.name} brings no text of its licence, {item.licence}")
    return texts


def _texts_of_library(library: libraries.Library, others: Iterable[Component]) -> list[str]:
    if library.named:
        names = "|".join(map(re.escape, library.named))
        heading = re.compile(rf"^(?:Name: |=+ )?({names})(?:-[\d.]+ =+)?\s*$", re.I | re.M)
        for other in others:
            for text in package_texts(other.name) if _is_package(other) else []:
                if found := heading.search(text):
                    return [f'(The text is given under {other.name}, where it says "{found[1]}".)']
        raise UnknownError(f"{library.name}: no package's licence names {library.named[0]!r}")
    texts = [library.copyright] if library.copyright else []
    for name in library.texts:
        package, _, file = name.rpartition(":")
        own_text = TEXTS / file
        texts.append(_file_of(package, file) if package else own_text.read_text(encoding="utf-8"))
    return [text.strip() for text in texts]


def _is_package(item: Component) -> bool:
    return (item.purl or "").startswith("pkg:pypi/")


@cache
def package_texts(package: str) -> list[str]:
    """The licence files of a Python package."""
    files = [
        file
        for file in metadata.distribution(package).files or []
        if _LICENCE_FILE.fullmatch(file.name)
        and file.suffix not in {".py", ".pyc"}
        and not {"tests", "sboms"} & set(file.parts)
    ]
    found = {file.as_posix(): file.read_text(encoding="utf-8").strip() for file in sorted(files)}
    ours = [(TEXTS / name).read_text(encoding="utf-8").strip() for name in libraries.texts(package)]
    return list(dict.fromkeys(text for text in (*found.values(), *ours) if text))


def _file_of(package: str, name: str) -> str:
    for file in metadata.distribution(package).files or []:
        if file.name == name:
            return file.read_text(encoding="utf-8")
    raise UnknownError(f"{package} brings no {name}, which other licences refer to")


def _python_text() -> str:
    places = [Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix)]
    places = [folder / "LICENSE.txt" for folder in places]
    number = f"{sys.version_info[0]}.{sys.version_info[1]}"
    places.append(Path(f"/usr/share/doc/python{number}/copyright"))
    for place in places:
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise UnknownError(f"there is no licence of Python at {places[0]}")
