"""Makes the macOS app's Info.plist, and the disk image that holds it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import about

ENTITLEMENTS = Path(__file__).resolve().parent / "macos" / "entitlements.plist"
OLDEST = {"arm64": "14.0", "x64": "13.0"}  # that onnxruntime's wheels are made for
IDENTITY = "BEARTRAY_CODESIGN_IDENTITY"
PROFILE = "BEARTRAY_NOTARY_PROFILE"  # of `xcrun notarytool store-credentials`

Run = Callable[[Sequence[str]], object]


def info_plist() -> dict[str, Any]:
    """What the Finder and the system are told of the app.

    macOS asks a person before a program reads these folders, and shows our words.
    """
    why = "Beartray looks at the photos in the folder that you chose, and files them."
    places = [f"{name}Folder" for name in ("Desktop", "Documents", "Downloads")]
    places += ["RemovableVolumes", "NetworkVolumes"]
    return {
        "LSUIElement": True,  # an icon in the menu bar, none in the Dock
        "LSMinimumSystemVersion": OLDEST.get(about.architecture(), "14.0"),
        "LSApplicationCategoryType": "public.app-category.photography",
        "NSHighResolutionCapable": True,
        "NSHumanReadableCopyright": about.COPYRIGHT,
        "CFBundleDisplayName": "Beartray",
        "CFBundleVersion": about.version(),
        **{f"NS{place}UsageDescription": why for place in places},
    }


def make(app: Path, edition: str, out: Path, environ: Mapping[str, str], run: Run) -> list[Path]:
    """The disk image, in the folder `out`; `run` runs a program and raises when it fails.

    It is signed where $BEARTRAY_CODESIGN_IDENTITY names a key in the keychain, with which
    PyInstaller has signed the app and every library in it, and notarised where
    $BEARTRAY_NOTARY_PROFILE names credentials there.
    """
    name = f"{about.package(edition)}-{about.version()}-macos-{about.architecture()}"
    image = out / f"{name}.dmg"
    identity, profile = environ.get(IDENTITY), environ.get(PROFILE)
    if identity:
        run(["codesign", "--verify", "--strict", "--deep", str(app)])
    with tempfile.TemporaryDirectory(prefix="beartray-dmg-") as folder:
        run(["ditto", str(app), str(Path(folder, app.name))])
        Path(folder, "Applications").symlink_to("/Applications")
        image.unlink(missing_ok=True)
        created = ["hdiutil", "create", "-volname", "Beartray", "-fs", "HFS+", "-format", "UDZO"]
        run([*created, "-imagekey", "zlib-level=9", "-srcfolder", folder, str(image)])
    if identity:
        run(["codesign", "--force", "--timestamp", "--sign", identity, str(image)])
    if identity and profile:
        submit = ["xcrun", "notarytool", "submit", "--wait", "--keychain-profile", profile]
        run([*submit, str(image)])
        run(["xcrun", "stapler", "staple", str(image)])
    return [image]


def run(command: Sequence[str]) -> object:
    """Raises `subprocess.CalledProcessError`, and `FileNotFoundError` where it is not macOS."""
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(f"{command[0]} is not there; a disk image is made on macOS")
    return subprocess.run(command, check=True)
