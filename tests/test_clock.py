"""When was this process started?"""

from __future__ import annotations

import subprocess
import sys
import time

from trayapp.clock import process_start


def test_a_process_knows_when_it_was_started() -> None:
    before = time.time()
    script = (
        "import time; time.sleep(0.5); from trayapp.clock import process_start as p; print(p())"
    )
    started = float(subprocess.run([sys.executable, "-c", script], capture_output=True).stdout)
    if sys.platform == "linux":
        assert before - 0.05 <= started <= before + 0.4
    assert before - 0.05 <= started <= time.time()


def test_it_stays_the_same() -> None:
    if sys.platform == "linux":
        assert abs(process_start() - process_start()) < 0.05
