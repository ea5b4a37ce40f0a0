"""Remembers which learners a person has agreed to run: a pickle is code, not data."""

from __future__ import annotations

import json
import logging
import re
import shlex
from pathlib import Path

import msgspec

from trayapp.engine import EngineError
from trayapp.engine.card import DEFINE_FILE, LEARNER_FILE
from trayapp.engine.package import ModelPackage
from trayapp.files import write_atomically

logger = logging.getLogger(__name__)

MEANING = (
    "it is a Python pickle, and opening one runs whatever program its maker put in it, with all "
    "that you may do on this computer"
)
"""What is to be said of a learner, after its name, before anyone agrees."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Trust:
    """The consents in `file`, JSON: the SHA-256 of a learner's file → the name it was known by.

    A file that is missing or damaged is no consent to anything; damage is logged.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def knows(self, sha256: str) -> bool:
        """Whether a person agreed to run the learner whose file has this SHA-256 (small hex)."""
        return sha256 in self._read()

    def remember(self, sha256: str, name: str) -> None:
        """Add the consent to run a learner. Raises `EngineError` when it cannot be written."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is not a SHA-256 in small hex")
        known = {**self._read(), sha256: name}
        text = json.dumps(known, indent=2, ensure_ascii=False) + "\n"
        try:
            write_atomically(self.file, text.encode(), 0o600)
        except OSError as error:
            raise EngineError(
                f"{self.file} cannot be written ({error.strerror or error}), so your consent "
                "would be forgotten: check the folder's access rights and its disk"
            ) from None

    def _read(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self.file.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
            logger.warning("%s cannot be read (%s): no learner is trusted", self.file, error)
            return {}


def code_of(package: ModelPackage) -> dict[str, Path]:
    """What the fastai engine would run of a package, by SHA-256; empty where it has no learner."""
    listed = package.card.files
    if LEARNER_FILE not in listed:
        return {}
    return {
        listed[name]: package.folder / name
        for name in (LEARNER_FILE, DEFINE_FILE)
        if name in listed
    }


def check_consent(package: ModelPackage, trust_file: Path | None) -> None:
    """Raises `EngineError` unless a person agreed to run this very learner.

    Without a `trust_file` nobody has.
    """
    code = code_of(package)
    for file in code.values():
        package.read(file.name)  # it is what model.json says; what that says is compared next
    if trust_file and all(map(Trust(trust_file).knows, code)):
        return
    # A package among the installed ones goes by its folder's name, any other by its path.
    folder = package.folder
    name = folder.name if folder.parent.name == "models" else str(folder)
    instead = ', or set engine = "onnx" under [model]' if "onnx" in package.engines else ""
    raise EngineError(
        f"{folder / LEARNER_FILE} was never agreed to: {MEANING}; if you trust its maker: "
        f"`beartray model use {shlex.quote(name)} --engine fastai --trust`{instead}"
    )
