"""doctor: looks at everything that Beartray needs, and says what to do where it is not good."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from trayapp import __version__, catalog
from trayapp.app import login_of
from trayapp.commands import terminal
from trayapp.commands.checks import places, records, session, watching
from trayapp.commands.checks.finding import Check, Finding, examine
from trayapp.commands.photos import Json
from trayapp.desktop import Desktop
from trayapp.desktop.control import NotRunningError, send
from trayapp.paths import Paths
from trayapp.photo import BeartrayError
from trayapp.settings import Settings

ANSWER_SECONDS = 1.0  # for the Beartray that runs
MODEL_SECONDS = 30.0  # a cold disk, an old machine
OF_THE_SETTINGS = {"folder", "destination", "space", "model", "watching", "login"}


def doctor(json: Json = False) -> int:
    """Check everything that Beartray needs. Status 1 when something is not good."""
    status = 0
    with terminal.desktop() as desktop:
        for finding in examine(checks(terminal.paths(), desktop)):
            status |= not finding.ok
            if json:
                terminal.say_json(finding.row())
            else:
                terminal.say(finding.line)
    return status


def checks(paths: Paths, desktop: Desktop) -> Sequence[Check]:
    """Everything to look at, in the order in which it is told."""
    try:
        found, problem = terminal.load_settings(), None
    except BeartrayError as error:
        found, problem = Settings(), str(error)
    every = [
        Check("settings", lambda: _settings(paths.settings_file, problem)),
        *_of_folders(paths, found),
        Check("journal", lambda: records.judge(records.look(paths.journal_file, paths.private))),
        Check("model", lambda: _model(found, paths), MODEL_SECONDS),
        Check("watching", lambda: _watching(found, _runs(paths, desktop))),
        Check("tray", lambda: session.judge_tray(desktop.why_no_tray(0), desktop.tray_host())),
        Check("notifications", lambda: _notifications(desktop, found)),
        Check("login", lambda: _login(desktop, paths, found)),
        Check("log", lambda: places.judge_log(paths.log_file)),
        Check("running", lambda: session.check_running(lambda: _ask(paths, desktop), __version__)),
    ]
    # Where the settings cannot be read nobody knows which folder is meant.
    return every if problem is None else [_unless_unknown(check) for check in every]


def _unless_unknown(check: Check) -> Check:
    if check.name not in OF_THE_SETTINGS:
        return check
    finding = Finding(check.name, False, "not looked at", "mend the settings first")
    return Check(check.name, lambda: finding)


def _of_folders(paths: Paths, found: Settings) -> list[Check]:
    root = found.folder.root
    return [
        Check("folder", lambda: places.judge_folder(places.look_at(root), found.folder)),
        Check("destination", lambda: _destination(found)),
        Check("space", lambda: _space(found, paths)),
    ]


def _settings(file: Path, problem: str | None) -> Finding:
    if problem is not None:
        return Finding("settings", False, problem, "mend that; a running Beartray follows at once")
    there = str(file) if file.exists() else f"{file} is made at the first start"
    return Finding("settings", True, there)


def _destination(settings: Settings) -> Finding:
    root, base = settings.folder.root, settings.sort.base(settings.folder.root)
    from_there, to_there = map(places.nearest_there, (root, base))
    return places.judge_destination(
        settings.sort, places.look_at(from_there), base, places.look_at(to_there)
    )


def _space(settings: Settings, paths: Paths) -> Finding:
    photos = settings.sort.base(settings.folder.root)
    return places.judge_room(
        places.room_at([("photos", photos), ("the journal", paths.journal_file.parent)])
    )


def _model(settings: Settings, paths: Paths) -> Finding:
    """Verified, loaded in its process, and asked about a picture."""
    folder = catalog.find(settings.model.package, paths)
    catalog.try_out(settings.model, paths)
    labels = ", ".join(catalog.labels(folder))
    return Finding("model", True, f"{settings.model.package} answers ({labels}), {folder}")


def _watching(settings: Settings, runs: bool) -> Finding:
    return watching.check(settings.folder.root, settings.folder, runs)


def _notifications(desktop: Desktop, settings: Settings) -> Finding:
    return session.check_notifications(desktop.notification_service, settings.notify.mode)


def _login(desktop: Desktop, paths: Paths, settings: Settings) -> Finding:
    item = login_of(desktop, paths, os.environ).item()
    return session.judge_login(item, settings.startup.at_login)


def _ask(paths: Paths, desktop: Desktop) -> dict[str, object]:
    return send(desktop.control_paths(paths.private), {"command": "status"}, ANSWER_SECONDS)


def _runs(paths: Paths, desktop: Desktop) -> bool:
    try:
        return bool(_ask(paths, desktop))
    except NotRunningError:
        return False
