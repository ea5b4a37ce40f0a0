"""Notices become notifications, within the limits of each system, and never in the app's way."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.desktop.desk import wait_until
from tests.desktop.stand_in import Kept
from trayapp.desktop.children import Answer, Children
from trayapp.desktop.notify import (
    BODY_UNITS,
    TITLE_UNITS,
    WAITING,
    LogNotifier,
    Manners,
    SlowNotifier,
    osascript_notifier,
    plyer_notifier,
)
from trayapp.desktop.notify_dbus import notification
from trayapp.tell import Notice

FILED = Notice("Filed 1 photo", "IMG_1.jpg is a grizzly")
EVERYTHING = frozenset({"body", "body-markup", "actions"})


class Plyer:
    """`plyer.notification` as it behaves on Windows."""

    def __init__(self, error: Exception | None = None) -> None:
        self.shown: list[dict[str, Any]] = []
        self._error = error

    def notify(
        self, title: str, message: str, app_name: str, timeout: int, app_icon: str = ""
    ) -> None:
        assert threading.current_thread().daemon, "its own thread would keep the app alive"
        if self._error:
            raise self._error
        for text, room in ((title, TITLE_UNITS), (message, BODY_UNITS)):
            if len(text.encode("utf-16-le")) // 2 >= room:
                raise ValueError("string too long")
        assert app_icon == "" or app_icon.endswith(".ico")
        self.shown.append({"title": title, "message": message})


@pytest.fixture
def use_plyer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Plyer], None]:
    def use(fake: Plyer) -> None:
        module = ModuleType("plyer")
        module.notification = fake  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "plyer", module)

    return use


def test_plyer_gets_no_more_than_windows_takes(use_plyer: Callable[[Plyer], None]) -> None:
    fake, kept = Plyer(), Kept()
    use_plyer(fake)
    notifier = plyer_notifier(Manners(), kept)
    notifier.show(Notice("🐻" * 80, "a bear & 🐻 " * 80))
    wait_until(lambda: fake.shown, "it was shown")
    assert fake.shown[0]["message"].startswith("a bear & 🐻") and kept.notices == []
    notifier.close()


def test_notify_send_takes_no_name_for_an_option_or_for_markup(
    use_plyer: Callable[[Plyer], None],
) -> None:
    fake = Plyer()
    use_plyer(fake)
    notifier = plyer_notifier(Manners(markup=True, options=True), Kept())
    notifier.show(Notice("--help <1>", "-u critical <b>.jpg"))
    wait_until(lambda: fake.shown, "it was shown")
    shown = fake.shown[0]
    assert shown["title"].endswith("--help <1>")  # titles are never markup
    assert not shown["title"].startswith("-") and not shown["message"].startswith("-")
    assert "&lt;b&gt;.jpg" in shown["message"]
    notifier.close()


@pytest.mark.parametrize("error", [NotImplementedError("no"), ImportError("pyobjus"), OSError(2)])
def test_where_plyer_cannot_the_fallback_does(
    use_plyer: Callable[[Plyer], None], error: Exception
) -> None:
    use_plyer(Plyer(error))
    kept = Kept()
    notifier = plyer_notifier(Manners(), kept)
    notifier.show(FILED)
    notifier.show(FILED)
    wait_until(lambda: kept.notices == [FILED, FILED], "the fallback had both")
    notifier.close()


def test_a_stuck_service_holds_nobody_up_and_piles_nothing_up() -> None:
    release = threading.Event()
    sent: list[str] = []

    def send(title: str, body: str) -> None:
        release.wait(10)
        sent.append(title)

    notifier = SlowNotifier(send, Manners(), Kept())
    started = time.monotonic()
    for number in range(100):
        notifier.show(Notice(str(number), ""))
    assert time.monotonic() - started < 0.5
    release.set()
    wait_until(lambda: len(sent) >= WAITING, "what waited was shown")
    assert len(sent) <= WAITING + 1
    notifier.close()


def test_macos_without_pyobjus_gets_words_as_arguments_not_as_code() -> None:
    class Mac(Children):
        asked: list[list[str]] = []  # noqa: RUF012

        def ask(self, command: Any, extra: Any = None) -> Answer:
            self.asked.append(list(command))
            return Answer(0, "", "")

    mac = Mac({})
    notifier = osascript_notifier(mac, Kept())
    notifier.show(Notice('say "hi"', '" & (do shell script "true") & "'))
    wait_until(lambda: mac.asked, "it was shown")
    assert mac.asked[0][3:] == ['say "hi"', '" & (do shell script "true") & "']
    notifier.close()


def test_without_a_desktop_the_log_has_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        LogNotifier().show(FILED)
        LogNotifier().show(Notice("Problem", "the folder\nis gone", problem=True))
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING"]
    assert "the folder is gone" in caplog.text


def test_a_name_is_no_markup_where_there_is_markup_and_is_left_alone_elsewhere() -> None:
    notice = Notice("<b>", "<b>&.jpg\nsecond\x07 line\udcff")
    assert notification(notice, EVERYTHING, {})[3:5] == ["<b>", "&lt;b&gt;&amp;.jpg\nsecond� line�"]
    assert notification(notice, frozenset({"body"}), {})[4].startswith("<b>&.jpg")


def test_a_service_without_bodies_gets_all_in_the_title() -> None:
    assert notification(FILED, frozenset(), {})[3:5] == [
        "Filed 1 photo: IMG_1.jpg is a grizzly",
        "",
    ]


def test_undo_is_offered_where_there_is_something_to_undo_and_buttons() -> None:
    undoable = Notice("Filed", "", undo=(1, 2))
    assert notification(undoable, EVERYTHING, {})[5] == ["undo", "Undo"]
    assert notification(undoable, frozenset({"body"}), {})[5] == []
    assert notification(FILED, EVERYTHING, {})[5] == []
