"""Reads XML for where things stand, so that a program can edit it as text and lose nothing.

Untrusted input is expected: what only an attack needs (a DOCTYPE and with it entities, very deep
or very many elements) is refused before it costs anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

MAX_DEPTH = 100
MAX_ELEMENTS = 50_000  # some twenty times what the longest histories have; 2 s of work

_START_TAG = re.compile(rb"""<(?:[^"'>]++|"[^"]*+"|'[^']*+')*+>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')""")

Name = tuple[str, str]
"""A name as XML means it: namespace and local part."""


class XmlError(ValueError):
    """Not well-formed, or hostile; the text says which, without the file's name."""


@dataclass(slots=True, eq=False)
class Element:
    """An element, and the offsets in bytes at which its tags begin and end.

    `<a>` spans `start` to `open_end`, `</a>` spans `close_start` to `end`; the last three are
    the same for `<a/>`. `attributes` maps each name to its prefixed name and its value,
    `namespaces` holds what this very element declares (prefix to URI), `text` its own text.
    """

    name: Name
    prefix: str
    attributes: dict[Name, tuple[str, str]]
    namespaces: dict[str, str]
    parent: Element | None
    start: int
    open_end: int
    close_start: int = 0
    end: int = 0
    children: list[Element] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def is_empty_tag(self) -> bool:
        return self.open_end == self.end

    def below(self) -> Iterator[Element]:
        for child in self.children:
            yield child
            yield from child.below()

    def uri_of(self, prefix: str) -> str | None:
        """What `prefix` means inside this element ("" is the default namespace)."""
        scope: Element | None = self
        while scope is not None:
            if prefix in scope.namespaces:
                return scope.namespaces[prefix]
            scope = scope.parent
        return None

    def prefix_of(self, uri: str) -> str | None:
        """A prefix that means `uri` inside this element, or None."""
        scope: Element | None = self
        while scope is not None:
            for prefix, bound in scope.namespaces.items():
                if bound == uri and self.uri_of(prefix) == uri:
                    return prefix
            scope = scope.parent
        return None


def read(data: bytes) -> Element:
    """The root of the UTF-8 document `data` (whatever its declaration says).

    Raises `XmlError` when it is not well-formed or not to be trusted.
    """
    return _Reader(data).read()


def without_attribute(data: bytes, element: Element, name: Name) -> bytes:
    """`data` less the attribute `name` of `element` and the space before it."""
    written = element.attributes[name][0].encode()
    for match in _ATTRIBUTE.finditer(data, element.start, element.open_end):
        if match[1] == written:
            return data[: match.start()] + data[match.end() :]
    return data


def indent_of(data: bytes, element: Element) -> bytes:
    """The white space that stands before `element`."""
    end = begin = element.start
    while begin and data[begin - 1 : begin].isspace():
        begin -= 1
    return data[begin:end]


class _Reader:
    """Builds the elements while expat reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._declared: dict[str, str] = {}
        self._open: list[Element] = []
        self._count = 0
        self._root: Element | None = None
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.namespace_prefixes = True
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartNamespaceDeclHandler = self._namespace
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text

    def read(self) -> Element:
        try:
            self._parser.Parse(self._data, True)
        except expat.ExpatError as error:
            raise XmlError(f"is not well-formed XML ({error})") from None
        if self._root is None:
            raise XmlError("is not well-formed XML (no element found)")
        return self._root

    def _doctype(self, *_: object) -> None:
        # Entities, their bombs and files read from elsewhere all need one.
        raise XmlError("has a DOCTYPE")

    def _namespace(self, prefix: str | None, uri: str | None) -> None:
        self._declared[prefix or ""] = uri or ""

    def _start(self, written: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise XmlError("has too many elements")
        name, prefix = _split(written)
        named = {}
        for key, value in attributes.items():
            its_name, its_prefix = _split(key)
            named[its_name] = (f"{its_prefix}:{its_name[1]}" if its_prefix else key, value)
        start = self._parser.CurrentByteIndex
        tag = _START_TAG.match(self._data, start)
        if tag is None:
            raise XmlError("is not well-formed XML (a tag without an end)")
        parent = self._open[-1] if self._open else None
        element = Element(name, prefix, named, self._declared, parent, start, tag.end())
        self._declared = {}
        if parent is None:
            self._root = element
        else:
            parent.children.append(element)
        self._open.append(element)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if self._data[element.open_end - 2 : element.open_end] == b"/>":
            element.close_start = element.end = element.open_end
        else:
            element.close_start = self._parser.CurrentByteIndex
            element.end = self._data.index(b">", element.close_start) + 1

    def _text(self, text: str) -> None:
        self._open[-1].texts.append(text)


def _split(written: str) -> tuple[Name, str]:
    """Expat's "URI local prefix", "URI local" or "local", as a name and a prefix."""
    parts = written.split(" ")
    if len(parts) == 1:
        return ("", written), ""
    return (parts[0], parts[1]), parts[2] if len(parts) > 2 else ""
