"""Asks before a learner is run: a pickle is a program, and a person has to vouch for its maker."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import typer

from trayapp.commands import terminal
from trayapp.engine import EngineError
from trayapp.engine.trust import MEANING, Trust


def agree(files: Mapping[str, Path], trust: bool) -> None:
    """Return once a person has agreed to run `files`, by their SHA-256; remembers it.

    The first is the learner, the others what it needs. `trust` is the person's word on the
    command line; without it they are asked, where they can be, unless they agreed before.
    Raises `EngineError` when they do not agree.
    """
    known = Trust(terminal.paths().trust)
    new = {sha256: file for sha256, file in files.items() if not known.knows(sha256)}
    if new and not trust:
        _ask(next(iter(new.values())))
    for sha256, file in new.items():
        known.remember(sha256, str(file))


def _ask(file: Path) -> None:
    if sys.stdin is None or not sys.stdin.isatty():
        raise EngineError(f"{file}: {MEANING}; if you trust its maker, say so with --trust")
    terminal.warn(f"{file}: {MEANING}.")
    if not typer.confirm("Do you trust its maker?", default=False, err=True):
        raise EngineError(f"{file} was not run, and nothing was changed")
