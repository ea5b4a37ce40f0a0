"""Login items of macOS: a launch agent of the user."""

from __future__ import annotations

import plistlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from trayapp.desktop.autostart import HOME_VARIABLE
from trayapp.files import write_atomically

LABEL = "io.github.beartray"
FRESH_SECONDS = 10.0  # the menu asks whenever it is drawn


Launchctl = Callable[[Sequence[str]], str]


def no_launchctl(_: Sequence[str]) -> str:
    """Where launchd cannot be asked: it has nothing switched off."""
    return ""


class LaunchAgent:
    """`library` is ~/Library. launchd reads the file at the next login.

    `launchctl(arguments)` gives what that program prints, "" when it fails; `user` is the numeric
    user id. launchd keeps by itself what `launchctl disable` switched off.
    """

    def __init__(
        self,
        library: Path,
        environment: Mapping[str, str],
        launchctl: Launchctl = no_launchctl,
        user: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = library / "LaunchAgents" / f"{LABEL}.plist"
        self._environment = dict(environment)
        self._launchctl, self._domain, self._clock = launchctl, f"gui/{user}", clock
        self._answer: tuple[float, bool] | None = None

    @property
    def place(self) -> str:
        return str(self._file)

    def enable(self, command: Sequence[str]) -> None:
        self._write(
            {
                "Label": LABEL,
                "RunAtLoad": True,
                "ProcessType": "Interactive",
                "LimitLoadToSessionType": "Aqua",  # not over ssh: there is no tray
            },
            command,
        )
        if self._disabled_in_launchd():  # the person has just said yes; an older no must not stand
            self._launchctl(["enable", f"{self._domain}/{LABEL}"])
            self._answer = None

    def point(self, command: Sequence[str]) -> None:
        self._write(self._agent(), command)

    def disable(self) -> None:
        self._file.unlink(missing_ok=True)

    def is_enabled(self) -> bool:
        return bool(self._agent().get("RunAtLoad")) and self.switched_off() is None

    def switched_off(self) -> str | None:
        agent = self._agent()
        if agent.get("Disabled", False):
            return f"it is disabled in {self._file}"
        if agent and self._disabled_in_launchd():
            return f"it was switched off; `launchctl enable {self._domain}/{LABEL}` allows it again"
        return None

    def command(self) -> list[str] | None:
        command = self._agent().get("ProgramArguments")
        return [str(word) for word in command] if isinstance(command, list) else None

    def home(self) -> str | None:
        variables = self._agent().get("EnvironmentVariables")
        home = variables.get(HOME_VARIABLE) if isinstance(variables, dict) else None
        return None if home is None else str(home)

    def _write(self, agent: Mapping[str, Any], command: Sequence[str]) -> None:
        written = {**agent, "ProgramArguments": list(command)}
        if self._environment:
            written["EnvironmentVariables"] = self._environment
        write_atomically(self._file, plistlib.dumps(written), 0o644)

    def _disabled_in_launchd(self) -> bool:
        """Older systems print "=> true", newer ones "=> disabled"."""
        now = self._clock()
        if self._answer is None or now - self._answer[0] > FRESH_SECONDS:
            printed = self._launchctl(["print-disabled", self._domain])
            found = re.search(rf'"{re.escape(LABEL)}" => (true|disabled)\b', printed)
            self._answer = now, found is not None
        return self._answer[1]

    def _agent(self) -> dict[str, Any]:
        """What the file says; nothing when it is missing or no property list."""
        try:
            agent = plistlib.loads(self._file.read_bytes())
        except (FileNotFoundError, NotADirectoryError, plistlib.InvalidFileException, ExpatError):
            return {}
        return agent if isinstance(agent, dict) else {}
