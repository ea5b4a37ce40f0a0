"""Beartray: drop a photo into a folder and it is filed by what it shows."""

__version__ = "0.1.0"
