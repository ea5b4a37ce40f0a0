"""Starts Beartray at login: what every system's way has in common, and the command to start."""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HOME_VARIABLE = "BEARTRAY_HOME"
# Where macOS runs a program that was downloaded and not moved yet; gone after the next restart.
TRANSLOCATED = "/AppTranslocation/"


class Autostart(Protocol):
    """One system's login items. `place` says where the item lies, for `status`."""

    @property
    def place(self) -> str: ...

    def enable(self, command: Sequence[str]) -> None:
        """Start `command` at login from now on, whatever was switched off before.

        Raises `OSError` when it cannot be written.
        """

    def point(self, command: Sequence[str]) -> None:
        """Let the item that is there start `command`, and change nothing else about it.

        What a person switched off stays off. Raises `OSError`.
        """

    def disable(self) -> None:
        """Start nothing any more; fine when there was nothing. Raises `OSError`."""

    def is_enabled(self) -> bool:
        """Whether the system would start the item's command at the next login."""

    def command(self) -> list[str] | None:
        """The command that the login item holds, without its environment; None without one."""

    def home(self) -> str | None:
        """The `BEARTRAY_HOME` that the item sets, if it does."""

    def switched_off(self) -> str | None:
        """Where the item was switched off by other means than Beartray's, in words."""


@dataclass(frozen=True)
class Install:
    """How this Beartray came to run.

    `root` is the folder that holds the package, `scripts` where console scripts are installed,
    `sites` the folders that this interpreter always imports from, `image` the AppImage file that
    it was started from.
    """

    interpreter: Path
    frozen: bool
    root: Path
    scripts: Path
    sites: tuple[Path, ...]
    image: Path | None = None

    @property
    def lasting(self) -> bool:
        """Whether it was put where it is to be used; a checkout may only have been tried out."""
        return (self.frozen or self.root in self.sites) and not self.fleeting

    @property
    def fleeting(self) -> bool:
        """Whether macOS runs it from a place that will not be there tomorrow."""
        return TRANSLOCATED in str(self.interpreter)

    @classmethod
    def current(cls, environ: Mapping[str, str] | None = None) -> Install:
        """As it is."""
        frozen = bool(getattr(sys, "frozen", False))
        found = [] if frozen else [*site.getsitepackages(), site.getusersitepackages()]
        return cls(
            interpreter=Path(sys.executable).absolute(),
            frozen=frozen,
            root=Path(__file__).resolve().parents[2],
            scripts=Path(sysconfig.get_path("scripts")),
            sites=tuple(Path(folder).resolve() for folder in found),
            image=_image(os.environ if environ is None else environ, Path(sys.executable)),
        )


def launch_command(install: Install | None = None) -> list[str]:
    """The command that starts this very Beartray from any folder and with any PATH.

    The AppImage or the bundle's program, else the installed console script, else the interpreter
    with `-m trayapp`. A checkout is not importable from elsewhere: there the interpreter is told
    where it lies, in a way that needs neither PYTHONPATH (every child would inherit it) nor a
    working folder (login items have none of their own).
    """
    own = install or Install.current()
    if own.image is not None:
        return [str(own.image)]
    if own.frozen:
        return [str(_windowed(own.interpreter))]
    silent = own.interpreter.with_name("pythonw.exe")  # on Windows: opens no console window
    interpreter = silent if silent.is_file() else own.interpreter
    if own.root not in own.sites:
        start = (
            f"import sys; sys.path.insert(0, {str(own.root)!r}); "
            "from trayapp.__main__ import main; sys.exit(main())"
        )
        return [str(interpreter), "-c", start]
    if interpreter != silent and (script := own.scripts / "beartray").is_file():
        return [str(script)]
    return [str(interpreter), "-m", "trayapp"]


def _windowed(program: Path) -> Path:
    """The bundle's program without a console; on Windows the command line is one beside it."""
    twin = program.with_name(program.name.replace("-console", ""))
    return twin if twin.is_file() else program


def login_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a login item must carry for the same Beartray to come up."""
    home = environ.get(HOME_VARIABLE)
    return {HOME_VARIABLE: str(Path(home).expanduser().absolute())} if home else {}


def _image(environ: Mapping[str, str], interpreter: Path) -> Path | None:
    """The AppImage that holds this very program.

    A terminal that is an AppImage leaves its own variables to what is started in it.
    """
    image, mount = environ.get("APPIMAGE"), environ.get("APPDIR")
    if image and mount and interpreter.is_relative_to(mount):
        return Path(image)
    return None
