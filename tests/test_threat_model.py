"""The page on threats names tests that exist, and at least one for each protection."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[list[str]]:
    """The tables' rows: what they try, what stands against it, proved by."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[-1] not in ("proved by", "---")]


def test_every_protection_has_a_test() -> None:
    assert len(rows()) > 20
    for row in rows():
        assert len(row) == 3, row
        assert NAMED.sub("", row[-1]).strip() == "", f"not a test: {row[-1]}"
        assert NAMED.search(row[-1]), f"no test for: {row[0]}"


def test_every_test_that_is_named_exists() -> None:
    for file, name in NAMED.findall(PAGE):
        path = ROOT / file
        assert path.is_file(), file
        text = path.read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, re.MULTILINE), f"{file} has no {name}"


def test_what_is_left_is_said_for_everyone_who_could_gain_by_it() -> None:
    for part in PAGE.split("\n## ")[1:]:
        title = part.splitlines()[0]
        assert "**What is left.**" in part or title.startswith(("A disk", "Those who")), title
