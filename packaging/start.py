"""Where the bundle's program begins; `python -m trayapp` for one that has no `-m`."""

import os

# PyInstaller's starter has put the bundle's libraries first and left notes to itself. Both are read
# by now, and every program that we start must find its own libraries, as if there were no bundle:
# https://pyinstaller.org/en/stable/runtime-information.html#ld-library-path-libpath-considerations
# Our engine too starts afresh then, which costs it two milliseconds.
for name in [name for name in os.environ if name.startswith("_PYI_")]:
    del os.environ[name]
if os.environ.pop("LD_LIBRARY_PATH", None) and "LD_LIBRARY_PATH_ORIG" in os.environ:
    os.environ["LD_LIBRARY_PATH"] = os.environ.pop("LD_LIBRARY_PATH_ORIG")

from trayapp.__main__ import main  # noqa: E402

raise SystemExit(main())
