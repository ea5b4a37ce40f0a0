"""Hears the signals that end the program, whichever of its threads the system gives them to."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager


@contextmanager
def on_signals(numbers: Collection[signal.Signals], act: Callable[[], None]) -> Iterator[None]:
    """Run `act` on a thread of its own with each of these signals; call it on the main thread.

    Python's own handlers run on the main thread, once that wakes up. Where the system has given
    the signal to another thread, or AppKit keeps the main one, that may be never; the wake-up
    file is written to at once: https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd
    """
    here, there = socket.socketpair()
    there.setblocking(False)

    def listen() -> None:
        while byte := here.recv(1):
            if byte[0] in numbers:
                act()

    thread = threading.Thread(target=listen, name="signals", daemon=True)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    before = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    thread.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        there.close()  # ends the thread
        thread.join()
        here.close()
