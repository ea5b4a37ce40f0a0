"""What a crash test kills: files photos and their sidecars, a late one too, and takes one back.

python -m tests.crash.workload HOME INBOX ACTION DESTINATION
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from trayapp.database import Database
from trayapp.decide import decide
from trayapp.filing import Filing
from trayapp.journal import Journal
from trayapp.owner import Owner
from trayapp.photo import Photo, Verdict
from trayapp.settings import Sort


def main() -> None:
    home, inbox = Path(sys.argv[1]), Path(sys.argv[2])
    action: Any = sys.argv[3]
    sort = Sort(action=action, destination=sys.argv[4])
    owner = Owner(home / "private")
    database = Database(home / "journal.sqlite")
    filing = Filing(Journal(database, owner.name), owner.is_gone)
    entries = []
    for path in sorted(inbox.glob("*.jpg")):
        plan = decide(Photo.at(path), Verdict("grizzly", 0.98), sort, inbox)
        assert plan is not None
        entries.append(filing.file(plan, None))
        late = path.with_suffix(".late")
        if late.exists():  # a sidecar that arrives after its photo
            filing.follow(late.rename(path.with_suffix(".xmp")))
    filing.undo(entries[-1])
    database.close()
    owner.close()


if __name__ == "__main__":
    main()
