"""Opens the review page of the running Beartray: its server starts with the first look."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trayapp import catalog
from trayapp.app.actions import TrayActions
from trayapp.app.controls import TrayControls
from trayapp.correct import Correct, Rules
from trayapp.database import Database
from trayapp.engine import EngineError
from trayapp.journal import Journal
from trayapp.live import Live
from trayapp.paths import Paths
from trayapp.photo import Entry

if TYPE_CHECKING:
    from trayapp.review.server import Server


IDLE_SECONDS = 300.0  # without an open page, until the server ends


class Reviewing:
    """Until somebody looks, nothing of the page is in memory. May be used by any thread."""

    def __init__(self, live: Live, paths: Paths, actions: Callable[[], TrayActions]) -> None:
        self._live, self._paths, self._actions = live, paths, actions
        self.idle_seconds = IDLE_SECONDS
        self._lock = threading.Lock()
        self._server: Server | None = None
        self._labels: tuple[str, tuple[str, ...]] = ("", ())
        self._correct = Correct(
            *(live.database, live.journal, live.filing),
            rules=self._rules,
            taken=self._taken,
        )

    def link(self) -> str:
        """An address that opens the page once."""
        with self._lock:
            if self._server is None or not self._server.running:
                self._server = self._start()
            return self._server.link()

    def changed(self) -> None:
        """Something was filed or taken back; cheap."""
        server = self._server
        if server is not None:
            server.changed()

    def close(self) -> None:
        with self._lock:
            server = self._server
        if server is not None:
            server.stop()

    def _start(self) -> Server:
        from trayapp.review.nossl import do_without_ssl

        do_without_ssl()
        from trayapp.review.parts import Parts
        from trayapp.review.server import Server

        live = self._live
        # Of its own: a long look must not hold up the filing.
        database = Database(self._paths.journal_file)
        parts = Parts(
            database=database,
            journal=Journal(database, "review"),
            correct=self._put_right,
            undo=live.undo,
            classify=live.classify,
            view=lambda photo, side: live.engine.view(photo, side),  # another after a change
            labels=self.labels,
            controls=TrayControls(self._actions()),
            cache=self._paths.cache / "thumbnails",
            scratch=self._paths.private / "review",
        )
        server = Server(parts, self.idle_seconds, self._ended)
        server.start()
        return server

    def _ended(self, server: Server) -> None:
        """Nothing is kept of a server that nobody looks at any more."""
        with self._lock:
            if self._server is server:
                self._server = None

    def labels(self) -> tuple[str, ...]:
        """Of the model in use, in alphabetical order."""
        package = self._live.settings.model.package
        if self._labels[0] != package:
            try:
                found = catalog.labels(catalog.find(package, self._paths))
            except EngineError:
                found = ()
            self._labels = (package, tuple(sorted(found, key=str.casefold)))
        return self._labels[1]

    def _rules(self) -> Rules | None:
        live = self._live
        if not live.settings_file.known:  # what is in force are only the defaults
            return None
        return Rules(live.settings.sort, live.root, self.labels())

    def _put_right(self, id_: int, label: str | None, batch: int | None = None) -> Entry:
        done = self._correct(id_, label, batch)
        self._live.pipeline.wake()  # so that the tray and other pages hear of it
        return done

    def _taken(self, photo: Path) -> datetime | None:
        try:
            return self._live.classify(photo).taken
        except EngineError:  # then the file's own time has to do
            return None
