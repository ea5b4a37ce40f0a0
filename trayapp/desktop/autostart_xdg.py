"""Login items of Linux desktops: a desktop entry in the autostart folder.

https://specifications.freedesktop.org/autostart-spec/latest/ and the Desktop Entry
Specification, whose quoting of Exec is in two layers: arguments first, then the string.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from trayapp.files import write_atomically

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_STRING_ESCAPES = {"s": " ", "n": "\n", "t": "\t", "r": "\r", "\\": "\\"}
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"|([^\s"]+)', re.DOTALL)


class XdgAutostart:
    """`config_home` is $XDG_CONFIG_HOME, `desktops` the names in $XDG_CURRENT_DESKTOP."""

    def __init__(
        self, config_home: Path, desktops: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._file = config_home / "autostart" / "beartray.desktop"
        self._desktops = frozenset(desktops)
        self._environment = dict(environment)

    @property
    def place(self) -> str:
        return str(self._file)

    def enable(self, command: Sequence[str]) -> None:
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        whole = ["env", *variables, *command] if variables else list(command)
        lines = [
            "[Desktop Entry]",
            "Type=Application",
            "Version=1.5",
            "Name=Beartray",
            "Comment=Files photos by what they show",
            f"Exec={exec_line(whole)}",
            "Terminal=false",
            "StartupNotify=false",
            "Categories=Graphics;Photography;",
            "X-GNOME-Autostart-enabled=true",
        ]
        write_atomically(
            self._file, ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape"), 0o644
        )

    def disable(self) -> None:
        self._file.unlink(missing_ok=True)

    def is_enabled(self) -> bool:
        entry = self._entry()
        if not entry.get("Exec") or entry.get("Hidden") == "true":
            return False
        if entry.get("X-GNOME-Autostart-enabled") == "false":
            return False
        only, never = _names(entry.get("OnlyShowIn")), _names(entry.get("NotShowIn"))
        return not (only and not only & self._desktops) and not never & self._desktops

    def command(self) -> list[str] | None:
        line = self._entry().get("Exec")
        if not line:
            return None
        words = parse_exec(line)
        if words[:1] == ["env"]:
            words = words[1:]
            while words and re.match(r"\w+=", words[0]):
                words = words[1:]
        return words

    def _entry(self) -> dict[str, str]:
        """The keys of the group [Desktop Entry]; none when there is no file."""
        try:
            text = self._file.read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return {}
        found: dict[str, str] = {}
        inside = False
        for line in text.split("\n"):
            if line.startswith("["):
                inside = line.strip() == "[Desktop Entry]"
            elif inside and "=" in line and not line.startswith("#"):
                key, value = line.split("=", 1)
                found[key.strip()] = value.strip()
        return found


def exec_line(command: Sequence[str]) -> str:
    """`command` as the value of Exec."""
    line = " ".join(_quoted(argument) for argument in command)
    for plain, escaped in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        line = line.replace(plain, escaped)
    return line


def parse_exec(line: str) -> list[str]:
    """The command in an Exec value; field codes such as %U are left out."""
    text = re.sub(r"\\(.)", lambda found: _STRING_ESCAPES.get(found[1], found[0]), line)
    words = []
    for quoted, plain in _ARGUMENT.findall(text):
        word = plain or re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL)
        if re.fullmatch(r"%[a-zA-Z]", word):
            continue
        words.append(word.replace("%%", "%"))
    return words


def _quoted(argument: str) -> str:
    percent = argument.replace("%", "%%")
    if _PLAIN.fullmatch(percent):
        return percent
    return '"' + re.sub(r'(["`$\\])', r"\\\1", percent) + '"'


def _names(value: str | None) -> set[str]:
    return {name for name in (value or "").split(";") if name}
