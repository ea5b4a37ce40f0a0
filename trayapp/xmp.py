"""Adds keywords to an XMP packet and leaves every other byte of it as it was.

The packet is edited as text, not written anew from a parser's tree: order, quotes, padding and
prefixes are other programs' business. XMP's forms are those of Adobe's "XMP Specification
Part 1" (ISO 16684-1), section 7.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from trayapp import xmlsource
from trayapp.photo import BeartrayError
from trayapp.xmlsource import Element, Name, XmlError

MAX_BYTES = 8 * 1024 * 1024

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_META = "adobe:ns:meta/"
_ARRAYS = {(_RDF, "Bag"), (_RDF, "Seq"), (_RDF, "Alt")}

_EMPTY_PACKET = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Beartray">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:lr="http://ns.adobe.com/lightroom/1.0/"
    xmlns:digiKam="http://www.digikam.org/ns/1.0/"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""

_BOMS = (  # the longer first: UTF-32's little-endian mark begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_DECLARED = re.compile(rb"""\A<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# What sidecars in the wild come in, and Python writes back exactly; not all that it calls a codec.
_KNOWN = re.compile(r"utf-?8|us-ascii|iso-8859-\d{1,2}|windows-125\d")
# A carriage return written as itself would be read back as a line feed. (The standard library's
# `xml.sax.saxutils.escape` comes with a whole HTTP client.)
_ENTITIES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TagError(BeartrayError):
    """A sidecar that is not safe to add to; nothing of it was changed."""


@dataclass(frozen=True, slots=True)
class _Property:
    """A keyword property, the array it takes when new, and how it spells the tag "a/b"."""

    name: Name
    prefix: str
    array: str
    spell: Callable[[str], str]


_PROPERTIES = (
    _Property(
        ("http://purl.org/dc/elements/1.1/", "subject"),
        "dc",
        "Bag",
        lambda tag: tag.rpartition("/")[2],  # a flat keyword is the last part only
    ),
    _Property(
        ("http://ns.adobe.com/lightroom/1.0/", "hierarchicalSubject"),
        "lr",
        "Bag",
        lambda tag: tag.replace("/", "|"),
    ),
    _Property(("http://www.digikam.org/ns/1.0/", "TagsList"), "digiKam", "Seq", lambda tag: tag),
)


def merge_xmp(existing: bytes | None, tags: Sequence[str]) -> bytes:
    """The packet `existing` (None: a new one) with `tags` among its keywords, none twice.

    A tag "animals/bear" is the keyword "bear", and "bear" below "animals" in the hierarchical
    lists. Nothing else changes, and merging the same tags again gives the same bytes. Raises
    `TagError` (its text does not know the file's name) when it is not XMP, not well-formed,
    over `MAX_BYTES`, or hostile.
    """
    data = _EMPTY_PACKET.encode() if existing is None else existing
    if len(data) > MAX_BYTES:
        raise _refusal(f"is over {MAX_BYTES >> 20} MB")
    mark, encoding, text = _decode(data)
    before = edited = text.encode()
    wanted = clean_tags(tags)
    try:
        for property_ in _PROPERTIES:
            values = list(dict.fromkeys(property_.spell(tag) for tag in wanted))
            edited = _merge_property(edited, property_, values)
    except XmlError as error:
        raise _refusal(str(error)) from None
    if edited == before:
        return data
    return mark + edited.decode().encode(encoding, "xmlcharrefreplace")


def clean_tags(tags: Sequence[str]) -> list[str]:
    """`tags` as every reader takes them: NFC, no control characters, no stray "/", none twice."""
    cleaned = []
    for tag in tags:
        text = _NOT_XML.sub("", unicodedata.normalize("NFC", tag))
        parts = (" ".join(part.split()) for part in text.split("/"))
        cleaned.append("/".join(part for part in parts if part))
    return [tag for tag in dict.fromkeys(cleaned) if tag]


def _refusal(what: str) -> TagError:
    return TagError(f"the sidecar {what}; repair it or move it away to have the photo tagged")


def _decode(data: bytes) -> tuple[bytes, str, str]:
    """The byte order mark, the encoding's name and the text; encoding it again is exact."""
    mark, encoding = next((bom for bom in _BOMS if data.startswith(bom[0])), (b"", "utf-8"))
    if not mark:
        if data.startswith((b"<\0", b"\0<")):
            encoding = "utf-16-le" if data.startswith(b"<") else "utf-16-be"
        elif declared := _DECLARED.match(data):
            encoding = declared[1].decode().lower()
            if not _KNOWN.fullmatch(encoding):
                raise _refusal(f"says that its encoding is {encoding!r}, which XMP does not know")
    try:
        return mark, encoding, data[len(mark) :].decode(encoding)
    except (LookupError, UnicodeError):
        raise _refusal(f"is not valid {encoding} text") from None


def _merge_property(data: bytes, property_: _Property, values: list[str]) -> bytes:
    """`data` with `values` in `property_`, in whichever legal form it is there or is not."""
    rdf = _rdf_of(xmlsource.read(data))
    descriptions = _descriptions_of(rdf)
    elements = [
        child
        for parent in descriptions
        for child in parent.children
        if child.name == property_.name
    ]
    present = {_normal(value) for element in elements for value in _values_of(element)}
    holder = next((each for each in descriptions if property_.name in each.attributes), None)
    attribute = holder.attributes[property_.name][1] if holder else ""
    new = [value for value in values if value not in present | {_normal(attribute)}]
    if not new:
        return data
    if elements:
        return _extend(data, elements[0], new)
    if holder:  # an attribute holds one value only
        data = xmlsource.without_attribute(data, holder, property_.name)
        new = [attribute, *new] if attribute.strip() else new
        rdf = _rdf_of(xmlsource.read(data))
    return _add(data, rdf, property_, new)


def _rdf_of(root: Element) -> Element:
    candidates = [root] if root.name[0] != _META else root.children
    for element in candidates:
        if element.name == (_RDF, "RDF"):
            return element
    raise _refusal("is not XMP")


def _descriptions_of(rdf: Element) -> list[Element]:
    return [child for child in rdf.children if child.name == (_RDF, "Description")]


def _values_of(element: Element) -> list[str]:
    """The values of a property element: an array's items, else its own text."""
    arrays = [child for child in element.children if child.name in _ARRAYS]
    items = [item for array in arrays for item in array.children] or [element]
    return [_value_of(item) for item in items]


def _value_of(item: Element) -> str:
    """An item's text; one with qualifiers has it in rdf:value (section 7.8)."""
    for element in (item, *item.below()):
        if element.name == (_RDF, "value"):
            return element.text
        if (_RDF, "value") in element.attributes:
            return element.attributes[(_RDF, "value")][1]
    return item.text


def _normal(value: str) -> str:
    return unicodedata.normalize("NFC", " ".join(value.split()))


def _extend(data: bytes, element: Element, new: list[str]) -> bytes:
    """Add `new` to the property `element`; a plain text there becomes an array's first item."""
    arrays = [child for child in element.children if child.name in _ARRAYS]
    if arrays:
        li = _qualified(arrays[0].prefix, "li")
        return _append(data, arrays[0], [f"<{li}>{_escaped(value)}</{li}>" for value in new])
    if element.children or any(uri == _RDF for uri, _ in element.attributes):
        raise _refusal(f"holds {element.name[1]} in a form that is not XMP's")
    raw = data[element.open_end : element.close_start].decode().strip()
    items = [raw, *map(_escaped, new)] if raw else list(map(_escaped, new))
    return _fill(data, element, _array(element, "Bag", items).replace("\n", "").encode())


def _add(data: bytes, rdf: Element, property_: _Property, new: list[str]) -> bytes:
    """Add the property, which is nowhere in the packet yet, to a description, new if need be."""
    descriptions = _descriptions_of(rdf)
    if not descriptions:
        empty = f'<rdf:Description xmlns:rdf="{_RDF}" rdf:about=""/>'
        return _merge_property(_append(data, rdf, [empty]), property_, new)
    uri, local = property_.name
    parent = next((each for each in descriptions if each.prefix_of(uri)), descriptions[0])
    prefix, declaration = _bound(parent, uri, property_.prefix)
    array = _array(parent, property_.array, list(map(_escaped, new))).replace("\n", "\n ")
    name = _qualified(prefix, local)
    return _append(data, parent, [f"<{name}{declaration}>\n {array}\n</{name}>"])


def _array(scope: Element, kind: str, items: list[str]) -> str:
    """An RDF array of `items` (markup), to stand inside `scope`."""
    prefix, declaration = _bound(scope, _RDF, "rdf")
    name, li = _qualified(prefix, kind), _qualified(prefix, "li")
    lines = [f"\n <{li}>{item}</{li}>" for item in items]
    return f"<{name}{declaration}>{''.join(lines)}\n</{name}>"


def _bound(scope: Element, uri: str, wanted: str) -> tuple[str, str]:
    """A prefix for `uri` inside `scope`, and the declaration that it needs ("" where none)."""
    prefix = scope.prefix_of(uri)
    if prefix is not None:
        return prefix, ""
    while scope.uri_of(wanted) is not None:  # another meaning: what stands inside may rely on it
        wanted += "_"
    return wanted, f' xmlns:{wanted}="{uri}"'


def _append(data: bytes, parent: Element, fragments: list[str]) -> bytes:
    """Put `fragments` after the last child of `parent`, each on a line where its siblings are."""
    outer = xmlsource.indent_of(data, parent)
    if parent.children:
        lead, at = xmlsource.indent_of(data, parent.children[-1]), parent.children[-1].end
    else:
        lead, at = outer + b" " if b"\n" in outer else b"", parent.open_end
    added = b"".join(lead + part.encode().replace(b"\n", lead) for part in fragments)
    if parent.is_empty_tag:
        return _fill(data, parent, added + (outer if lead else b""))
    return data[:at] + added + data[at:]


def _fill(data: bytes, element: Element, inner: bytes) -> bytes:
    """`data` with `inner` as all that `element` holds."""
    if not element.is_empty_tag:
        return data[: element.open_end] + inner + data[element.close_start :]
    name = _qualified(element.prefix, element.name[1]).encode()
    opening = data[: element.open_end - 2].rstrip() + b">"
    return opening + inner + b"</" + name + b">" + data[element.end :]


def _qualified(prefix: str, local: str) -> str:
    return f"{prefix}:{local}" if prefix else local


def _escaped(value: str) -> str:
    return value.translate(_ENTITIES)
