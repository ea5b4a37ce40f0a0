"""Where the bundle's program begins; `python -m trayapp` for one that has no `-m`."""

from trayapp.__main__ import main

raise SystemExit(main())
