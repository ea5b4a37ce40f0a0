"""Login items of Windows: a value under the user's Run key."""

from __future__ import annotations

import errno
import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from trayapp.desktop.autostart import HOME_VARIABLE

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
# Task Manager's Startup page writes here; an odd first byte means switched off.
APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"
NAME = "Beartray"
# https://learn.microsoft.com/windows/win32/setupapi/run-and-runonce-registry-keys
LONGEST = 260
_WITH_HOME = re.compile(
    rf'cmd /d /c "set "{HOME_VARIABLE}=(?P<home>[^"]*)" && start "" (?P<command>.*)"', re.DOTALL
)


class WindowsAutostart:
    """`registry` is the module `winreg`."""

    def __init__(self, registry: Any, environment: Mapping[str, str]) -> None:
        self._registry = registry
        self._environment = dict(environment)

    @property
    def place(self) -> str:
        return rf"HKEY_CURRENT_USER\{RUN}\{NAME}"

    def enable(self, command: Sequence[str]) -> None:
        self.point(command)
        self._delete(APPROVED)  # the person has just said yes; an older no must not stand

    def point(self, command: Sequence[str]) -> None:
        registry, line = self._registry, self._line(command)
        if len(line) > LONGEST:
            raise OSError(
                errno.ENAMETOOLONG,
                f"its command has {len(line)} characters, Windows takes {LONGEST}",
            )
        with registry.CreateKeyEx(
            registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE
        ) as key:
            registry.SetValueEx(key, NAME, 0, registry.REG_SZ, line)

    def disable(self) -> None:
        self._delete(RUN)
        self._delete(APPROVED)

    def is_enabled(self) -> bool:
        return self._read(RUN) is not None and self.switched_off() is None

    def switched_off(self) -> str | None:
        approved = self._read(APPROVED)
        if isinstance(approved, bytes) and approved and approved[0] % 2 == 1:
            return "it was switched off in Task Manager or in Windows' startup settings"
        return None

    def command(self) -> list[str] | None:
        line = self._read(RUN)
        if not isinstance(line, str):
            return None
        found = _WITH_HOME.fullmatch(line)
        return split_command_line(found["command"] if found else line) or None

    def home(self) -> str | None:
        line = self._read(RUN)
        found = _WITH_HOME.fullmatch(line) if isinstance(line, str) else None
        return found["home"] if found else None

    def _line(self, command: Sequence[str]) -> str:
        line = subprocess.list2cmdline(command)
        if not self._environment:
            return line
        # A Run value holds no variables of its own; cmd sets them and is gone at once.
        for value in self._environment.values():
            if re.search(r"%[^%]+%", value):
                raise OSError(errno.EINVAL, f"Windows would put something else for %…% in {value}")
        sets = " && ".join(f'set "{name}={value}"' for name, value in self._environment.items())
        return f'cmd /d /c "{sets} && start "" {line}"'

    def _read(self, path: str) -> Any:
        registry = self._registry
        try:
            with registry.OpenKey(registry.HKEY_CURRENT_USER, path) as key:
                return registry.QueryValueEx(key, NAME)[0]
        except FileNotFoundError:
            return None

    def _delete(self, path: str) -> None:
        registry = self._registry
        try:
            with registry.OpenKey(
                registry.HKEY_CURRENT_USER, path, 0, registry.KEY_SET_VALUE
            ) as key:
                registry.DeleteValue(key, NAME)
        except FileNotFoundError:
            return


def split_command_line(line: str) -> list[str]:
    """The arguments that a Windows program would see: the inverse of `list2cmdline`.

    The rules for backslashes before quotes are those of CommandLineToArgvW.
    """
    words: list[str] = []
    word, quoted, started = "", False, False
    for slashes, quote, other in re.findall(r'(\\*)(?:(")|(.)|$)', line, re.DOTALL):
        if quote:
            word += "\\" * (len(slashes) // 2)
            started = True
            if len(slashes) % 2:
                word += '"'
            else:
                quoted = not quoted
            continue
        word += slashes
        started = started or bool(slashes)
        if other in (" ", "\t") and not quoted:
            if started:
                words.append(word)
            word, started = "", False
        elif other:
            word += other
            started = True
    return [*words, word] if started else words
