"""Runs the tray icon: shows the view, turns clicks into actions, and never dies of an error."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from trayapp.desktop import menu as menus
from trayapp.desktop.dialogs import Dialogs
from trayapp.desktop.menu import PauseFor, Row, SetAtLogin, ShowEntry, TrayState, UndoEntry, View
from trayapp.desktop.opener import Opener
from trayapp.desktop.words import readable_name
from trayapp.photo import BeartrayError

__all__ = ["Actions", "Tray", "TrayKit", "TrayState", "View"]

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 0.1  # a burst of photos redraws the menu ten times a second at most


class Actions(Protocol):
    """What the tray asks of the app; `view` is quick, and each may be called on any thread.

    What cannot be done raises `BeartrayError` with one line for the person.
    """

    def view(self) -> View: ...
    def pause(self, seconds: float | None) -> None: ...
    def resume(self) -> None: ...
    def change_folder(self, folder: Path) -> None: ...
    def undo_last(self) -> None: ...
    def sort_existing(self) -> None: ...
    def set_at_login(self, wanted: bool) -> None: ...
    def quit(self) -> None: ...


@dataclass(frozen=True)
class TrayKit:
    """How one desktop shows an icon.

    `module` is pystray as it was imported for this desktop, `make(name, icon, title, menu)`
    gives a pystray icon, `paint` shows a state on it, `escape` makes a text safe for a menu,
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
        self._dialogs, self._opener, self._complain = dialogs, opener, complain
        self._stopping = threading.Event()
        self._changed = threading.Event()
        self._dialog = threading.Lock()
        self._building = threading.RLock()
        self._slots: dict[str, Slot] = {}
        self._last_items: tuple[Any, ...] = ()
        self._shown: tuple[object, ...] = (None, None, None)
        self._icon: Any = None

    def run(self) -> None:
        """Show the icon and block until `stop` or logout; call it on the main thread."""
        view = self._actions.view()
        title = menus.tooltip(view, self._kit.tooltip_limit)
        self._icon = self._kit.make("beartray", None, title, self._kit.module.Menu(self._items))
        self._kit.paint(self._icon, view.state)
        self._shown = (view.state, title, None)
        threading.Thread(target=self._keep_fresh, name="tray refresh", daemon=True).start()
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
        try:
            self._do(row)
        except BeartrayError as error:
            self._tell(str(error))
        except Exception as error:
            logger.exception("“%s” failed", row.text)
            self._tell(f"“{row.text}” did not work: {error}")
        finally:
            self.refresh()

    def _tell(self, problem: str) -> None:
        try:
            self._complain(problem)
        except Exception:
            logger.exception("nobody could be told: %s", problem)

    def _do(self, row: Row) -> None:
        match row.command:
            case PauseFor(seconds):
                self._actions.pause(seconds)
            case "resume":
                self._actions.resume()
            case ShowEntry(entry):
                # A tag's destination is its sidecar; the person wants to see the photo.
                here = entry.path if entry.action == "tag" else entry.destination
                self._opener.show_file(here)
            case UndoEntry(entry):
                self._undo(entry.id, entry.path.name)
            case SetAtLogin(wanted):
                self._actions.set_at_login(wanted)
            case "open folder":
                self._opener.open_folder(self._actions.view().folder)
            case "change folder":
                self._one_dialog(self._change_folder)
            case "sort existing":
                self._one_dialog(self._sort_existing)
            case "quit":
                self._actions.quit()

    def _undo(self, entry_id: int, name: str) -> None:
        undoable = self._actions.view().undoable
        if undoable is None or undoable.id != entry_id:
            raise BeartrayError(
                f"{readable_name(name)} is no longer the last photo filed; nothing was undone. "
                "“beartray history” lists it."
            )
        self._actions.undo_last()

    def _one_dialog(self, ask: Callable[[], None]) -> None:
        if self._dialog.acquire(blocking=False):  # a second click finds the window already open
            try:
                ask()
            finally:
                self._dialog.release()

    def _change_folder(self) -> None:
        folder = self._dialogs.choose_folder(self._actions.view().folder)
        if folder is not None:
            self._actions.change_folder(folder)

    def _sort_existing(self) -> None:
        view = self._actions.view()
        if self._dialogs.confirm(menus.sort_question(view.existing, view.folder), "Sort"):
            self._actions.sort_existing()
