"""Linux's own events, with what watchdog keeps to itself: lost ones, and folders it left out."""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Callable

from watchdog.observers.api import BaseObserver
from watchdog.observers.inotify import InotifyFullEmitter
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchCallback,
    WatchDescriptor,
)

# In a burst of new folders watchdog may come to one of them twice, and says so; the second watch
# replaces the first.
warnings.filterwarnings("ignore", "Callback with id", RuntimeWarning)

_MOVED_OR_UNMOUNTED = InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT


class Inotify(InotifyFD):
    """One inotify instance (inotify(7)).

    `lost` is called, on its thread, when the system's queue overflowed and events were dropped,
    `moved` when a watched folder was renamed or its disk unmounted. `refused` is why a folder
    below could not be watched: the system's limit. `closed` are those that may not be read.
    """

    def __init__(self, lost: Callable[[], None], moved: Callable[[], None]) -> None:
        super().__init__()
        self._on_lost, self._on_moved = lost, moved
        self.refused: OSError | None = None
        self.closed: set[str] = set()

    def add_callback(
        self, path: bytes, mask: Mask, callback: WatchCallback, id_: CallbackId
    ) -> WatchDescriptor:
        mask = Mask(mask | InotifyConstants.IN_MOVE_SELF)
        try:
            descriptor = super().add_callback(path, mask, callback, id_)
        except OSError as error:  # watchdog leaves a folder below the root out without a word
            if error.errno == errno.ENOSPC:
                self.refused = error
            raise
        if descriptor == -1:  # so watchdog takes a folder that may not be read
            self._remove_watch(descriptor)
            self.closed.add(os.fsdecode(path))
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fsdecode(path))
        return descriptor

    def handle_event(self, event: InotifyEvent) -> None:
        if event.is_queue_overflow:
            # Watchdog would take every watch away and set it again, which with some thousand
            # folders is told in so many events that the queue overflows once more.
            self._on_lost()
            return
        super().handle_event(event)
        if event.mask & _MOVED_OR_UNMOUNTED:
            self._on_moved()


class InotifyObserver(BaseObserver):
    """As watchdog's class of that name, on a given instance.

    Full events tell a file that was moved in, which is complete, from one just begun.
    """

    def __init__(self, inotify: Inotify) -> None:
        self._inotify = inotify
        inotify.start()
        super().__init__(InotifyFullEmitter, inotify_fd=inotify)

    def on_thread_stop(self) -> None:
        super().on_thread_stop()
        self._inotify.stop()
        self._inotify.join()
