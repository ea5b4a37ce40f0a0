"""Login items of Linux desktops: a desktop entry in the autostart folder.

https://specifications.freedesktop.org/autostart-spec/latest/ and the Desktop Entry
Specification, whose quoting of Exec is in two layers: arguments first, then the string.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from trayapp.desktop.autostart import HOME_VARIABLE
from trayapp.files import write_atomically

_PLAIN = re.compile(r"[\w@%+=:,./-]+", re.ASCII)
_VARIABLE = re.compile(r"\w+=")
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
        lines = [
            "[Desktop Entry]",
            "Type=Application",
            "Version=1.5",
            "Name=Beartray",
            "Comment=Files photos by what they show",
            *self._start(command),
            "Terminal=false",
            "StartupNotify=false",
            "Categories=Graphics;Photography;",
            "X-GNOME-Autostart-enabled=true",
        ]
        self._write("\n".join(lines) + "\n")

    def point(self, command: Sequence[str]) -> None:
        lines = "\n".join(self._start(command))
        # The first group is the entry itself; others may hold actions with an Exec of their own.
        text = re.sub(r"^TryExec[ \t]*=.*\n", "", self._text(), count=1, flags=re.MULTILINE)
        self._write(re.sub(r"^Exec[ \t]*=.*$", lambda _: lines, text, count=1, flags=re.MULTILINE))

    def disable(self) -> None:
        self._file.unlink(missing_ok=True)

    def is_enabled(self) -> bool:
        return bool(self._entry().get("Exec")) and self.switched_off() is None

    def switched_off(self) -> str | None:
        entry = self._entry()
        if entry.get("Hidden") == "true" or entry.get("X-GNOME-Autostart-enabled") == "false":
            return "it was switched off in the desktop's own settings"
        tried = entry.get("TryExec")
        own = tried in (self.command() or [])[:1]  # a program that is gone was not switched off
        if tried and not own and not shutil.which(parse_exec(tried)[0]):
            return f"its TryExec {tried} is not there"
        only, never = _names(entry.get("OnlyShowIn")), _names(entry.get("NotShowIn"))
        if (only and not only & self._desktops) or never & self._desktops:
            here = ":".join(sorted(self._desktops)) or "this desktop"
            return f"it is not meant for {here}, says {self._file}"
        return None

    def command(self) -> list[str] | None:
        words = self._words()
        while words and _VARIABLE.match(words[0]):
            words = words[1:]
        return words or None

    def home(self) -> str | None:
        for word in self._words():
            if not _VARIABLE.match(word):
                break
            if word.startswith(f"{HOME_VARIABLE}="):
                return word.partition("=")[2]
        return None

    def _start(self, command: Sequence[str]) -> list[str]:
        """The lines that say what is started. With TryExec the desktop passes the item over, and
        complains of nothing, when the program was removed."""
        # Xfce takes a TryExec only up to its first space, others do not know quotes.
        tried = [f"TryExec={command[0]}"] if _PLAIN.fullmatch(command[0]) else []
        return [*tried, f"Exec={self._exec(command)}"]

    def _exec(self, command: Sequence[str]) -> str:
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        return exec_line(["env", *variables, *command] if variables else command)

    def _words(self) -> list[str]:
        """The words of Exec, without `env` in front."""
        words = parse_exec(self._entry().get("Exec", ""))
        return words[1:] if words[:1] == ["env"] else words

    def _write(self, text: str) -> None:
        write_atomically(self._file, text.encode("utf-8", "surrogateescape"), 0o644)

    def _text(self) -> str:
        """What the file says; nothing when there is none."""
        try:
            return self._file.read_bytes().decode("utf-8", "surrogateescape")
        except (FileNotFoundError, NotADirectoryError):
            return ""

    def _entry(self) -> dict[str, str]:
        """The keys of the group [Desktop Entry]."""
        found: dict[str, str] = {}
        inside = False
        for line in self._text().split("\n"):
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
