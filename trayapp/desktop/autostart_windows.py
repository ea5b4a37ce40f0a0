"""Login items of Windows: a value under the user's Run key."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

RUN = r"Software\Microsoft\Windows\CurrentVersion\Run"
# Task Manager's Startup page writes here; an odd first byte means switched off.
APPROVED = r"Software\Microsoft\Windows\CurrentVersion\Explorer\StartupApproved\Run"
NAME = "Beartray"


class WindowsAutostart:
    """`registry` is the module `winreg`."""

    def __init__(self, registry: Any, environment: Mapping[str, str]) -> None:
        self._registry = registry
        self._environment = dict(environment)

    @property
    def place(self) -> str:
        return rf"HKEY_CURRENT_USER\{RUN}\{NAME}"

    def enable(self, command: Sequence[str]) -> None:
        registry = self._registry
        with registry.CreateKeyEx(
            registry.HKEY_CURRENT_USER, RUN, 0, registry.KEY_SET_VALUE
        ) as key:
            registry.SetValueEx(key, NAME, 0, registry.REG_SZ, self._line(command))
        self._delete(APPROVED)  # the person has just said yes; an older no must not stand

    def disable(self) -> None:
        self._delete(RUN)
        self._delete(APPROVED)

    def is_enabled(self) -> bool:
        approved = self._read(APPROVED)
        switched_off = isinstance(approved, bytes) and len(approved) > 0 and approved[0] % 2 == 1
        return self._read(RUN) is not None and not switched_off

    def command(self) -> list[str] | None:
        line = self._read(RUN)
        if not isinstance(line, str):
            return None
        if found := re.fullmatch(r'cmd /d /c ".* && start "" (.*)"', line, re.DOTALL):
            line = found[1]
        return split_command_line(line)

    def _line(self, command: Sequence[str]) -> str:
        line = subprocess.list2cmdline(command)
        if not self._environment:
            return line
        # A Run value holds no variables of its own; cmd sets them and is gone at once.
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
