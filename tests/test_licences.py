"""Whose a thing in the bundle is; nothing gets in without a licence, or under the GPL."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.program import ROOT

sys.path.append(str(ROOT / "packaging"))
import inventory
import libraries
import licences
from installed import Installed
from inventory import Component, Inventory, UnknownError

PACKAGES = ("msgspec", "pillow", "pystray")
SITE = str(metadata.distribution("pillow").locate_file(""))


@pytest.fixture
def shelf(tmp_path: Path) -> Inventory:
    return Inventory(libraries.known(), Installed(PACKAGES), tmp_path)


def owners(shelf: Inventory, place: str, origin: str, kind: str = "BINARY") -> list[str]:
    return [item.name for item in shelf.take([(place, origin, kind)])]


# Whose it is


@pytest.mark.parametrize(
    ("place", "origin", "names"),
    [
        ("pillow.libs/libtiff-20b7e810.so.6.3.0", f"{SITE}/pillow.libs/libtiff.so", ["libtiff"]),
        (
            "pillow.libs/libavif-c6062d5f.so.16.4.2",
            f"{SITE}/pillow.libs/libavif.so",
            ["AOM", "dav1d", "libavif", "libyuv"],
        ),
        ("PIL/_webp.cp313-win_amd64.pyd", r"C:\PIL\_webp.pyd", ["libwebp", "pillow"]),
        ("libheif.1.dylib", "/x/pi_heif/.dylibs/libheif.1.dylib", ["libheif"]),
        ("libwinpthread-1-1be1ab29.dll", r"C:\x\libwinpthread-1.dll", ["winpthreads"]),
        ("PIL/.dylibs/libz.1.3.1.zlib-ng.dylib", "/x/libz.1.dylib", ["zlib-ng"]),
        ("libcrypto-3.dll", r"C:\Python\DLLs\libcrypto-3.dll", ["OpenSSL"]),
        ("VCRUNTIME140.dll".lower(), "x", ["Microsoft Visual C++ and Universal C runtime"]),
        ("msgspec/_core.cpython-311-x86_64-linux-gnu.so", "/built/elsewhere.so", ["msgspec"]),
        ("python313.dll", r"C:\Python\python313.dll", ["Python"]),
        ("models/bears/model.onnx", "/work/model.onnx", ["model bears"]),
        ("LICENSE", str(ROOT / "LICENSE"), ["Beartray"]),
    ],
)
def test_a_file_is_known_by_its_name_or_by_the_package_that_brought_it(
    shelf: Inventory, place: str, origin: str, names: list[str]
) -> None:
    assert owners(shelf, place, origin) == names


def test_a_module_is_its_package_s_the_standard_library_or_ours(shelf: Inventory) -> None:
    modules = [
        ("PIL.Image", f"{SITE}/PIL/Image.py", "PYMODULE"),
        ("json.decoder", "/usr/lib/python3/json/decoder.py", "PYMODULE"),
        ("pyimod02_importers", "/x/PyInstaller/loader/pyimod02_importers.py", "PYMODULE"),
        ("trayapp.app", str(ROOT / "trayapp" / "app" / "__init__.py"), "PYMODULE"),
    ]
    found = {item.name: item.modules for item in _without_pyinstaller(shelf, modules)}
    assert found == {"Beartray": ("trayapp",), "pillow": ("PIL",), "Python": ("json",)}


def _without_pyinstaller(shelf: Inventory, modules: list[inventory.Entry]) -> list[Component]:
    """PyInstaller itself is not among what the fast tests install."""
    return shelf.take(row for row in modules if "PyInstaller" not in row[1])


@pytest.mark.parametrize(
    ("place", "origin", "kind"),
    [
        ("libmystery.so.1", "/usr/lib/libmystery.so.1", "BINARY"),
        ("pillow.libs/libnew-1234.so", f"{SITE}/pillow.libs/libnew.so", "BINARY"),
        ("notes.txt", "/home/somebody/notes.txt", "DATA"),
        ("mystery.part", "/home/somebody/mystery/part.py", "PYMODULE"),
    ],
)
def test_what_is_nobody_s_stops_the_build(
    shelf: Inventory, place: str, origin: str, kind: str
) -> None:
    with pytest.raises(UnknownError, match=rf"^{place} \(from .*components\.toml"):
        shelf.take([(place, origin, kind)])


def test_a_file_that_came_in_later_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "_internal"
    folder.mkdir()
    inventory.write([Component("pillow", "MIT-CMU", files=("a.so",))], folder / "components.json")
    (folder / "a.so").touch()
    assert inventory.unaccounted(tmp_path) == []
    (folder / "b.so").touch()
    (folder / "link.so").symlink_to("a.so")
    assert inventory.unaccounted(tmp_path) == ["b.so"]
    assert inventory.read(tmp_path)[0].files == ("a.so",)


# Under which licence


@pytest.mark.parametrize(
    ("licence", "demanded"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("MIT AND GPL-2.0-only", True),
        ("GPL-2.0-only OR AGPL-3.0-only", True),
        ("Apache-2.0 OR GPL-2.0-or-later", False),
        ("LGPL-3.0-or-later", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("GPL-2.0-or-later WITH Bootloader-exception", False),
        ("MIT AND LicenseRef-Microsoft-redistributable", False),
    ],
)
def test_a_gpl_without_exception_or_choice_stops_the_build(licence: str, demanded: bool) -> None:
    assert libraries.is_expression(licence)
    assert libraries.demands_gpl(licence) is demanded
    item = Component("libx265", licence)
    if demanded:
        with pytest.raises(UnknownError, match=r"libx265 is under .* all of Beartray would be"):
            licences.check([item])
    else:
        licences.check([item])


def test_a_package_s_own_words_become_an_expression() -> None:
    pystray = metadata.metadata("pystray")
    assert libraries.expression("pystray", pystray) == "LGPL-3.0-or-later"
    assert libraries.expression("pillow", metadata.metadata("pillow")) == "MIT-CMU"
    assert not libraries.is_expression("Ask my uncle")


def test_every_library_of_the_table_has_a_licence_and_a_text() -> None:
    for library in libraries.known():
        assert libraries.is_expression(library.licence), library.name
        assert not libraries.demands_gpl(library.licence), library.name
        assert library.files or library.inside, library.name
        assert library.texts or library.named, library.name
        for text in library.texts:
            package, _, name = text.rpartition(":")
            assert package == "pystray" or (licences.TEXTS / name).is_file(), library.name
        lgpl = "LGPL" in library.licence or "MPL" in library.licence
        assert library.source or not lgpl, f"{library.name}: say where its source is"


def test_the_texts_are_written_down_once_each() -> None:
    components = [
        Component("libheif", "LGPL-3.0-or-later", version="1.23.0", source="https://example.org"),
        Component("pystray", "LGPL-3.0-or-later", purl="pkg:pypi/pystray@1"),
        Component("libtiff", "libtiff"),
        Component("pillow", "MIT-CMU", purl="pkg:pypi/pillow@1"),
    ]
    text = licences.text_of(components)
    assert "libheif 1.23.0 · LGPL-3.0-or-later · https://example.org\n" in text
    assert text.count("GNU LESSER GENERAL PUBLIC LICENSE\n") == 1
    assert "(The text is given under libheif.)" in text
    assert '(The text is given under pillow, where it says "LIBTIFF".)' in text


def test_wheels_for_other_systems_call_the_same_text_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    windows = "Pillow's own.\n\n===== libjpeg-turbo-3.2.0 =====\n\nA text.\n"
    monkeypatch.setattr(licences, "package_texts", lambda name: [windows])
    components = [Component("libjpeg-turbo", "IJG"), Component("p", "MIT", purl="pkg:pypi/p@1")]
    text = licences.text_of(components)
    assert '(The text is given under p, where it says "libjpeg-turbo".)' in text


def test_a_library_whose_text_is_not_where_the_table_says_stops_the_build() -> None:
    with pytest.raises(UnknownError, match="libtiff: no package's licence names 'LIBTIFF'"):
        licences.text_of([Component("libtiff", "libtiff")])


def test_the_inventory_is_plain_json(tmp_path: Path) -> None:
    target = inventory.write([Component("zlib", "Zlib", version="1.3")], tmp_path / "list.json")
    assert json.loads(target.read_text()) == [
        {"name": "zlib", "licence": "Zlib", "kind": "library", "version": "1.3"}
    ]
