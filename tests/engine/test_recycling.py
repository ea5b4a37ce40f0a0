"""An engine process that has looked at many photos makes way for a fresh one; nobody notices."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers import picture, wait_until
from tests.program import COLOURS
from trayapp.engine import crew
from trayapp.engine.pool import Pool

PHOTOS = 10


@pytest.mark.parametrize("workers", [1, 2])
def test_the_engine_is_replaced_after_so_many_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    monkeypatch.setattr(crew, "WORN_AFTER", 3)
    photos = [
        picture(tmp_path / f"{n}.png", colour="red" if n % 2 else "blue") for n in range(PHOTOS)
    ]
    seen = set[int]()
    with Pool(COLOURS, workers=workers) as pool:
        pool.start()
        labels = []
        for photo, verdict in pool.classify(photos):
            seen.update(pool.pids)
            labels.append((photo, verdict.label))
        assert labels == [
            (photo, "grizzly" if n % 2 else "teddy") for n, photo in enumerate(photos)
        ]
        assert len(seen) > workers, "others took over"
        wait_until(lambda: pool.state == "ready", 20, "a fresh one is there for the next photo")
        assert pool.problem is None
