"""Tag mode's files: what other programs wrote stays, and other programs read what we wrote."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import plistlib
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import picture, require_programs
from tests.sidecars import DARKTABLE, DIGIKAM, EXIFTOOL, LIGHTROOM, packet
from trayapp import xmp
from trayapp.tags import (
    LinuxAttributes,
    MacAttributes,
    SystemTags,
    TagError,
    add_finder_tags,
    add_system_tags,
    add_xdg_tags,
    merge_xmp,
    read_system_tags,
    sidecar_name,
    system_tags,
    write_system_tags,
)

FOREIGN = {
    "darktable": DARKTABLE,
    "digiKam": DIGIKAM,
    "Lightroom": LIGHTROOM,
    "exiftool": EXIFTOOL,
}
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
SUBJECT = "{http://purl.org/dc/elements/1.1/}subject"
HIERARCHY = "{http://ns.adobe.com/lightroom/1.0/}hierarchicalSubject"
TAGS_LIST = "{http://www.digikam.org/ns/1.0/}TagsList"

foreign = pytest.mark.parametrize("sidecar", FOREIGN.values(), ids=FOREIGN)


def keywords(data: bytes, name: str = SUBJECT) -> list[str]:
    """The items of an array property, read with another parser than ours."""
    found = [item.text or "" for item in ET.fromstring(data).iterfind(f".//{name}/*/*")]
    return [item.strip() for item in found]


def exiftool(path: Path) -> dict[str, Any]:
    require_programs("exiftool")
    command = ["exiftool", "-json", "-G1", "-struct", "-charset", "filename=utf8", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    assert found.get("ExifTool:Warning", "[minor]").startswith("[minor]")
    return found


def listed(found: dict[str, Any], name: str) -> list[str]:
    value = found.get(name, [])
    return value if isinstance(value, list) else [value]


def as_read(data: bytes, folder: Path) -> dict[str, Any]:
    path = folder / "photo.jpg.xmp"
    path.write_bytes(data)
    return exiftool(path)


def test_a_sidecar_is_named_after_the_whole_name_of_its_photo() -> None:
    assert sidecar_name("photo.jpg") == "photo.jpg.xmp"


def test_a_photo_without_a_sidecar_gets_one_that_exiftool_reads(tmp_path: Path) -> None:
    found = as_read(merge_xmp(None, ["grizzly", "Bärin & <Junges>"]), tmp_path)

    assert listed(found, "XMP-dc:Subject") == ["grizzly", "Bärin & <Junges>"]
    assert listed(found, "XMP-lr:HierarchicalSubject") == ["grizzly", "Bärin & <Junges>"]
    assert listed(found, "XMP-digiKam:TagsList") == ["grizzly", "Bärin & <Junges>"]


def test_a_tag_with_a_slash_is_a_leaf_in_a_hierarchy(tmp_path: Path) -> None:
    found = as_read(merge_xmp(None, ["animals/bear/grizzly"]), tmp_path)

    assert listed(found, "XMP-dc:Subject") == ["grizzly"]
    assert listed(found, "XMP-lr:HierarchicalSubject") == ["animals|bear|grizzly"]
    assert listed(found, "XMP-digiKam:TagsList") == ["animals/bear/grizzly"]


@foreign
def test_what_another_program_wrote_stays_for_exiftool(sidecar: str, tmp_path: Path) -> None:
    before = as_read(sidecar.encode(), tmp_path)
    after = as_read(merge_xmp(sidecar.encode(), ["grizzly"]), tmp_path)

    for name in ("XMP-dc:Subject", "XMP-lr:HierarchicalSubject", "XMP-digiKam:TagsList"):
        assert listed(after, name) == [*listed(before, name), "grizzly"]
        before.pop(name, None)
        after.pop(name)
    for facts in (before, after):
        for name in [name for name in facts if name.startswith(("System:", "ExifTool:"))]:
            del facts[name]
    assert after == before


@foreign
def test_a_merge_only_inserts(sidecar: str) -> None:
    merged = merge_xmp(sidecar.encode(), ["grizzly"])

    rest = iter(merged)
    assert all(byte in rest for byte in sidecar.encode()), "not every byte is there in its order"
    assert merge_xmp(merged, ["grizzly"]) == merged


def test_new_keywords_stand_where_the_old_ones_do() -> None:
    merged = merge_xmp(DARKTABLE.encode(), ["grizzly"]).decode()

    assert "     <rdf:li>wildlife</rdf:li>\n     <rdf:li>grizzly</rdf:li>\n    </rdf:Bag>" in merged
    assert 'xmlns:digiKam="http://www.digikam.org/ns/1.0/">\n    <rdf:Seq>\n' in merged


def test_keywords_that_are_there_are_not_written_again() -> None:
    both = merge_xmp(DARKTABLE.encode(), ["wildlife", "Alaska"])

    assert keywords(both) == ["Alaska", "wildlife"]
    assert keywords(both, HIERARCHY) == ["places|Alaska", "wildlife", "Alaska"]
    assert keywords(both, TAGS_LIST) == ["wildlife", "Alaska"]


def test_a_keyword_is_known_in_either_unicode_form() -> None:
    decomposed = packet("<dc:subject><rdf:Bag><rdf:li>Ba\u0308r</rdf:li></rdf:Bag></dc:subject>")

    assert keywords(merge_xmp(decomposed.encode(), ["Bär"])) == ["Ba\u0308r"]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<dc:subject><rdf:Seq><rdf:li>a</rdf:li></rdf:Seq></dc:subject>", ["a", "new"]),
        (
            "<dc:subject><rdf:Alt><rdf:li xml:lang='x-default'>a</rdf:li></rdf:Alt></dc:subject>",
            ["a", "new"],
        ),
        ("<dc:subject><rdf:Bag/></dc:subject>", ["new"]),
        ("<dc:subject><rdf:Bag></rdf:Bag></dc:subject>", ["new"]),
        ("<dc:subject/>", ["new"]),
        ("<dc:subject> </dc:subject>", ["new"]),
        ("<dc:subject>a &amp; b</dc:subject>", ["a & b", "new"]),
        ("<dc:subject><![CDATA[a & b]]></dc:subject>", ["a & b", "new"]),
        ("<dc:subject><rdf:Bag><rdf:_1>a</rdf:_1></rdf:Bag></dc:subject>", ["a", "new"]),
        ("<dc:subject><rdf:Bag><!-- none yet --></rdf:Bag></dc:subject>", ["new"]),
    ],
)
def test_keywords_in_another_form_are_added_to(inside: str, expected: list[str]) -> None:
    merged = merge_xmp(packet(inside).encode(), ["new"])

    assert keywords(merged) == expected
    assert merge_xmp(merged, ["new", *expected]).count(b">new<") == 3


def test_a_keyword_with_qualifiers_counts_as_there() -> None:
    for item in (
        "<rdf:li rdf:parseType='Resource'><rdf:value>bear</rdf:value><q:a>1</q:a></rdf:li>",
        "<rdf:li><rdf:Description rdf:value='bear' q:a='1'/></rdf:li>",
    ):
        sidecar = packet(f"<dc:subject><rdf:Bag>{item}</rdf:Bag></dc:subject>").encode()
        assert merge_xmp(sidecar, ["bear"]).count(b"<rdf:Bag>") == 2  # ours: lr's, none of dc's


def test_a_keyword_as_an_attribute_becomes_a_list() -> None:
    sidecar = packet("", """ q:a="x dc:subject='no'" dc:subject='a &amp;&#13;"b"' q:b="2\"""")
    merged = merge_xmp(sidecar.encode(), ["new"])

    assert keywords(merged) == ['a &\r"b"', "new"]
    assert b"""q:a="x dc:subject='no'" q:b="2">""" in merged
    assert merge_xmp(merged, ["new"]) == merged
    assert b"dc:subject='a" in merge_xmp(packet("", " dc:subject='a'").encode(), ["a"])


@pytest.mark.parametrize(
    "sidecar",
    [
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='{rdf}'/></x:xmpmeta>",
        "<RDF xmlns='{rdf}'><Description/></RDF>",
        "<RDF xmlns='{rdf}'>\n  <Description >\n    <!-- c --></Description></RDF>",
        # The usual prefixes with other meanings, and ours with other names.
        "<dc:RDF xmlns:dc='{rdf}' xmlns:lr='urn:1' xmlns:rdf='urn:2'><dc:Description/></dc:RDF>",
        "<r:RDF xmlns:r='{rdf}'><r:Description xmlns:D='http://purl.org/dc/elements/1.1/'/></r:RDF>",
        "<r:RDF xmlns:r='{rdf}'><r:Description/><r:Description q:a='a' xmlns:q='urn:q'/></r:RDF>",
    ],
)
def test_prefixes_are_the_writers_business(sidecar: str) -> None:
    before = sidecar.replace("{rdf}", RDF[1:-1]).encode()
    merged = merge_xmp(before, ["new"])

    for name in (SUBJECT, HIERARCHY, TAGS_LIST):
        assert keywords(merged, name) == ["new"]
    assert {item.tag for item in ET.fromstring(merged).iterfind(f".//{SUBJECT}/*")} == {f"{RDF}Bag"}
    assert merge_xmp(merged, ["new"]) == merged


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@foreign
def test_the_encoding_stays(encoding: str, sidecar: str) -> None:
    text = sidecar.replace('encoding="UTF-8"', f'encoding="{encoding}"')
    merged = merge_xmp(text.encode(encoding), ["grizzly"])

    decoded = merged.decode(encoding)
    assert merged == decoded.encode(encoding)
    as_utf_8 = decoded.replace(f'encoding="{encoding}"', 'encoding="UTF-8"')
    assert as_utf_8.encode() == merge_xmp(sidecar.encode(), ["grizzly"])


def test_a_declared_encoding_is_kept_and_what_it_lacks_is_spelled_out() -> None:
    sidecar = '<?xml version="1.0" encoding="ISO-8859-1"?>' + packet("<q:a>Bär</q:a>")
    merged = merge_xmp(sidecar.encode("latin-1"), ["Μπεαρ"])

    assert "Bär".encode("latin-1") in merged
    assert keywords(merged) == ["Μπεαρ"]


BILLION_LAUGHS = """<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">
<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;">]><lolz>&lol2;</lolz>"""


@pytest.mark.parametrize(
    ("sidecar", "says"),
    [
        (b"", "not well-formed"),
        (b"hello", "not well-formed"),
        (DARKTABLE.encode()[:-20], "not well-formed"),
        (DARKTABLE.encode() + b"<more/>", "not well-formed"),
        (DARKTABLE.encode("utf-16")[:-1], "not valid utf-16-le text"),
        (b"\xff\xfe\xfd", "not valid utf-16-le text"),
        (b"<a>\xff</a>", "not valid utf-8 text"),
        (
            b'<?xml version="1.0" encoding="rot13"?><a/>',
            "encoding is 'rot13', which XMP does not know",
        ),
        (b'<?xml version="1.0" encoding="utf-7"?><a/>', "encoding is 'utf-7'"),
        (b'<?xml version="1.0" encoding="iso-8859-99"?><a/>', "not valid iso-8859-99 text"),
        (b"<html/>", "is not XMP"),
        (b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>", "is not XMP"),
        (BILLION_LAUGHS.encode(), "has a DOCTYPE"),
        (BILLION_LAUGHS.encode("utf-16"), "has a DOCTYPE"),
        (b"<!DOCTYPE a SYSTEM 'file:///etc/passwd'><a/>", "has a DOCTYPE"),
        (packet("&lol;").encode(), "not well-formed"),
        (b"<a>" * 101 + b"</a>" * 101, "too many elements"),
        (b"<a>" + b"<a/>" * 200_000 + b"</a>", "too many elements"),
        (b"<a>" + b" " * (8 * 1024 * 1024) + b"</a>", "over 8 MB"),
        (packet("<dc:subject rdf:resource='urn:a'/>").encode(), "form that is not XMP's"),
        (packet("<dc:subject><q:a/></dc:subject>").encode(), "form that is not XMP's"),
    ],
)
def test_what_is_broken_or_hostile_is_refused_in_one_line(sidecar: bytes, says: str) -> None:
    with pytest.raises(TagError) as refused:
        merge_xmp(sidecar, ["grizzly"])

    assert says in str(refused.value)
    assert "move it away" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_large_sidecar_costs_little() -> None:
    many = "<!-- x -->y\n" * 500_000

    assert keywords(merge_xmp(packet(many).encode(), ["grizzly"])) == ["grizzly"]


def test_tags_that_no_reader_takes_are_cleaned() -> None:
    assert xmp.clean_tags(
        [" a\tb ", "a b", "", "/", "x//y/", "\x00\ud800z\uffff", "Ba\u0308r"]
    ) == [
        "a b",
        "x/y",
        "z",
        "Bär",
    ]


texts = st.text(max_size=12)
tag_lists = st.lists(texts, max_size=4)
bodies = st.lists(
    st.sampled_from(
        [
            "<dc:subject><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag></dc:subject>",
            "<dc:subject>a</dc:subject>",
            "<q:b q:c='>'>\r\n <q:d/> </q:b>",
            "<!-- <dc:subject> -->",
            "<?keep me?>",
            "<![CDATA[ ]]>",
            "\n  ",
        ]
    ),
    max_size=5,
).map("".join)
attributes = st.sampled_from(["", " q:e='1>2'", ' dc:subject="a"', "\n\tq:e='/'\n"])


@given(bodies, attributes, tag_lists, st.sampled_from(["utf-8", "utf-16"]))
def test_merging_twice_is_merging_once(
    body: str, more: str, tags: list[str], encoding: str
) -> None:
    once = merge_xmp(packet(body, more).encode(encoding), tags)

    assert merge_xmp(once, tags) == once
    assert merge_xmp(once, tags[::-1]) == once


@given(bodies, attributes, tag_lists)
def test_nothing_is_lost(body: str, more: str, tags: list[str]) -> None:
    before = packet(body, more)
    after = merge_xmp(before.encode(), tags)

    if "dc:subject" not in more:  # that one is turned from an attribute into a list
        rest = iter(after)
        assert all(byte in rest for byte in before.encode())
    assert set(keywords(before.encode())) <= set(keywords(after))
    leaves = {tag.rpartition("/")[2] for tag in xmp.clean_tags(tags)}
    assert leaves <= {" ".join(word.split()) for word in keywords(after)} | {"a"}
    assert len(keywords(after)) == len(set(keywords(after))) or body.count("<dc:subject>") > 1


# The system's own tags


def test_xdg_tags_are_added_to_a_list_with_commas() -> None:
    assert add_xdg_tags(None, ["grizzly", "a, b"]) == b"grizzly,a b"
    assert add_xdg_tags(b"river, bear", ["bear", "grizzly"]) == b"river, bear,grizzly"
    assert add_xdg_tags(b"caf\xe9,", ["grizzly"]) == b"caf\xe9,grizzly"
    assert add_xdg_tags(b"grizzly", ["grizzly", ","]) == b"grizzly"


def test_finder_tags_keep_their_colours() -> None:
    before = plistlib.dumps(["Red\n6", "grizzly"], fmt=plistlib.FMT_BINARY)
    after = add_finder_tags(before, ["grizzly", "Red", "bear"])

    assert plistlib.loads(after) == ["Red\n6", "grizzly", "bear\n0"]
    assert add_finder_tags(after, ["bear"]) == after
    assert plistlib.loads(add_finder_tags(None, ["bear"])) == ["bear\n0"]


@pytest.mark.parametrize("value", [b"", b"junk", b"bplist00junk", plistlib.dumps({"a": 1})])
def test_finder_tags_in_an_unknown_form_are_left_alone(value: bytes) -> None:
    assert add_finder_tags(value, ["bear"]) == value


@given(st.binary(max_size=40).map(lambda rest: b"bplist00" + rest), tag_lists)
def test_no_finder_tags_upset_us(value: bytes, tags: list[str]) -> None:
    assert add_finder_tags(value, tags)


def test_system_tags_leave_the_photos_bytes_and_times(tmp_path: Path) -> None:
    photo = picture(tmp_path / "bear.jpg")
    content, before = photo.read_bytes(), photo.stat()
    value = add_system_tags(read_system_tags(photo), ["grizzly"])
    write_system_tags(photo, value)

    status = photo.stat()
    assert (status.st_mtime_ns, status.st_size, status.st_ino) == (
        before.st_mtime_ns,
        before.st_size,
        before.st_ino,
    )
    assert photo.read_bytes() == content
    if read_system_tags(photo) is not None:  # not every file system keeps them
        assert read_system_tags(photo) == value
    write_system_tags(photo, None)
    write_system_tags(photo, None)
    assert read_system_tags(photo) is None


def test_a_vanished_photo_has_no_tags_to_read(tmp_path: Path) -> None:
    tags = SystemTags(FakeSystem().linux(), "user.xdg.tags", add_xdg_tags)
    with pytest.raises(FileNotFoundError):
        tags.read(tmp_path / "gone.jpg")
    with pytest.raises(FileNotFoundError):
        tags.write(tmp_path / "gone.jpg", b"grizzly")


def test_where_the_file_system_keeps_no_tags_nothing_happens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    photo = picture(tmp_path / "bear.jpg")
    tags = SystemTags(FakeSystem(refusal=errno.ENOTSUP).linux(), "user.xdg.tags", add_xdg_tags)
    tags.write(photo, b"grizzly")

    assert tags.read(photo) is None
    assert "cannot hold system tags" in caplog.text


def test_windows_has_none(tmp_path: Path) -> None:
    tags = system_tags("win32")
    tags.write(tmp_path, b"grizzly")
    tags.write(tmp_path, None)

    assert tags.read(tmp_path) is None
    assert tags.add(None, ["grizzly"]) is None


@pytest.mark.parametrize("system", ["linux", "mac"])
def test_tags_come_back_as_they_were_written(system: str, tmp_path: Path) -> None:
    photo = picture(tmp_path / "bärin.jpg")
    fake = FakeSystem()
    attributes = fake.linux() if system == "linux" else MacAttributes(fake)
    tags = SystemTags(attributes, "tags", add_xdg_tags)

    assert tags.read(photo) is None
    tags.write(photo, b"")
    assert tags.read(photo) == b""
    tags.write(photo, b"grizzly,\0")
    assert tags.read(photo) == b"grizzly,\0"
    tags.write(photo, None)
    tags.write(photo, None)
    assert tags.read(photo) is None


@pytest.mark.skipif(sys.platform != "darwin", reason="macOS only")
def test_finder_tags_are_written_for_real(tmp_path: Path) -> None:
    photo = picture(tmp_path / "bear.jpg")
    write_system_tags(photo, add_system_tags(None, ["grizzly"]))

    assert b"grizzly" in (read_system_tags(photo) or b"")


class FakeSystem:
    """Attributes in a dictionary, behind macOS's calls or those of Python on Linux."""

    ENOATTR = 93

    def __init__(self, refusal: int = 0) -> None:
        self.kept: dict[tuple[bytes, bytes], bytes] = {}
        self.refusal = refusal

    def getxattr(
        self, path: bytes, name: bytes, buffer: Any, size: int, position: int, options: int
    ) -> int:
        value = self.kept.get((path, name))
        if value is None or position or options != 1:
            return self._fail(path, self.ENOATTR)
        if buffer is not None:
            assert size >= len(value)
            ctypes.memmove(buffer, value, len(value))
        return len(value)

    def setxattr(
        self, path: bytes, name: bytes, value: bytes, size: int, position: int, options: int
    ) -> int:
        if self.refusal or position or options != 1 or not os.path.exists(path):  # noqa: PTH110
            return self._fail(path, self.refusal)
        self.kept[path, name] = value[:size]
        return 0

    def removexattr(self, path: bytes, name: bytes, options: int) -> int:
        if self.kept.pop((path, name), None) is None or options != 1:
            return self._fail(path, self.ENOATTR)
        return 0

    def _fail(self, path: bytes, number: int) -> int:
        ctypes.set_errno(self.refusal or (number if Path(os.fsdecode(path)).exists() else 2))
        return -1

    def linux(self) -> LinuxAttributes:
        return LinuxAttributes(_AsPythonDoes(MacAttributes(self)))


class _AsPythonDoes:
    def __init__(self, kept: MacAttributes) -> None:
        self._kept = kept

    def getxattr(self, path: Path, name: str, *, follow_symlinks: bool) -> bytes:
        assert not follow_symlinks
        return self._kept.get(path, name)

    def setxattr(self, path: Path, name: str, value: bytes, *, follow_symlinks: bool) -> None:
        assert not follow_symlinks
        self._kept.set(path, name, value)

    def removexattr(self, path: Path, name: str, *, follow_symlinks: bool) -> None:
        assert not follow_symlinks
        self._kept.remove(path, name)
