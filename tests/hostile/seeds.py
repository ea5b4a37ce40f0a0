"""Small sound files of every kind that Beartray reads, to be spoiled."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageCms

from tests.program import COLOURS, ROOT
from tests.sidecars import DARKTABLE, DIGIKAM, EXIFTOOL, LIGHTROOM, packet

HEIC = Path(__file__).parents[1] / "engine" / "samples" / "turned.heic"
SIDE = 40  # pixels: enough for several blocks of every codec

SIDECARS = (
    DARKTABLE,
    DIGIKAM,
    LIGHTROOM,
    EXIFTOOL,
    packet("<dc:subject><rdf:Bag><rdf:li>a</rdf:li></rdf:Bag></dc:subject>"),
    packet("<dc:subject>a</dc:subject>"),
    packet("", ' dc:subject="a"'),
    packet("<dc:subject><rdf:Seq/></dc:subject><q:x rdf:parseType='Resource'><q:y/></q:x>"),
)
XML_WORDS = (
    *("<", ">", "</", "/>", '"', "'", "&", "&amp;", "&#0;", "&#xD800;", "&x;", "]]>", "<![CDATA["),
    *("<!--", "-->", "<?", "?>", '<!DOCTYPE x [<!ENTITY x "y">]>', "xmlns", 'xmlns:dc="urn:other"'),
    *('xmlns=""', "rdf:li", "rdf:Bag", "rdf:Alt", "dc:subject", "lr:hierarchicalSubject", "\0"),
    *("digiKam:TagsList", "rdf:Description", "rdf:RDF", "x:xmpmeta", "rdf:value", "xml:lang"),
    *('<dc:subject xmlns:dc="http://purl.org/dc/elements/1.1/"/>', "\ufeff", "\ud800", "\r\n", "é"),
    *(
        'rdf:parseType="Literal"',
        'rdf:resource="x"',
        "rdf:about",
        '<?xml version="1.0"?>',
        "\u2028",
    ),
    *("<rdf:li>", "</rdf:li>", "<rdf:Bag>", "</rdf:Bag>", "\ue000", "\U0010ffff", "\x7f", "\x85"),
)
TOML_WORDS = (
    *("[", "]", "[[", "]]", "=", ".", ",", "{", "}", '"', "'", '"""', "'''", "#", "\n", "\0", "\\"),
    *("folder", "sort", "model", "notify", "startup", "path", "subfolder", "ignore", "true", "inf"),
    *("nan", "-1", "1e999", "9" * 5000, "0x10", "1979-05-27", "07:32:00", "\\ud800", "é", "\ud800"),
    *('"{label}"', '"{label.__class__}"', '"{label!r}"', '"{label:9999999999}"', '"../{label}"'),
    *('"~nobody/x"', "[folder]", "[sort]", "folder.path = 1", "min_confidence", "[" * 5000, "-inf"),
    *(
        '["*"]',
        '"{year}/{month}/{day}"',
        '"\\u0000"',
        "observer",
        "action",
        '"move"',
        "rescan_minutes",
    ),
)
JSON_WORDS = (
    *("[", "]", "{", "}", ",", ":", '"', "null", "true", "NaN", "Infinity", "-Infinity", "1e999"),
    *("-1", "0", "1e-320", "9" * 5000, '"\\ud800"', '"../x"', '"/etc/passwd"', '"a\\u0000b"', "\0"),
    *('"model.onnx"', '"learner.pkl"', "[" * 5000, '"files"', '"labels"', '"none"', '"kind"', "2"),
    *('"CON"', '"a\\\\b"', '"C:x"', '""', '" "', '"\\u202e"', '"threshold"', '"class"', '"index"'),
)


def photos() -> list[bytes]:
    """A photo in every format, with all that may come along: Exif, colour profile, XMP, frames."""
    return [*_photos(), HEIC.read_bytes()]


def _photos() -> Iterator[bytes]:
    picture = Image.effect_noise((SIDE, SIDE), 60).convert("RGB")
    exif = Image.Exif()
    exif[0x0112], exif[0x0132] = 6, "2021:05:06 07:08:09"
    exif.get_ifd(0x8769)[0x9003] = "2021:05:06 07:08:09"
    more: dict[str, Any] = {
        "exif": exif,
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "xmp": DIGIKAM.encode(),
    }
    frames: dict[str, Any] = {"save_all": True, "append_images": [picture.rotate(90)] * 2}
    for name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF"):
        yield saved(picture, name, **more)
    for name in ("GIF", "PNG", "WEBP", "AVIF", "TIFF", "MPO"):
        yield saved(picture, name, **frames)
    for compression in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits", "tiff_raw_16"):
        yield saved(picture, "TIFF", compression=compression)
    for mode in ("1", "L", "P", "RGBA", "CMYK", "I;16", "LAB", "LA"):
        name = "TIFF" if mode in {"CMYK", "I;16", "LAB"} else "PNG"
        yield saved(
            Image.new(mode, (SIDE, SIDE), 7 if mode in {"1", "L", "P", "I;16"} else 0), name
        )
    yield saved(picture, "BMP")
    yield saved(picture.convert("P"), "BMP")
    yield saved(picture, "JPEG", progressive=True, quality=30)
    yield saved(picture, "WEBP", lossless=True)


def saved(picture: Image.Image, name: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    if options.get("compression") == "tiff_raw_16":
        picture, options = Image.new("I;16", picture.size, 4711), {}
    picture.save(stream, name, **options)
    return stream.getvalue()


def cards() -> list[str]:
    """Every model.json of the project."""
    return [
        (folder / "model.json").read_text("utf-8") for folder in (COLOURS, ROOT / "models/bears")
    ]


def settings() -> list[str]:
    return [
        (ROOT / "config" / "default.toml").read_text("utf-8"),
        '[sort]\naction = "copy"\nsubfolder = "{label}/{year}"\n'
        "[model]\nmin_confidence = {a=0.5}\n",
        'folder.path = "~/x"\nfolder.ignore = ["a*"] # mine\n[notify]\nmode = "off"\n',
        "[folder]\nrecursive = true\n\n[folder.more]\nx = 1\n[[sort]]\n",
    ]


def pickles() -> list[bytes]:
    """Pickles of several protocols, and a zip archive as torch.save writes it."""
    value = {"a": [1, 2.5, None, "x" * 300], "b": Path("a"), "c": (b"bytes", {1, 2}, json.dumps)}
    made = [pickle.dumps(value, protocol) for protocol in range(6)]
    learner = ROOT / "models" / "bears" / "learner.pkl"
    return [*made, learner.read_bytes()[:4000]]
