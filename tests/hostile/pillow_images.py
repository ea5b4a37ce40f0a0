"""Pillow's own test images, many of them made to crash or exhaust decoders.

They come with its source distribution; pip fetches it once for each user, and checks it before
anything in it is run.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import platformdirs
from filelock import FileLock

from tests.helpers import skip

VERSION = "13.0.0"
SHA256 = "cdcd1ba258178f7356d74170c9a81ba4eab6a5d55748bc402a5a2a6fe6be3510"
IMAGES = 1060
"""Files below Tests/images of that version."""
FETCH_SECONDS = 600


def folder() -> Path:
    """Where the images lie, in the user's cache."""
    cache = platformdirs.user_cache_path("beartray-tests")
    images = cache / f"pillow-{VERSION}" / "Tests" / "images"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "pillow.lock"):
        if not images.is_dir():
            with tempfile.TemporaryDirectory(dir=cache) as place:
                _unpack(_fetch(Path(place)), Path(place))
                (Path(place) / f"pillow-{VERSION}").rename(cache / f"pillow-{VERSION}")
    return images


def _fetch(place: Path) -> Path:
    wanted = place / "wanted.txt"
    wanted.write_text(f"pillow=={VERSION} --hash=sha256:{SHA256}\n")
    options = ["--no-deps", "--no-binary=pillow", "--require-hashes", "--dest", str(place)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", *options, "-r", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    if done.returncode:
        skip(f"pip could not fetch Pillow's source: {done.stderr.strip()[-500:]}")
    (archive,) = place.glob("*.tar.gz")
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == SHA256
    return archive


def _unpack(archive: Path, place: Path) -> None:
    with tarfile.open(archive) as source:
        wanted = [
            one for one in source.getmembers() if one.name.split("/")[1:3] == ["Tests", "images"]
        ]
        source.extractall(place, wanted, filter="data")


def copy_to(target: Path, suffixes: list[str]) -> dict[str, Path]:
    """Every image in `target` under a name of its own; those with endings that Beartray does not
    take get one of `suffixes` as well. Returns the originals by name."""
    found: dict[str, Path] = {}
    for number, image in enumerate(sorted(path for path in folder().rglob("*") if path.is_file())):
        taken = image.suffix.lower() in suffixes
        ending = "" if taken else suffixes[number % len(suffixes)]
        name = f"{number:04} {image.name}{ending}"
        shutil.copyfile(image, target / name)
        found[name] = image
    return found
