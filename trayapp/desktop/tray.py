"""Runs the tray icon: shows the view, turns clicks into actions, and never dies of an error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from trayapp.desktop import menu as menus
from trayapp.desktop.clicks import Actions, Clicks
from trayapp.desktop.dialogs import Dialogs
from trayapp.desktop.menu import Row
from trayapp.desktop.opener import Opener
from trayapp.desktop.view import TrayState, View

__all__ = ["Actions", "Tray", "TrayKit", "TrayState", "View"]

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 0.5  # panels lay the menu out again each time; opening it asks anew


@dataclass(frozen=True)
class TrayKit:
    """How one desktop shows an icon.

    `module` is pystray as it was imported for this desktop, `make(name, icon, title, menu,
    secondary=…)` gives a pystray icon (`secondary` is for a middle click, where there is one),
    `paint` shows a state on it, `escape` makes a text safe for a menu,
    `on_main` runs a function where the desktop allows icons to be changed, and `tooltip_limit`
    is in UTF-16 units.
    """

    module: Any
    make: Callable[..., Any]
    paint: Callable[[Any, TrayState], None]
    escape: Callable[[str], str]
    on_main: Callable[[Callable[[], None]], None]
    tooltip_limit: int


@dataclass
class Slot:
    """A menu item that lives as long as its row's key, and the row it shows at the moment."""

    row: Row
    item: Any = None


class Tray:
    """The icon with its menu. `complain` tells the person one line."""

    def __init__(
        self,
        kit: TrayKit,
        actions: Actions,
        dialogs: Dialogs,
        opener: Opener,
        complain: Callable[[str], None],
    ) -> None:
        self._kit, self._actions = kit, actions
        self._clicks = Clicks(actions, dialogs, opener, complain)
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._building = threading.RLock()
        self._slots: dict[str, Slot] = {}
        self._last_items: tuple[Any, ...] = ()
        self._shown: tuple[object, ...] = (None, None, None)
        self._icon: Any = None

    def run(self) -> None:
        """Show the icon and block until `stop` or logout; call it on the main thread."""
        view = self._actions.view()
        title = menus.tooltip(view, self._kit.tooltip_limit)
        menu = self._kit.module.Menu(self._items)
        self._icon = self._kit.make("beartray", None, title, menu, secondary=self._secondary)
        self._kit.paint(self._icon, view.state)
        self._shown = (view.state, title, None)
        try:
            self._icon.run(self._set_up)
        finally:
            self._stopping.set()
            self._changed.set()

    def stop(self) -> None:
        """End `run`, from any thread, even before it has begun."""
        self._stopping.set()
        self._changed.set()
        if self._icon is not None:
            self._icon.stop()  # does nothing before the loop runs; `_set_up` looks again

    def refresh(self) -> None:
        """Something may have changed; cheap, from any thread."""
        self._changed.set()

    def _set_up(self, icon: Any) -> None:
        def show() -> None:
            icon.visible = True

        self._kit.on_main(show)
        # Not before: what an icon is told while it is not shown, it may forget.
        threading.Thread(target=self._keep_fresh, name="tray refresh", daemon=True).start()
        if self._stopping.is_set():
            icon.stop()

    def _keep_fresh(self) -> None:
        while not self._stopping.is_set():
            self._changed.wait()
            self._changed.clear()
            if not self._stopping.is_set():
                self._kit.on_main(self._update)
            self._stopping.wait(REFRESH_SECONDS)

    def _update(self) -> None:
        """Send what differs from what is shown."""
        try:
            view = self._actions.view()
            state, title, rows = self._shown
            now = (view.state, menus.tooltip(view, self._kit.tooltip_limit), menus.rows(view))
            self._shown = now
            if now[0] != state:
                self._kit.paint(self._icon, now[0])
            if now[1] != title:
                self._icon.title = now[1]
            if now[2] != rows:
                self._icon.update_menu()
        except Exception:
            logger.exception("the tray could not be brought up to date")

    def _items(self) -> tuple[Any, ...]:
        """The pystray items of the menu as it is now; panels ask when they open it."""
        with self._building:
            try:
                rows = menus.rows(self._actions.view())
            except Exception:
                logger.exception("the tray does not know what to show")
                return self._last_items
            kept: dict[str, Slot] = {}
            self._last_items = tuple(self._fill(rows, kept))
            self._slots = kept
            return self._last_items

    def _fill(self, rows: tuple[Row | None, ...], kept: dict[str, Slot]) -> Iterator[Any]:
        for row in rows:
            if row is None:
                yield self._kit.module.Menu.SEPARATOR
                continue
            slot = self._slots.get(row.key) or self._new_slot(row)
            slot.row = row
            kept[row.key] = slot
            if row.rows is not None:
                slot_children = tuple(self._fill(row.rows, kept))
                slot.item.submenu.children = slot_children
            yield slot.item

    def _new_slot(self, row: Row) -> Slot:
        slot = Slot(row)
        escape = self._kit.escape
        slot.item = self._kit.module.MenuItem(
            lambda _: escape(slot.row.text),
            self._submenu() if row.rows is not None else lambda: self._start(slot.row),
            checked=lambda _: slot.row.checked,
            default=lambda _: slot.row.default,
            enabled=lambda _: slot.row.enabled,
            radio=lambda _: slot.row.radio,
        )
        return slot

    def _submenu(self) -> Any:
        menu: Any = self._kit.module.Menu(lambda: menu.children)
        menu.children = ()
        return menu

    def _start(self, row: Row) -> None:
        """Carry the click out on a thread of its own: it may take long, or ask something."""
        threading.Thread(target=self._carry_out, args=(row,), name=row.key, daemon=True).start()

    def _carry_out(self, row: Row) -> None:
        assert row.command is not None
        self._clicks.carry_out(row.command, row.text)
        self.refresh()

    def _secondary(self) -> None:
        """A middle click; it comes on a thread of its own."""
        self._clicks.pause_or_resume()
        self.refresh()
