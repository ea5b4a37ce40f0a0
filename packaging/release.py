#!/usr/bin/env python3
"""What the release workflow asks: is the tag this version, what is new, are the sums written?"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import about
import archives

CHANGELOG = about.ROOT / "CHANGELOG.md"
UNRELEASED = "Unreleased"
_SECTION = re.compile(r"^## \[?(?P<title>[^\]\s]+)\]?.*\n(?P<text>(?:(?!## ).*\n?)*)", re.MULTILINE)


class ReleaseError(Exception):
    """Something that has to be put right before a release: one line."""


def check(tag: str, changelog: str) -> str:
    """The version that `tag`, such as v1.2.3, stands for.

    Raises `ReleaseError` when it is not this checkout's, or the changelog does not tell of it.
    """
    version = about.version()
    if tag != f"v{version}":
        raise ReleaseError(f"the tag is {tag}, and pyproject.toml says {version}: tag v{version}")
    notes(changelog, version)
    return version


def notes(changelog: str, title: str) -> str:
    """What the section `title` of the changelog says, as Markdown.

    Raises `ReleaseError` when there is none, or nothing in it.
    """
    sections = {found["title"]: found["text"].strip() for found in _SECTION.finditer(changelog)}
    if not sections.get(title):
        raise ReleaseError(f'{CHANGELOG.name} says nothing under "## {title}": write what is new')
    return sections[title]


def sums(folder: Path) -> Path:
    """Write SHA256SUMS for everything in `folder`."""
    files = [path for path in folder.iterdir() if path.is_file() and path.name != archives.SUMS]
    return archives.write_sums(files, folder / archives.SUMS)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("check", help="whether TAG is this version").add_argument("tag")
    told = verbs.add_parser("notes", help="what is new, as Markdown")
    told.add_argument("--rehearsal", action="store_true", help="what is not released yet")
    verbs.add_parser("sums", help="write SHA256SUMS").add_argument("folder", type=Path)
    asked = parser.parse_args(arguments)
    changelog = CHANGELOG.read_text(encoding="utf-8")
    try:
        if asked.verb == "check":
            print(check(asked.tag, changelog))
        elif asked.verb == "notes":
            print(notes(changelog, UNRELEASED if asked.rehearsal else about.version()))
        else:
            print(sums(asked.folder))
    except ReleaseError as error:
        print(f"release.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main())
