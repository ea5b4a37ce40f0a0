"""What will really happen at the next login, and putting right an item of an older place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trayapp.desktop.autostart import (
    HOME_VARIABLE,
    Autostart,
    Install,
    launch_command,
    login_environment,
)
from trayapp.photo import BeartrayError


@dataclass(frozen=True)
class LoginItem:
    """What the system will do. `command` is None where there is no item.

    `switched_off` says where the person switched it off, `program_there` whether the command's
    program exists, `own` whether the item starts this very Beartray, and `same_home` whether it
    has this one's `BEARTRAY_HOME`.
    """

    place: str
    command: tuple[str, ...] | None = None
    enabled: bool = False
    switched_off: str | None = None
    program_there: bool = False
    own: bool = False
    same_home: bool = True

    @property
    def starts(self) -> bool:
        """Whether a Beartray will be there after the next login."""
        return self.enabled and self.program_there

    @property
    def words(self) -> str:
        """The answer to "starts at login?" as one line for people."""
        if self.command is None:
            return "no"
        if self.switched_off is not None:
            return f"no, {self.switched_off}"
        if not self.enabled:
            return f"no, the system passes over {self.place}"
        if not self.program_there:
            return f"no, {self.command[0]} is not there any more"
        return "yes" if self.own else f"yes, but another one: {self.command[0]}"

    def row(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "enabled": self.starts,
            "place": self.place,
            "command": None if self.command is None else list(self.command),
            "program_exists": self.program_there,
            "this_one": self.own,
            "switched_off": self.switched_off,
        }


class Login:
    """The login item of the Beartray that runs.

    `memory` is a file that is there once there was an item: one that is missing later was taken
    away by the person, in the system's own settings, and does not come back by itself.
    """

    def __init__(
        self,
        autostart: Autostart,
        memory: Path,
        environ: Mapping[str, str],
        install: Install | None = None,
    ) -> None:
        self._autostart, self._memory, self._environ = autostart, memory, environ
        self._install = install or Install.current(environ)

    def item(self) -> LoginItem:
        """What the system will do at the next login; raises `OSError` when it cannot be read."""
        return look(self._autostart, launch_command(self._install), self._environ)

    def switch(self, wanted: bool) -> None:
        """Start this Beartray at login, or nothing.

        Raises `BeartrayError`, which says what to do.
        """
        if wanted and self._install.fleeting:
            raise BeartrayError("move Beartray to the Applications folder, then start it there")
        try:
            if wanted:
                self._autostart.enable(launch_command(self._install))
            else:
                self._autostart.disable()
            self._remember(wanted)
        except OSError as error:
            raise BeartrayError(
                f"{self._autostart.place}: the login item cannot be changed:"
                f" {error.strerror or error}"
            ) from None

    def repair(self, wanted: bool) -> bool:
        """To be called at start; `wanted` is the setting startup.at_login. True when it did.

        Raises `OSError` when the item can be neither read nor written.
        """
        item = self.item()
        match what_to_do(item, wanted, self._install, self._memory.exists()):
            case "make":
                self._autostart.enable(launch_command(self._install))
            case "point":
                self._autostart.point(launch_command(self._install))
            case _:
                if item.command is not None or not wanted:
                    self._remember(item.command is not None)
                return False
        self._remember(True)
        return True

    def _remember(self, there: bool) -> None:
        if not there:
            self._memory.unlink(missing_ok=True)
        elif not self._memory.exists():
            self._memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._memory.touch(mode=0o600)


def look(autostart: Autostart, own: Sequence[str], environ: Mapping[str, str]) -> LoginItem:
    """What the system will do; `own` is this Beartray's `launch_command`."""
    command = autostart.command()
    if not command:
        return LoginItem(autostart.place)
    return LoginItem(
        place=autostart.place,
        command=tuple(command),
        enabled=autostart.is_enabled(),
        switched_off=autostart.switched_off(),
        program_there=shutil.which(command[0], path=environ.get("PATH", os.defpath)) is not None,
        own=command == list(own),
        same_home=autostart.home() == login_environment(environ).get(HOME_VARIABLE),
    )


def what_to_do(item: LoginItem, wanted: bool, install: Install, was_there: bool) -> str:
    """What a start does about the login item: "make" it, "point" it at this Beartray, or "leave".

    An item that starts something else is pointed here when that is gone, or when this is not just
    a checkout that somebody tries out. Whether it is switched off stays as it is.
    """
    if install.fleeting:
        return "leave"
    if item.command is None:
        return "make" if wanted and not was_there else "leave"
    if item.own or not item.same_home:
        return "leave"
    return "point" if install.lasting or not item.program_there else "leave"
