"""The log, where it cannot be written."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

import pytest

from trayapp.app.log import log_to

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="Linux only")
def test_on_a_full_disk_there_is_no_traceback_on_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, level = logging.getLogger(), logging.getLogger().level
    handlers = list(root.handlers)
    log_to(tmp_path / "beartray.log")
    (handler,) = (one for one in root.handlers if one not in handlers)
    handler.setStream(FULL.open("w")).close()  # type: ignore[attr-defined]
    try:
        logging.getLogger("trayapp").error("p1.jpg stays in place")
    finally:
        root.removeHandler(handler)
        with suppress(OSError):
            handler.close()
        root.setLevel(level)
    assert capsys.readouterr().err == ""
