"""The tray, the menu, notifications, login items and the control socket."""
