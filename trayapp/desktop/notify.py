"""Shows notices as desktop notifications, through plyer; D-Bus has `notify_dbus`."""

from __future__ import annotations

import html
import logging
import threading
import warnings
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from trayapp.desktop.children import Children
from trayapp.desktop.words import harmless, shorten_end
from trayapp.tell import Notice

logger = logging.getLogger(__name__)

APP_NAME = "Beartray"
TITLE_UNITS = 64  # UTF-16 units, with the end mark: NOTIFYICONDATAW.szInfoTitle
BODY_UNITS = 256  # NOTIFYICONDATAW.szInfo
WAITING = 8  # notices that may wait; a stuck service must not pile them up
SECONDS = 5  # how long Windows shows it, and plyer keeps a thread asleep

SPOKEN = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"


class Notifier(Protocol):
    """Shows a notice. `show` never raises, and returns at once."""

    def show(self, notice: Notice) -> None: ...

    def close(self) -> None:
        """Nothing more will be shown."""


class Backlog:
    """Notices on their way to a service; where it is slow, the newest `limit` of them.

    What a person has to mend is the last to be left out.
    """

    def __init__(self, limit: int = WAITING) -> None:
        self._limit = limit
        self._waiting: deque[Notice] = deque()

    def put(self, notice: Notice) -> Notice | None:
        """Let it wait; the one that has to go for it, if any."""
        self._waiting.append(notice)
        if len(self._waiting) <= self._limit:
            return None
        left_out = next((one for one in self._waiting if not one.problem), self._waiting[0])
        self._waiting.remove(left_out)
        logger.warning("notifications are stuck; not shown: %s", harmless(left_out.title))
        return left_out

    def take(self) -> Notice | None:
        """The next one, None when nothing waits."""
        return self._waiting.popleft() if self._waiting else None


class LogNotifier:
    """Where there is no desktop: the log."""

    def show(self, notice: Notice) -> None:
        level = logging.WARNING if notice.problem else logging.INFO
        logger.log(level, "%s: %s", harmless(notice.title), harmless(notice.body))

    def close(self) -> None:
        """Nothing to end."""


@dataclass(frozen=True)
class Manners:
    """What a desktop's notifications bear: `markup` where "<b>" in a body would be obeyed (it
    never is in a title), `options` where a text that starts with "-" would be an option."""

    markup: bool = False
    options: bool = False

    def title(self, text: str) -> str:
        """A title that fits and means nothing but itself."""
        return self._plain(text, TITLE_UNITS - 1)

    def body(self, text: str) -> str:
        """A body that fits, before it is escaped, and means nothing but itself."""
        plain = self._plain(text, BODY_UNITS - 1)
        return html.escape(plain, quote=False) if self.markup else plain

    def _plain(self, text: str, units: int) -> str:
        plain = shorten_end(harmless(text), units)
        if self.options and plain.startswith("-"):
            plain = f"\u2060{plain}"  # a word joiner: nothing to see, and no option any more
        return plain


class SlowNotifier:
    """Shows notices one after the other on a daemon thread; `send(title, body)` may block.

    Notices go to `fallback` from the first one on that `send` raises for.
    """

    def __init__(
        self, send: Callable[[str, str], None], manners: Manners, fallback: Notifier
    ) -> None:
        self._send, self._manners, self._fallback = send, manners, fallback
        self._backlog = Backlog()
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = self._broken = False

    def show(self, notice: Notice) -> None:
        with self._change:
            self._backlog.put(notice)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="notify", daemon=True)
                self._thread.start()
            self._change.notify()

    def close(self) -> None:
        """End the thread when it has shown what waits."""
        with self._change:
            self._closing = True
            self._change.notify()

    def _work(self) -> None:
        while (notice := self._next()) is not None:
            self._show_one(notice)

    def _next(self) -> Notice | None:
        """Wait for the next notice; None at the end."""
        with self._change:
            while (notice := self._backlog.take()) is None and not self._closing:
                self._change.wait()
            return notice

    def _show_one(self, notice: Notice) -> None:
        if not self._broken:
            try:
                self._send(self._manners.title(notice.title), self._manners.body(notice.body))
                return
            except Exception as error:  # plyer raises what the platform raises
                logger.warning("notifications do not work here: %s", error)
                self._broken = True
        self._fallback.show(notice)


def plyer_notifier(manners: Manners, fallback: Notifier) -> SlowNotifier:
    """Notifications through plyer. Called from a daemon thread, as plyer's own thread on Windows
    sleeps for the whole time shown, and threads inherit being daemons."""
    return SlowNotifier(_send_by_plyer, manners, fallback)


def osascript_notifier(children: Children, fallback: Notifier) -> SlowNotifier:
    """macOS without pyobjus, which plyer needs there; words travel as arguments."""

    def send(title: str, body: str) -> None:
        answer = children.ask(["osascript", "-e", SPOKEN, title, body])
        if answer.status != 0:
            raise OSError(answer.error.strip() or f"osascript ended with {answer.status}")

    return SlowNotifier(send, Manners(options=True), fallback)


def _send_by_plyer(title: str, body: str) -> None:
    """Raises `NotImplementedError` where plyer knows no way, and what the platform raises."""
    with warnings.catch_warnings():  # plyer warns that dbus-python is missing before it copes
        warnings.simplefilter("ignore")
        from plyer import notification

        # No app_icon: only a .ico works on Windows, and the tray shows the bear already.
        notification.notify(title=title, message=body, app_name=APP_NAME, timeout=SECONDS)
