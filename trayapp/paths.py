"""Where things lie: the person's own folders, and the data that comes with the program."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True)
class Paths:
    """Every file that Beartray keeps for one user. Nothing is created by asking."""

    settings_file: Path
    journal_file: Path
    log_file: Path
    models: Path
    private: Path  # locks and the control key
    trust: Path  # which learners the person agreed to run
    cache: Path  # what can be made again

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Paths:
        """`BEARTRAY_HOME=DIR` keeps all of it under DIR: portable use, and tests."""
        if home := environ.get("BEARTRAY_HOME"):
            root = Path(home).expanduser().absolute()
            return cls(
                settings_file=root / "settings.toml",
                journal_file=root / "journal.sqlite",
                log_file=root / "log" / "beartray.log",
                models=root / "models",
                private=root / "private",
                trust=root / "trusted-learners.json",
                cache=root / "cache",
            )
        dirs = platformdirs.PlatformDirs("beartray", appauthor=False, roaming=False)
        return cls(
            settings_file=dirs.user_config_path / "settings.toml",
            journal_file=dirs.user_data_path / "journal.sqlite",
            log_file=dirs.user_log_path / "beartray.log",
            models=dirs.user_data_path / "models",
            private=dirs.user_data_path / "private",
            trust=dirs.user_data_path / "trusted-learners.json",
            cache=dirs.user_cache_path,
        )


def default_folder() -> Path:
    """Where photos are dropped until the person chooses another folder."""
    return platformdirs.user_pictures_path() / "Beartray"


def bundled(name: str) -> Path:
    """`config` or `models` as they came with the program: frozen, installed, or in a checkout."""
    if frozen := getattr(sys, "_MEIPASS", None):
        return Path(frozen) / name
    package = Path(__file__).resolve().parent
    installed = package / "data" / name
    return installed if installed.is_dir() else package.parent / name
