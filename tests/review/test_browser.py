"""The review page in a real browser, as a person uses it; what that does to disk and journal."""

from __future__ import annotations

import base64
import http.server
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.helpers import SLOWNESS, names, picture, skip, wait_until
from tests.program import ROOT, Program

pytestmark = pytest.mark.browser

SHOTS = ROOT / "test-output"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE_MS = 20_000 * SLOWNESS  # until a photo is filed and shown
PHONE = {"width": 375, "height": 720}
DESK = {"width": 1280, "height": 860}
COLOURS = {"grizzly": (0xC0, 0, 30), "teddy": (20, 20, 0xD0), "none": (70, 70, 70)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        skip(f"needs one of {', '.join(PROGRAMS)}")
    root = hasattr(os, "geteuid") and os.geteuid() == 0  # whom Chromium's sandbox refuses
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox"] if root else []
        )
        yield found
        found.close()


class Visit:
    """A browser's window on the page of a running Beartray, and the folder that this watches."""

    def __init__(self, browser: Browser, program: Program, inbox: Path) -> None:
        self.program, self.inbox = program, inbox
        self.context = browser.new_context(viewport=DESK, reduced_motion="reduce")  # type: ignore[arg-type]
        self.page: Page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(program.command("review", "--print").strip())
        self.base = self.page.url

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def drop(self, name: str, label: str = "grizzly") -> None:
        picture(self.inbox / name, (640, 480), COLOURS[label])

    def tile(self, name: str) -> Any:
        return self.page.locator(".tile", has=self.page.get_by_text(name, exact=True))

    def see(self, name: str, words: str) -> None:
        """The tile, with its picture: one that is fetched while the photo moves on is not found."""
        expect(self.tile(name)).to_contain_text(words, timeout=PATIENCE_MS)
        image = self.tile(name).locator("img")
        expect(image).not_to_have_js_property("naturalWidth", 0, timeout=PATIENCE_MS)

    def see_all(self) -> None:
        """The picture of each tile; see `see`."""
        for image in self.page.locator(".tile img").all():
            expect(image).not_to_have_js_property("naturalWidth", 0, timeout=PATIENCE_MS)

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def shoot(self, name: str) -> None:
        SHOTS.mkdir(exist_ok=True)
        self.page.wait_for_function(
            "[...document.images].every((i) => i.complete || i.loading === 'lazy')"
        )
        (SHOTS / f"review-{name}.png").write_bytes(self.page.screenshot())


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path / "home")


@pytest.fixture
def visit(browser: Browser, program: Program, inbox: Path) -> Iterator[Visit]:
    with visiting(browser, program, inbox) as found:
        yield found
        assert found.complaints == []


@contextmanager
def visiting(browser: Browser, program: Program, inbox: Path) -> Iterator[Visit]:
    with program.running(inbox):
        found = Visit(browser, program, inbox)
        try:
            yield found
        finally:
            found.context.close()


def test_photos_appear_are_put_right_and_taken_back(visit: Visit) -> None:
    page, inbox = visit.page, visit.inbox
    expect(page.get_by_text("Nothing has been filed yet")).to_be_visible()
    for name, label in [("one.jpg", "grizzly"), ("two.jpg", "teddy"), ("desk.jpg", "none")]:
        visit.drop(name, label)
    said = {"one.jpg": "grizzly", "two.jpg": "teddy", "desk.jpg": "Not recognised"}
    for name, words in said.items():  # nobody reloads the page
        visit.see(name, words)
    expect(page.locator("h1")).to_contain_text("2 filed today")
    page.keyboard.press("3")
    expect(page.get_by_role("status")).to_contain_text("Choose a photo first")
    visit.tile("one.jpg").locator("a").focus()
    page.keyboard.press("3")  # black, grizzly, teddy
    visit.see("one.jpg", "you said")
    assert names(inbox) == {"teddy/one.jpg", "teddy/two.jpg", "desk.jpg"}
    first = visit.program.rows("history")[0]
    assert (first["label"], first["confidence"], first["state"]) == ("teddy", None, "done")
    page.keyboard.press("u")
    visit.see("one.jpg", "grizzly")
    assert names(inbox) == {"grizzly/one.jpg", "teddy/two.jpg", "desk.jpg"}
    page.keyboard.press("u")
    expect(visit.tile("one.jpg")).to_have_count(0)
    assert names(inbox) == {"one.jpg", "teddy/two.jpg", "desk.jpg"}
    assert {row["state"] for row in visit.program.rows("history") if "one" in row["path"]} == {
        "undone"
    }
    visit.program.command("undo", "--last", "1")  # from elsewhere: the page follows
    expect(visit.tile("two.jpg")).to_have_count(0, timeout=PATIENCE_MS)


@pytest.mark.parametrize("late", ["events", "static/following.js"])
def test_what_happened_before_the_page_listened_is_shown_too(visit: Visit, late: str) -> None:
    """A photo that is filed after the page was made and before all of it is at work."""
    visit.page.goto("about:blank")

    def open_late(route: Any) -> None:
        visit.drop("a.jpg")
        wait_until(lambda: names(visit.inbox) == {"grizzly/a.jpg"}, 20, "it is filed meanwhile")
        wait_until(lambda: visit.program.rows("history")[0]["state"] == "done", 20, "and known")
        route.continue_()

    visit.page.route(f"**/{late}", open_late)
    visit.page.goto(visit.base)
    expect(visit.tile("a.jpg")).to_be_visible(timeout=PATIENCE_MS)


def test_the_newest_comes_first_whatever_was_put_right(visit: Visit) -> None:
    page, first = visit.page, visit.page.locator(".tile").first
    for name in ("one.jpg", "two.jpg", "three.jpg"):
        visit.drop(name)
        expect(first).to_contain_text(name, timeout=PATIENCE_MS)
    visit.tile("one.jpg").locator("a").focus()
    page.keyboard.press("3")
    expect(page.locator(".tile").last).to_contain_text("you said")  # it stays in its place
    visit.drop("four.jpg")
    expect(first).to_contain_text("four.jpg", timeout=PATIENCE_MS)


def test_what_is_new_waits_until_the_pictures_before_it_were_seen(visit: Visit) -> None:
    page, held = visit.page, list[Any]()
    page.route("**/thumb/*", lambda route: held.append(route))  # the engine is at a long backlog
    visit.drop("a.jpg")
    expect(visit.tile("a.jpg")).to_be_visible(timeout=PATIENCE_MS)
    visit.drop("b.jpg")
    wait_until(lambda: len(visit.program.rows("history")) == 2, 20, "it is filed")
    page.wait_for_timeout(1000)
    expect(visit.tile("b.jpg")).to_have_count(0)
    held.pop().continue_()
    expect(visit.tile("b.jpg")).to_be_visible()


def test_several_are_selected_and_one_is_looked_at(visit: Visit) -> None:
    page, inbox = visit.page, visit.inbox
    for number in range(4):
        visit.drop(f"{number}.jpg")
    expect(page.locator(".tile")).to_have_count(4, timeout=PATIENCE_MS)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("2 selected")).to_be_visible()
    visit.shoot("selection")
    page.get_by_role("button", name="None of these").click()
    expect(page.locator(".tile", has_text="None of these")).to_have_count(2)
    expect(page.locator(".tile", has_text="None of these").last.locator("a")).to_be_focused()
    assert len([name for name in names(inbox) if "/" not in name]) == 2
    page.keyboard.press("Escape")
    expect(page.get_by_text("selected")).to_be_hidden()
    grizzly = page.locator(".tile", has_text="grizzly").first
    grizzly.locator("a").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="grizzly")).to_be_visible()
    expect(page.locator("meter")).to_have_count(3)
    expect(page.get_by_text(str(inbox / "grizzly"))).to_be_visible()
    page.get_by_role("button", name="This is a teddy").click()
    expect(page.get_by_role("heading", name="teddy")).to_be_visible()
    assert len([name for name in names(inbox) if name.startswith("teddy/")]) == 1
    expect(page.get_by_role("heading", name="teddy")).to_be_focused()
    expect(page.get_by_role("status")).to_have_text("Now filed as teddy.")
    expect(page.get_by_text("as you said")).to_be_visible()
    visit.shoot("photo")
    page.keyboard.press("u")
    expect(page.get_by_role("heading", name="grizzly")).to_be_visible()
    assert not [name for name in names(inbox) if name.startswith("teddy/")]
    expect(page.get_by_role("status")).to_have_text("Taken back.")
    page.keyboard.press("Escape")
    expect(page.locator(".tile", has_text="grizzly").first.locator("a")).to_be_focused()


def test_what_was_put_right_at_once_is_taken_back_at_once(visit: Visit) -> None:
    page = visit.page
    for number in range(4):
        visit.drop(f"{number}.jpg")
    expect(page.locator(".tile")).to_have_count(4, timeout=PATIENCE_MS)
    visit.see_all()
    right, said = page.locator(".tile", has_text="you said"), page.get_by_role("status")
    page.locator(".tile a").first.focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("3")
    expect(said).to_have_text("3 photos now filed as teddy.")
    visit.see_all()
    page.keyboard.press("u")
    expect(said).to_have_text("3 photos taken back.")
    expect(right).to_have_count(0)
    visit.see_all()
    assert {row["state"] for row in visit.program.rows("history", "-n", "3")} == {"undone"}
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("3")
    expect(said).to_have_text("2 photos now filed as teddy.")
    visit.see_all()
    page.keyboard.press("ArrowRight")  # on to another one, which alone is meant from now on
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    expect(said).to_have_text("1 photo taken back.")
    expect(right).to_have_count(1)
    visit.see_all()


def test_what_is_chosen_meanwhile_stays_chosen(visit: Visit) -> None:
    """Putting right takes a moment, on a slow disk a long one."""
    page = visit.page
    for number in range(3):
        visit.drop(f"{number}.jpg")
    expect(page.locator(".tile")).to_have_count(3, timeout=PATIENCE_MS)
    held: list[Any] = []
    page.route("**/correct", lambda route: held.append(route))

    def asked() -> Any:
        deadline = time.monotonic() + 10
        while not held and time.monotonic() < deadline:
            page.wait_for_timeout(20)  # lets the browser speak
        return held.pop()

    page.locator(".tile a").first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("3")
    expect(page.get_by_text("selected")).to_be_hidden()
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("2 selected")).to_be_visible()
    asked().continue_()
    expect(page.locator(".tile").first).to_contain_text("you said")
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.keyboard.press("1")
    asked().fulfill(json={"done": [], "refused": ["not this one"]})
    expect(page.get_by_role("status")).to_have_text("not this one")
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.unroute("**/correct")


DROP = """
([name, type, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  if (name) data.items.add(new File([bytes], name, { type }));
  document.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true }));
}
"""


def test_a_picture_is_dropped_and_only_looked_at(visit: Visit, tmp_path: Path) -> None:
    visit.go("what")
    content = picture(tmp_path / "mine.png", colour=COLOURS["teddy"]).read_bytes()
    expect(visit.page.get_by_role("heading", name="What is this?")).to_be_visible()
    visit.page.wait_for_function(
        "performance.getEntriesByName(location.origin + '/static/what.js')[0]"
    )
    visit.page.evaluate(DROP, ["mine.png", "image/png", base64.b64encode(content).decode()])
    answer = visit.page.locator("#answers li").first
    expect(answer.get_by_role("heading")).to_contain_text("teddy", timeout=PATIENCE_MS)
    expect(answer.locator("meter")).to_have_count(3)
    torn = b"\xff\xd8\xffnot much of a photo"
    visit.page.set_input_files(
        "#choose", {"name": "torn.jpg", "mimeType": "image/jpeg", "buffer": torn}
    )
    expect(visit.page.locator("#answers li").first).to_contain_text(
        "cut short", timeout=PATIENCE_MS
    )
    visit.shoot("what")
    visit.page.evaluate(DROP, ["", "", ""])  # such as a link
    expect(visit.page.locator("#say")).to_contain_text("no picture in that")
    assert names(visit.inbox) == set() and visit.program.rows("history") == []
    assert names(visit.program.home / "private" / "review") == set()
    visit.program.command("quit")
    visit.page.evaluate(DROP, ["mine.png", "image/png", ""])
    expect(visit.page.locator("#answers li").first).to_contain_text("does not answer")
    visit.complaints.clear()  # Chromium notes who does not answer


def test_settings_take_effect_and_say_what_is_wrong(visit: Visit) -> None:
    visit.go("settings")
    visit.page.get_by_label("Copy into folders").check()
    expect(visit.page.get_by_text("Done.")).to_be_visible()
    wait_until(lambda: visit.program.status()["action"] == "copy", 10, "it is in force")
    refusal = {"status": 409, "json": {"error": "not now"}}
    visit.page.route("**/set", lambda route: route.fulfill(**refusal), times=1)
    visit.page.get_by_label("Tag where they are").check(force=True, no_wait_after=True)
    expect(visit.page.get_by_text("not now")).to_be_visible()
    expect(visit.page.get_by_label("Copy into folders")).to_be_checked()
    visit.page.get_by_label("Watched folder").fill("/not/there")
    visit.page.get_by_role("button", name="Change").click()
    expect(visit.page.get_by_text("is not a folder that is there")).to_be_visible()
    visit.shoot("settings")
    visit.complaints.clear()  # Chromium notes each refusal


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_use_it(visit: Visit, scheme: Any) -> None:
    """axe-core finds nothing; nothing is cut off at 200 % nor on a phone; keys are enough."""
    page = visit.page
    page.emulate_media(color_scheme=scheme)
    for number, label in enumerate(["grizzly", "teddy", "none"]):
        visit.drop(f"a rather long name of a photo, number {number}.jpg", label)
    expect(page.locator(".tile")).to_have_count(3, timeout=PATIENCE_MS)
    page.locator(".tile a").first.focus()
    page.keyboard.press("1")
    expect(page.locator(".said")).to_have_count(1)
    id_ = page.locator(".tile").first.get_attribute("data-id")
    pages = {"gallery": "", "photo": f"photo/{id_}", "no-photo": "photo/99999"}
    for name, path in (pages | {page: page for page in ("what", "overview", "settings")}).items():
        visit.go(path)
        if not path:
            page.get_by_label("Select a rather").first.check(force=True)
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        visit.shoot(f"{name}-{scheme}")
        # 200 % of a window of 1,280 px is one of 640 px; a phone's has 375.
        for width in (640, PHONE["width"]):
            page.set_viewport_size({"width": width, "height": PHONE["height"]})
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width, wide)
        visit.shoot(f"{name}-phone-{scheme}")
        if not path:
            page.keyboard.press("?")
            expect(page.get_by_role("dialog")).to_be_visible()
        assert Axe().run(page).violations_count == 0
        page.set_viewport_size(DESK)  # type: ignore[arg-type]
    visit.complaints.clear()  # the photo that is not there


def test_the_keyboard_alone_is_enough(visit: Visit) -> None:
    page = visit.page
    for number in range(3):
        visit.drop(f"{number}.jpg")
    expect(page.locator(".tile")).to_have_count(3, timeout=PATIENCE_MS)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    stops = []
    for _ in range(20):  # every stop is to be seen
        page.keyboard.press("Tab")
        stops.append(page.evaluate("document.activeElement.closest('.tile') ? 'tile' : 'other'"))
        if stops[-1] == "tile":
            break
        where = page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", where
    assert stops[-1] == "tile"
    page.keyboard.press("End")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(page.get_by_text("1 selected")).to_be_visible()
    assert page.evaluate("document.activeElement.closest('.tile').previousElementSibling !== null")
    page.keyboard.press("3")
    expect(page.locator(".said")).to_have_count(1)
    assert len(list((visit.inbox / "teddy").glob("*"))) == 1
    page.keyboard.press("Shift+ArrowRight")
    expect(page.get_by_text("2 selected")).to_be_visible()
    seed(visit.program, visit.inbox, 61, since=time.time())  # more than a page at once
    expect(page.get_by_role("button", name="New photos")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_text("2 selected")).to_be_visible()


def seed(program: Program, inbox: Path, count: int, since: float = 1.7e9) -> None:
    """A journal of `count` photos that are all one file on the disk, one a second."""
    program.command("history")
    (inbox / "grizzly").mkdir(exist_ok=True)
    photo = picture(inbox / "grizzly" / "all.jpg")
    db = sqlite3.connect(program.home / "journal.sqlite")
    db.executemany(
        "INSERT INTO entries (time, batch, action, path, destination, label, confidence, state,"
        " owner, model, scores) VALUES (?, 1, 'move', ?, ?, 'grizzly', 0.95, 'done', '', 'bears',"
        " '{}')",
        [
            (since + number, os.fsencode(inbox / f"{number}.jpg"), os.fsencode(photo))
            for number in range(count)
        ],
    )
    db.commit()
    db.close()


def take_back(program: Program, last: int) -> None:
    """All photos that were filed after the `last` one, by another program."""
    with closing(sqlite3.connect(program.home / "journal.sqlite")) as db, db:
        db.execute("UPDATE entries SET state = 'undone' WHERE id > ?", (last,))


def test_two_thousand_photos_are_scrolled_through(
    browser: Browser, program: Program, inbox: Path
) -> None:
    seed(program, inbox, 2000)
    with visiting(browser, program, inbox) as visit:
        page, seen, most = visit.page, set[str](), 0
        collect = "[...document.querySelectorAll('.tile')].map((tile) => tile.dataset.id)"

        def at_the_end() -> bool:
            nonlocal most
            ids = page.evaluate(collect)
            seen.update(ids)
            most = max(most, len(ids))
            page.mouse.wheel(0, 2500)
            return len(seen) == 2000

        wait_until(at_the_end, 90, "all were seen")
        assert most <= 700
        page.locator("#tile-300 a").focus()
        for back in (lambda: page.keyboard.press("Escape"), page.go_back):
            page.keyboard.press("Enter")
            link = page.get_by_role("link", name="All photos")
            expect(link).to_have_attribute("href", "/#back")  # its script is at work
            back()
            expect(page.locator("#tile-300 a")).to_be_focused()
            expect(page.locator("#tile-300")).to_be_in_viewport()
        page.get_by_role("button", name="Back to the newest").click()
        expect(page.locator("#tile-2000 a")).to_be_focused()
        take_back(program, 1990)  # older ones are not what is new
        expect(page.locator("#tile-1991")).to_have_count(0, timeout=PATIENCE_MS)
        expect(page.locator(".tile").first).to_have_attribute("data-id", "1990")
        assert visit.complaints == []
        program.command("quit")
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
        page.mouse.wheel(0, 9_000)
        expect(page.get_by_role("status")).to_contain_text("does not answer")


ATTACK = Path(__file__).with_name("attack.js")


def test_another_page_in_the_same_browser_gets_nowhere(visit: Visit, tmp_path: Path) -> None:
    """One of another program on this machine: the same site, with the cookie in the same jar."""
    visit.drop("a.jpg")
    expect(visit.page.locator(".tile")).to_have_count(1, timeout=PATIENCE_MS)
    with _other_server(tmp_path) as address:
        page = visit.context.new_page()
        page.goto(address)
        tried = page.evaluate(ATTACK.read_text(), visit.base)
    assert tried.pop("frame") == "closed"
    assert tried.pop("blind") in (0, "refused")  # sent without a sight of the answer
    assert tried == dict.fromkeys(("fetch", "json", "image", "script", "events"), "refused")
    assert names(visit.inbox) == {"grizzly/a.jpg"}
    assert [row["state"] for row in visit.program.rows("history")] == ["done"]


@contextmanager
def _other_server(folder: Path) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!doctype html><title>another</title>")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
