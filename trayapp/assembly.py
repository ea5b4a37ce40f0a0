"""Puts together the parts that follow the settings: the pipeline, and the folder it is fed from."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trayapp import catalog, disk
from trayapp.clock import Clock
from trayapp.decide import filed_folders
from trayapp.engine import EngineError
from trayapp.engine.pool import Pool
from trayapp.filing import Filing
from trayapp.inbox import Inbox
from trayapp.notes import Notes
from trayapp.paths import Paths
from trayapp.pipeline import Pipeline
from trayapp.settings import Settings
from trayapp.settle import Settle
from trayapp.steps import look
from trayapp.tell import Gather, Notice


@dataclass(frozen=True, slots=True)
class Assembly:
    """What all parts are made with, whatever the settings say."""

    paths: Paths
    filing: Filing
    notes: Notes
    show: Callable[[Notice], None]
    clock: Clock

    def pipeline(self, root: Path, settings: Settings, engine: Pool) -> Pipeline:
        return Pipeline(
            root,
            settings.sort,
            Settle(settings.folder.settle_seconds, look, disk.being_written),
            engine.submit,
            self.filing,
            self.notes,
            Gather(settings.notify.mode),
            self.show,
            settings.model.workers,
            self.clock.steady,
            self.clock.wall,
        )

    def readjust(self, pipeline: Pipeline, root: Path, settings: Settings, engine: Pool) -> None:
        """Give a pipeline other settings; what was on its way there is forgotten."""
        pipeline.restart()
        pipeline.root, pipeline.sort = root, settings.sort
        pipeline.submit, pipeline.workers = engine.submit, settings.model.workers
        pipeline.settle.quiet = settings.folder.settle_seconds

    def inbox(
        self, root: Path, settings: Settings, pipeline: Pipeline, since: float, chosen: bool = False
    ) -> Inbox:
        try:
            labels = catalog.labels(catalog.find(settings.model.package, self.paths))
        except EngineError:
            labels = ()
        skip = filed_folders(settings.sort, root, labels)
        return Inbox(
            root,
            settings.folder,
            self.notes,
            skip,
            pipeline.put,
            since,
            chosen,
            lambda: pipeline.intake.has_room,
            pipeline.wake,
        )


def make_default_folder(root: Path) -> None:
    """The folder that is watched until a person chooses one; where it cannot be made, the inbox
    says what is wrong."""
    with suppress(OSError):
        root.mkdir(parents=True, exist_ok=True)
