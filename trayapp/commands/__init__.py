"""The commands, a module for each group; they speak to the person, the rest of trayapp does not."""
