"""Login items of macOS: a launch agent of the user."""

from __future__ import annotations

import plistlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from trayapp.files import write_atomically

LABEL = "io.github.beartray"


class LaunchAgent:
    """`library` is ~/Library. launchd reads the file at the next login."""

    def __init__(self, library: Path, environment: Mapping[str, str]) -> None:
        self._file = library / "LaunchAgents" / f"{LABEL}.plist"
        self._environment = dict(environment)

    @property
    def place(self) -> str:
        return str(self._file)

    def enable(self, command: Sequence[str]) -> None:
        agent: dict[str, Any] = {
            "Label": LABEL,
            "ProgramArguments": list(command),
            "RunAtLoad": True,
            "ProcessType": "Interactive",
            "LimitLoadToSessionType": "Aqua",  # not over ssh: there is no tray
        }
        if self._environment:
            agent["EnvironmentVariables"] = self._environment
        write_atomically(self._file, plistlib.dumps(agent), 0o644)

    def disable(self) -> None:
        self._file.unlink(missing_ok=True)

    def is_enabled(self) -> bool:
        agent = self._agent()
        return bool(agent.get("RunAtLoad")) and not agent.get("Disabled", False)

    def command(self) -> list[str] | None:
        command = self._agent().get("ProgramArguments")
        return [str(word) for word in command] if isinstance(command, list) else None

    def _agent(self) -> dict[str, Any]:
        """What the file says; nothing when it is missing or no property list."""
        try:
            agent = plistlib.loads(self._file.read_bytes())
        except (FileNotFoundError, NotADirectoryError, plistlib.InvalidFileException, ExpatError):
            return {}
        return agent if isinstance(agent, dict) else {}
