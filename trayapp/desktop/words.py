"""Makes names from a disk fit to show: no control characters, no broken bytes, not too long."""

from __future__ import annotations

import unicodedata

from trayapp.tell import shorten_middle

REPLACEMENT = "�"
_BAD = {"Cc", "Cs", "Zl", "Zp", "Co", "Cn"}
# Bidirectional overrides make "gpj.exe" look like "exe.jpg"; joiners and such are left alone.
_DIRECTION = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff")


def harmless(text: str) -> str:
    """`text` on one line and valid as UTF-8; what cannot be shown becomes one mark each."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in "\t\n\r":
        return " "
    if character in _DIRECTION or unicodedata.category(character) in _BAD:
        return REPLACEMENT
    return character


def shorten_end(text: str, limit: int) -> str:
    """At most `limit` characters, counted in UTF-16 units as Windows counts them."""
    if _units(text) <= limit:
        return text
    kept = text[: limit - 1]
    while _units(kept) > limit - 1:
        kept = kept[:-1]
    return kept + "…"


def _units(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def readable_name(name: str, limit: int = 40) -> str:
    """A file name for a menu or a sentence."""
    return shorten_middle(harmless(name), limit)
