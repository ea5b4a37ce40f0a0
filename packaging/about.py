"""What the installers say about the program, read from where it is kept."""

from __future__ import annotations

import platform
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COPYRIGHT = "© 2026 Beartray contributors"
SUMMARY = "File photos by what they show"
IDENTIFIER = "io.github.beartray"
# What the makers of systems call processors, by what Python calls them.
ARCHITECTURES = {"x86_64": "x64", "AMD64": "x64", "aarch64": "arm64", "ARM64": "arm64"}


def project() -> dict[str, Any]:
    """The table [project] of pyproject.toml."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["project"])


def version() -> str:
    """The version that this checkout is; the only place where it is kept for installers."""
    return str(project()["version"])


def package(edition: str) -> str:
    """The name of an edition's packages: beartray, beartray-fastai."""
    return "beartray" if edition == "standard" else f"beartray-{edition}"


def architecture() -> str:
    """This machine's, as in the names of downloads: x64 or arm64."""
    return ARCHITECTURES.get(platform.machine(), platform.machine())


def day(when: int) -> datetime:
    """Seconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(when, UTC)


def filled(template: str, when: int, **more: str) -> str:
    """`template` with @VERSION@, @DATE@ and what else is given put in."""
    values = {"VERSION": version(), "DATE": day(when).date().isoformat(), **more}
    for name, value in values.items():
        template = template.replace(f"@{name}@", value)
    return template
