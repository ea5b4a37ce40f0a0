"""A pickle that does what no pickle should, to show that it is never loaded unasked."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path


class _Harm:
    """Once unpickled, it has made the folder `mark`: any call could stand there."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.mkdir, (str(self.mark),)


def harmful(mark: Path, folder: Path) -> Path:
    """Give the model package in `folder` a learner.pkl that makes the folder `mark` when loaded."""
    file = folder / "learner.pkl"
    file.write_bytes(pickle.dumps(_Harm(mark)))
    card = json.loads((folder / "model.json").read_text())
    card["files"]["learner.pkl"] = hashlib.sha256(file.read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(card))
    return file
