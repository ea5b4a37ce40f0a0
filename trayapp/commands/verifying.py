"""history --verify: what the journal says beside what the disk says, and what to do about it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from trayapp.audit import audit
from trayapp.commands import terminal
from trayapp.owner import is_at_work
from trayapp.photo import BeartrayError
from trayapp.verify import Finding, Kind

# fmt: off
_WORDS: dict[Kind, str] = {
    "moved": "{path} is now {found}; somebody moved it there{undo}",
    "edited": "{path} was changed since by you or another program",
    "missing": "{path} is not there{why}, nor anywhere Beartray knows of; Beartray deletes no"
    " photo, so look in the trash and where you took photos to",
    "twice": "{path} also lies at {found}; compare the two and delete the one you do not want",
    "left behind": "{found} did not go with its photo; move it to {path}",
    "half-done": "{path} was interrupted; `beartray history` or the next start puts it right",
    "temporary": "{path} is an unfinished copy that nothing needs; you may delete it",
    "damaged": "{path} contradicts itself{why}; keep a copy of the file and report it",
}
_SUMMARY: dict[Kind, str] = {
    "ok": "as they should be", "filed again": "filed again since", "at work": "being filed now",
    "moved": "moved since by hand", "edited": "changed since",
}
# fmt: on


def verify_history(newest: int | None, json: bool) -> int:
    """Returns the exit status: 1 when something is not as the journal says."""
    paths = terminal.paths()
    if not paths.journal_file.exists():
        return _nothing(json)
    counts, away = Counter[Kind](), Counter[tuple[Path, str]]()
    findings = audit(
        paths.journal_file, lambda name: is_at_work(paths.private, name), _places(), newest
    )
    for finding in findings:
        counts[finding.kind] += 1
        if json:
            terminal.say_json(finding_row(finding))
        elif finding.kind == "away":
            away[finding.path.parent, finding.why] += 1
        elif finding.kind in _WORDS:
            (terminal.say if finding.agrees else terminal.warn)(_line(finding))
    for (folder, why), count in away.items():  # a disk may hold thousands
        terminal.warn(_away(folder, why, count))
    if not json:
        terminal.say(_summary(counts))
    return int(any(not Finding(kind, Path()).agrees for kind in counts))


def finding_row(finding: Finding) -> dict[str, object]:
    entry = finding.entry
    return {
        "id": entry.id if entry else None,
        "state": entry.state if entry else None,
        "finding": finding.kind,
        "agrees": finding.agrees,
        "path": str(finding.path),
        "found": str(finding.found) if finding.found else None,
        "why": finding.why or None,
    }


def _line(finding: Finding) -> str:
    number = f"{finding.entry.id:>6}  " if finding.entry else ""
    why = f" ({finding.why})" if finding.why else ""
    filed = finding.entry is not None and finding.entry.state == "done"
    undo = ", so it cannot be undone from here" if filed else ""
    words = _WORDS[finding.kind]
    return number + words.format(path=finding.path, found=finding.found, why=why, undo=undo)


def _away(folder: Path, why: str, count: int) -> str:
    photos = "1 photo" if count == 1 else f"{count} photos"
    return (
        f"{photos} in {folder} cannot be looked at ({why}); connect the disk or bring back the"
        " folder, then verify again"
    )


def _summary(counts: Counter[Kind]) -> str:
    if not counts:
        return "Nothing has been filed yet."
    parts = [f"{counts[kind]} {words}" for kind, words in _SUMMARY.items() if counts[kind]]
    parts += [f"{count} {kind}" for kind, count in counts.items() if kind not in _SUMMARY]
    return f"Verified: {', '.join(parts)}"


def _nothing(json: bool) -> int:
    if not json:
        terminal.say("Nothing has been filed yet.")
    return 0


def _places() -> Iterator[Path]:
    """Where photos go that a person moves or deletes: the folders in use, and the trash."""
    try:
        rules = terminal.load_settings()
        yield rules.folder.root
        yield rules.sort.base(rules.folder.root)
    except BeartrayError:  # a mistake in the settings is no reason not to verify
        pass
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    for trash in (f"{data}/Trash/files", "~/.Trash"):
        yield Path(trash).expanduser()
