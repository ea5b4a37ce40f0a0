"""What the review page's settings are, and what choosing one does: the same as in the tray."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from trayapp.app.actions import TrayActions
from trayapp.desktop.menu import ACTIONS, NOTIFICATIONS
from trayapp.photo import Action, BeartrayError
from trayapp.settings import SettingsError
from trayapp.tell import Mode

if TYPE_CHECKING:
    from trayapp.review.parts import Choice

SWITCH = (("on", "On"), ("off", "Off"))


class TrayControls:
    """`actions` are the tray's; every value comes from a browser and is checked."""

    def __init__(self, actions: TrayActions) -> None:
        self._actions = actions

    def headline(self) -> str:
        return self._actions.headline()

    def problem(self) -> str | None:
        return self._actions.problem()

    def choices(self) -> Sequence[Choice]:
        from trayapp.review.parts import Choice

        view = self._actions.view()
        models = view.models if view.model in view.models else (view.model, *view.models)
        return (
            Choice(
                *("folder", "Watched folder", "folder", str(view.folder)),
                help="Photos that arrive here are filed. Those already there are left alone.",
            ),
            Choice(
                *("paused", "Pause", "switch", "on" if view.paused else "off", SWITCH),
                help="While paused, nothing is touched.",
            ),
            Choice(
                *("action", "What to do with a photo", "radio", view.action),
                options=tuple(ACTIONS.items()),
            ),
            Choice(
                *("notify", "Notifications", "radio", view.notify),
                options=tuple(NOTIFICATIONS.items()),
            ),
            Choice(
                *("model", "Model", "select", view.model),
                options=tuple((name, Path(name).name) for name in models),
                help="Another one is tried out first, which takes a moment.",
            ),
            Choice(
                *("at_login", "Start at login", "switch", "on" if view.at_login else "off", SWITCH),
            ),
        )

    def set(self, name: str, value: str) -> None:
        """Raises `SettingsError` for what cannot be chosen, and what the action itself raises."""
        match name, value:
            case "action", _ if value in get_args(Action):
                self._actions.set_action(value)  # type: ignore[arg-type]
            case "notify", _ if value in get_args(Mode):
                self._actions.set_notify(value)  # type: ignore[arg-type]
            case "model", _ if value in self._actions.view().models:
                self._actions.use_model(value)
            case "at_login", "on" | "off":
                self._actions.set_at_login(value == "on")
            case "paused", "on":
                self._actions.pause(None)
            case "paused", "off":
                self._actions.resume()
            case "folder", _:
                self._actions.change_folder(_folder(value))
            case _:
                raise SettingsError(f"{name}: found {value!r}; choose one of those on the page")


def _folder(text: str) -> Path:
    try:
        folder = Path(text.strip()).expanduser()
        there = folder.is_absolute() and folder.is_dir()
    except (OSError, RuntimeError, ValueError):  # ~nobody, a null byte
        there = False
    if not there:
        raise BeartrayError(f"{text!r} is not a folder that is there; give its full path")
    return folder
