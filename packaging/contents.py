"""What goes into the bundle of an edition, and what of what PyInstaller finds stays out."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import elf
import fastai_contents
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LEARNER = "learner.pkl"

UNUSED = (
    # What Python and its packages bring for those who write programs.
    *("distutils", "ensurepip", "idlelib", "lib2to3", "pydoc", "test", "unittest", "doctest"),
    *("pdb", "numpy.f2py", "numpy.testing", "numpy.random", "numpy.fft", "numpy.polynomial"),
    *("onnxruntime.datasets", "onnxruntime.quantization", "onnxruntime.tools"),
    *("onnxruntime.transformers", "onnxruntime.backend"),
    # Windows and terminals of other kinds than ours.
    *("tkinter", "turtle", "curses", "readline", "Xlib", "PIL.ImageTk"),
    *("PIL.ImageQt", "PIL._tkinter_finder", "PIL._imagingtk"),
    # We write no text into pictures; FreeType, HarfBuzz and Brotli go with it.
    "PIL._imagingft",
    # Nothing is sent anywhere, so nothing is encrypted; asyncio and urllib do without.
    *("ssl", "_ssl", "ftplib", "smtplib", "xmlrpc", "http.cookiejar"),
    # For hosts whose names are not ASCII; the review page has one address, and no name.
    "idna",
    # As there is one in C.
    "_pydecimal",
)

# Of what can only work on other systems, that which PyInstaller complains about here.
OTHER_SYSTEMS = {
    "linux": (
        *("pystray._darwin", "pystray._win32", "pystray._util.win32"),
        *("watchdog.observers.fsevents", "watchdog.observers.kqueue"),
        *("watchdog.observers.read_directory_changes", "watchdog.observers.winapi"),
        *("platformdirs.windows", "asyncio.windows_events", "asyncio.windows_utils"),
        "asyncio.proactor_events",
    ),
}

_UNUSED_MODULES = re.compile(
    r"""
    # rich can colour source code in 300 languages; we show none
      pygments\.(filters|formatters|lexers|styles)\.(?!_mapping$).*
    # pydantic as it was years ago, and for those who write programs
    | pydantic\.(mypy|v1)(\..*)?
    # uvicorn's ways to serve with packages that we have not; anyio for another loop than asyncio's,
    # and what of Jinja2 is for those who ask for it by name
    | uvicorn\.(workers|loops\.uvloop)
    | uvicorn\.protocols\.(http\.(httptools|zttp)\w*|websockets\.\w+_impl)
    | anyio\._backends\._trio
    | jinja2\.(ext|sandbox|constants)
    """,
    re.VERBOSE,
)

_UNUSED_FILES = re.compile(
    r"""
    # onnxruntime for C programs; the Python module next to it has all of it in itself
      onnxruntime/capi/libonnxruntime\.(so|\d|dylib).*
    | .*/(tests?|testing|include)/.*
    | numpy/_core/_\w+_tests\..*
    | .*\.(pyi|pxd|h|c|cpp|a|lib)
    """,
    re.VERBOSE,
)

Entry = tuple[str, str, str]
"""A file as PyInstaller lists it: its place in the bundle, where it lies now, what it is."""


EXTRAS = {"standard": "", "fastai": "fastai"}


def excluded(edition: str) -> list[str]:
    """The modules that an edition goes without, even where they are installed."""
    others = OTHER_SYSTEMS.get(sys.platform, ())
    unused = fastai_contents.excluded(UNUSED) if edition == "fastai" else UNUSED
    return [*unused, *others, *foreign(needed("beartray", EXTRAS[edition]))]


def foreign(packages: set[str]) -> list[str]:
    """The modules of everything installed here that is not one of `packages`.

    The bundle is the same whatever else is there: many packages import what they find.
    """
    return sorted(
        module
        for module, owners in metadata.packages_distributions().items()
        if not packages & {canonicalize_name(owner) for owner in owners}
    )


def needed(package: str, extra: str = "", known: set[str] | None = None) -> set[str]:
    """The package and all that it needs here, and what they need, by canonical name."""
    found = set() if known is None else known
    found.add(canonicalize_name(package))
    for line in metadata.requires(package) or []:
        requirement = Requirement(line)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        if canonicalize_name(requirement.name) not in found:
            needed(requirement.name, ",".join(requirement.extras), found)
    return found


def wanted(entries: Iterable[Entry]) -> list[Entry]:
    """The files that the program uses."""
    return [entry for entry in entries if not _UNUSED_FILES.fullmatch(entry[0].replace("\\", "/"))]


def wanted_modules(entries: Iterable[Entry]) -> list[Entry]:
    """The modules that the program uses; for those that an import elsewhere would miss if they
    were among the excluded."""
    return [entry for entry in entries if not _UNUSED_MODULES.fullmatch(entry[0])]


def stripped(entries: Iterable[Entry], folder: Path) -> list[Entry]:
    """The same as copies in `folder`, without paths of this machine, and without symbols where
    they still load then."""
    return [
        (entry[0], _strip(entry, folder), entry[2])
        if entry[2] in {"BINARY", "EXTENSION"}  # the others are links
        else entry
        for entry in entries
    ]


def _strip(entry: Entry, folder: Path) -> str:
    copy = folder / entry[0]
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    shutil.copyfile(entry[1], copy)
    copy.chmod(0o755)
    subprocess.run(["strip", "--strip-unneeded", copy], check=True)
    library = copy.read_bytes()
    if not elf.loads(library):
        library = Path(entry[1]).read_bytes()
    copy.write_bytes(elf.without_foreign_paths(library))
    return str(copy)


def lean_model(source: Path, target: Path) -> Path:
    """Copy a model package without the learner, which only fastai can run; returns `target`.

    Its model.json no longer lists what is not there, so that the package still verifies.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(LEARNER))
    card_file = target / "model.json"
    card: dict[str, Any] = json.loads(card_file.read_text(encoding="utf-8"))
    card["files"].pop(LEARNER, None)
    text = json.dumps(card, indent=2, ensure_ascii=False)
    card_file.write_bytes(text.encode() + b"\n")
    return target
