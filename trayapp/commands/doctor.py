"""doctor: looks at everything that Beartray needs, and says what to do where it is not good."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from trayapp import catalog
from trayapp.commands import terminal
from trayapp.commands.photos import Json
from trayapp.desktop import Desktop, choose_desktop
from trayapp.errors import explain
from trayapp.photo import BeartrayError
from trayapp.settings import Settings

ENOUGH_WATCHES = 8192
SECONDS = 2.0  # for a panel that does not answer


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is good, and what to do if it is not."""

    check: str
    ok: bool
    detail: str


def doctor(json: Json = False) -> int:
    """Check everything that Beartray needs. Status 1 when something is not good."""
    status = 0
    desktop = choose_desktop(os.environ)
    try:
        for finding in examine(desktop):
            status |= not finding.ok
            if json:
                row = {"check": finding.check, "ok": finding.ok, "detail": finding.detail}
                terminal.say_json(row)
            else:
                mark = "good    " if finding.ok else "NOT GOOD"
                terminal.say(f"{mark}  {finding.check}: {finding.detail}")
    finally:
        desktop.close()
    return status


def examine(desktop: Desktop) -> Iterator[Finding]:
    """Every check, each on its own: one that fails does not hide the next."""
    paths = terminal.paths()
    try:
        settings, problem = terminal.load_settings(), None
    except BeartrayError as error:
        settings, problem = Settings(), str(error)
    yield Finding("settings", problem is None, problem or str(paths.settings_file))
    yield _try("folder", lambda: _folder(settings.folder.root))
    yield _try("journal", _journal)
    yield _try("model", lambda: _model(settings))
    yield _try("watching", _watching)
    yield _try("tray", lambda: _tray(desktop))
    yield _try("login", lambda: _login(desktop, settings))
    yield _try("log", lambda: _writable(paths.log_file.parent))


def _try(check: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(check, True, look())
    except BeartrayError as error:
        return Finding(check, False, str(error))
    except OSError as error:
        return Finding(check, False, explain(error))


def _folder(root: Path) -> str:
    if not root.is_dir():
        raise BeartrayError(
            f"{root} is not there; make it, or `beartray config set folder.path DIR`"
        )
    return f"{_writable(root)}, can be written to"


def _writable(folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder, prefix=".beartray-"):
        return str(folder)


def _journal() -> str:
    with terminal.open_books() as books:
        waiting = len(books.journal.unfinished())
        if waiting:
            raise BeartrayError(
                f"{waiting} photos wait to be put right; connect the disk they are on"
            )
        return f"{terminal.paths().journal_file}, all entries settled"


def _model(settings: Settings) -> str:
    """Verified, loaded in its process, and asked about a picture."""
    folder = catalog.find(settings.model.package, terminal.paths())
    catalog.try_out(settings.model, terminal.paths())
    return f"{settings.model.package} ({folder}) answers"


def _watching() -> str:
    limit = Path("/proc/sys/fs/inotify/max_user_watches")
    if sys.platform != "linux":
        return "the system's own events"
    found = int(limit.read_text())
    if found < ENOUGH_WATCHES:
        raise BeartrayError(
            f"only {found} folders can be watched; sudo sysctl fs.inotify.max_user_watches=524288"
        )
    return f"up to {found} folders can be watched"


def _tray(desktop: Desktop) -> str:
    reason = desktop.why_no_tray(SECONDS)
    if reason is not None:
        raise BeartrayError(f"{reason}; Beartray also works without one")
    return "a tray answers"


def _login(desktop: Desktop, settings: Settings) -> str:
    enabled, wanted = desktop.autostart.is_enabled(), settings.startup.at_login
    if enabled != wanted:
        state = "does not start" if wanted else "starts"
        raise BeartrayError(
            f"Beartray {state} at login, unlike startup.at_login says;"
            f" `beartray autostart {'on' if wanted else 'off'}` mends it"
        )
    return f"{'starts' if enabled else 'does not start'} at login ({desktop.autostart.place})"
