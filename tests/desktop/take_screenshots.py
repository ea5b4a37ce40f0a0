"""Takes the README's pictures of the real program on the virtual desktop.

    python -m tests.desktop.take_screenshots PHOTO… [--out docs]

A dozen photos of bears are best. Needs Thunar besides what the desktop tests need. The photos
themselves are not to be seen, as they may be somebody's.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageOps

from tests.desktop.desk import Desk, wait_until
from tests.desktop.real_app import RealApp

WALL, INK, PAPER = "#46647a", "#2b1a10", "#ffffff"
# One window for photos and folders, nothing but what is in them.
THUNAR = """<?xml version="1.0" encoding="UTF-8"?>
<channel name="thunar" version="1.0">
  <property name="last-view" type="string" value="ThunarIconView"/>
  <property name="last-icon-view-zoom-level" type="string" value="THUNAR_ZOOM_LEVEL_150_PERCENT"/>
  <property name="last-menubar-visible" type="bool" value="false"/>
  <property name="last-statusbar-visible" type="bool" value="false"/>
  <property name="last-side-pane" type="string" value="THUNAR_SIDEPANE_TYPE_HIDDEN"/>
  <property name="last-location-bar" type="string" value="void"/>
  <property name="misc-thumbnail-mode" type="string" value="THUNAR_THUMBNAIL_MODE_NEVER"/>
  <property name="misc-text-beside-icons" type="bool" value="false"/>
</channel>
"""
# A build machine works as root, of which Thunar warns in every window.
NO_WARNING = """infobar, infobar * {
  font-size: 0; min-height: 0; padding: 0; margin: 0; border: none; background: none;
}
"""
LEFT, TOP, GAP = 8, 40, 8
WIDTH = 456  # four photos side by side
BEFORE_HEIGHT, AFTER_HEIGHT = 428, 532
Place = tuple[int, int, int, int]  # x, y, width, height


def main() -> None:
    parser = argparse.ArgumentParser(description="Takes the README's pictures.")
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs"))
    options = parser.parse_args()
    options.out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="desk") as folder:
        desk = Desk(Path(folder), options.out)
        try:
            _furnish(desk)
            _take(desk, options.photos, options.out)
        finally:
            desk.close()


def _furnish(desk: Desk) -> None:
    channels = desk.config / "xfce4" / "xfconf" / "xfce-perchannel-xml"
    (channels / "thunar.xml").write_text(THUNAR)
    style = desk.config / "gtk-3.0" / "gtk.css"
    style.parent.mkdir()
    style.write_text(NO_WARNING)
    desk.start("thunar", "--daemon")


def _take(desk: Desk, photos: list[Path], out: Path) -> None:
    app = RealApp(desk, model="bears")
    for number, photo in enumerate(photos):
        shutil.copy(photo, app.inbox / f"IMG_{411 + 7 * number:04}{photo.suffix.lower()}")
    count = len(photos)
    before = _windows(desk, [(app.inbox, (LEFT, TOP, WIDTH, BEFORE_HEIGHT))])
    app.start_and_wait()
    desk.choose(f"Sort the {count} photos")
    desk.window("Beartray")
    desk.keys("Return")
    filed = wait_until(lambda: _filed(app), "all were looked at", 60.0)
    app.wait_for_line(f"Watching ~/Pictures/Inbox · {filed} filed today")
    _save(_menu(desk), out / "menu.png")
    after = _windows(desk, _places(app.inbox))
    _save(_side_by_side(before, after), out / "before-after.png")


def _filed(app: RealApp) -> int:
    """How many were filed, once the last one has been looked at; the model leaves some."""
    status = app.status()
    still = status["existing"] or status["pending"] or status["state"] != "watching"
    return 0 if still else int(status["filed_today"])


def _places(inbox: Path) -> list[tuple[Path, Place]]:
    """The class folders, one below the other."""
    folders = sorted(path for path in inbox.iterdir() if path.is_dir())
    height = (AFTER_HEIGHT - GAP * (len(folders) - 1)) // len(folders)
    return [
        (folder, (LEFT, TOP + number * (height + GAP), WIDTH, height))
        for number, folder in enumerate(folders)
    ]


def _windows(desk: Desk, places: list[tuple[Path, Place]]) -> Image.Image:
    """Each folder in a file manager window."""
    _paint_wall(desk, PAPER)
    for folder, (x, y, width, height) in places:
        desk.run("thunar", str(folder))
        window = desk.window(f"^{folder.name}")
        desk.run("xdotool", "windowsize", "--sync", window, str(width - 4), str(height - 26))
        desk.run("xdotool", "windowmove", window, str(x), str(y))
    desk.point(1000, 590)
    seen = _still(desk)
    for folder, _ in places:
        for window in desk.windows(f"^{folder.name}"):
            desk.run("xdotool", "windowclose", window)
    bottom = max(y + height for _, (_, y, _, height) in places)
    return seen.crop((LEFT, TOP, LEFT + WIDTH, bottom))


def _paint_wall(desk: Desk, colour: str) -> None:
    desk.run("display", "-window", "root", f"xc:{colour}")


def _still(desk: Desk) -> Image.Image:
    """The screen, once nothing has changed on it for a second."""
    last = desk.look()

    def unchanged() -> Image.Image | None:
        nonlocal last
        desk.run("sleep", "1")
        before, last = last, desk.look()
        return last if last.tobytes() == before.tobytes() else None

    seen = wait_until(unchanged, "the screen stood still", 30.0)
    assert seen is not None
    return seen


def _menu(desk: Desk) -> Image.Image:
    _paint_wall(desk, WALL)
    desk.wait_for_notices(1)
    desk.dunst("close-all")
    desk.wait_for_notices(0)
    desk.open_menu()
    lines = [line for line in desk.menu() if line.enabled and not line.separator]
    recent = next(number for number, line in enumerate(lines) if line.label == "Recent")
    desk.keys(*["Down"] * (recent + 1), "Right")
    seen = _still(desk)
    desk.keys("Escape", "Escape")
    wall = Image.new("RGB", seen.size, WALL)
    left, _, _, bottom = ImageOps.grayscale(_difference(seen, wall)).getbbox() or (0, 0, 0, 0)
    return seen.crop((max(0, left - 24), 0, seen.width, min(seen.height, bottom + 24)))


def _difference(seen: Image.Image, wall: Image.Image) -> Image.Image:
    below = ImageChops.difference(seen, wall)
    below.paste((0, 0, 0), (0, 0, seen.width, 33))  # the panel is as wide as the screen
    return below


def _side_by_side(before: Image.Image, after: Image.Image) -> Image.Image:
    between, edge = 56, 12
    height = max(before.height, after.height) + 2 * edge
    whole = Image.new("RGB", (before.width + between + after.width + 2 * edge, height), PAPER)
    whole.paste(before, (edge, (height - before.height) // 2))
    whole.paste(after, (edge + before.width + between, (height - after.height) // 2))
    middle, x = height // 2, edge + before.width + 11
    pencil = ImageDraw.Draw(whole)
    pencil.rectangle((x, middle - 4, x + 18, middle + 4), fill=INK)
    pencil.polygon([(x + 16, middle - 14), (x + 34, middle), (x + 16, middle + 14)], fill=INK)
    return whole


def _save(image: Image.Image, path: Path) -> None:
    image.quantize(256, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


if __name__ == "__main__":
    main()
