// The gallery: scrolls for ever with a bounded number of tiles, follows what is filed, takes keys.

import { isTyping, post, say } from "/static/review.js";

const MOST = 600; // tiles in the page at once
const grid = document.getElementById("grid");
const bar = document.getElementById("bar");
const fresh = document.getElementById("new");
const labels = JSON.parse(grid.dataset.labels);
let above = ""; // the cursor before the first tile, where newer ones were dropped
let loading = null;
let current = null;
let lastPicked = null;

const tiles = () => [...grid.children];
const boxOf = (tile) => tile.querySelector("input");
const picked = () => tiles().filter((tile) => boxOf(tile).checked);
const isFocused = () => grid.contains(document.activeElement);
const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // our own server's, with every name escaped
  return [...template.content.querySelectorAll("li.tile")];
}

async function fetchTiles(after) {
  const query = new URLSearchParams(grid.dataset.query);
  if (after) query.set("after", after);
  const answer = await fetch(`/tiles?${query}`);
  if (!answer.ok) throw new Error("The photos cannot be fetched just now.");
  return parse(await answer.text());
}

// Scrolling

/** Fetches on until the view is full; whoever asks meanwhile waits for the same. */
function more() {
  loading ??= load().then((found) => {
    loading = null;
    if (found) moreIfNear();
    return found;
  });
  return loading;
}

async function load() {
  const last = grid.lastElementChild;
  if (!last?.dataset.more) return false;
  try {
    const found = await fetchTiles(last.dataset.more);
    if (last !== grid.lastElementChild) return true; // others are shown by now
    last.dataset.more = "";
    const known = new Set(tiles().map((tile) => tile.dataset.id));
    grid.append(...found.filter((tile) => !known.has(tile.dataset.id)));
    dropNewest();
    return true;
  } catch (error) {
    say(error.message);
    return false;
  }
}

/** Whole rows go from the top, so that the others stay in their columns and the view in its place. */
function dropNewest() {
  const rows = Math.floor((grid.children.length - MOST) / columns());
  if (rows <= 0 || picked().length) return;
  const anchor = grid.lastElementChild;
  const before = anchor.offsetTop;
  const gone = tiles().slice(0, rows * columns());
  for (const tile of gone) tile.remove();
  scrollBy(0, anchor.offsetTop - before);
  cutAfter(gone.at(-1).dataset.cursor);
}

function cutAfter(cursor) {
  above = cursor;
  fresh.textContent = "Back to the newest";
  fresh.hidden = false;
}

function dropOldest() {
  while (grid.children.length > MOST) grid.lastElementChild.remove();
  const last = grid.lastElementChild;
  if (last && grid.children.length === MOST) last.dataset.more = last.dataset.cursor;
}

/** At every scroll: an observer would miss an end that moves away and comes back within one frame. */
function moreIfNear() {
  if (document.getElementById("end").getBoundingClientRect().top < innerHeight + 800) more();
}
addEventListener("scroll", moreIfNear, { passive: true });
addEventListener("resize", moreIfNear, { passive: true });

// What is new

let turn = Promise.resolve();
let coming = false;

/** What is new must not take away a tile that is being put right: one after the other. */
function inTurn(task) {
  turn = turn.then(task).catch(() => {}); // the banner says that nobody answers
}

function follow() {
  if (coming) return;
  coming = true;
  inTurn(async () => {
    coming = false;
    await dropGone();
    if (!above && scrollY <= 400) {
      await bringTop();
    } else if (!above && await isNews()) {
      fresh.textContent = "New photos – show them";
      fresh.hidden = false;
    }
  });
}

async function isNews() {
  const [newest] = await fetchTiles("");
  return newest && !document.getElementById(newest.id);
}

async function bringTop() {
  const found = await fetchTiles("");
  const missing = found.filter((tile) => !document.getElementById(tile.id));
  if (missing.length === found.length && (isFocused() || picked().length)) {
    fresh.hidden = !found.length; // so many that nothing would stay of what somebody is at
  } else if (missing.length === found.length) {
    grid.replaceChildren(...found);
  } else {
    const first = grid.firstElementChild;
    for (const tile of missing) {
      tile.dataset.more = "";
      tile.classList.add("fresh");
      const older = found.slice(found.indexOf(tile) + 1).map((one) => document.getElementById(one.id)).find(Boolean);
      grid.insertBefore(tile, older ?? first);
    }
  }
  dropOldest();
  if (isFocused()) current.scrollIntoView({ block: "nearest" });
  else if (!picked().length) setCurrent(grid.firstElementChild);
  settle();
}

/** Those that were taken back or put right elsewhere; and how Beartray does. */
async function dropGone() {
  const ids = tiles().slice(0, 500).map((tile) => Number(tile.dataset.id));
  const { listed: still, headline, problem } = await post("/listed", { ids });
  const listed = new Set(still);
  document.getElementById("headline").textContent = headline;
  const banner = document.getElementById("problem");
  if (banner.textContent !== (problem ?? "")) banner.textContent = problem ?? "";
  banner.hidden = !problem;
  for (const id of ids) if (!listed.has(id)) remove(document.getElementById(`tile-${id}`));
  settle();
}

function remove(tile) {
  if (!tile) return;
  const last = tile === grid.lastElementChild, before = tile.previousElementSibling;
  if (last && before && tile.dataset.more) before.dataset.more = tile.dataset.more;
  if (tile === current) {
    const hadFocus = tile.contains(document.activeElement);
    setCurrent(tile.nextElementSibling ?? before, hadFocus);
  }
  tile.remove();
}

function settle() {
  if (!current?.isConnected) setCurrent(firstInView());
  document.getElementById("empty").hidden = grid.children.length > 0;
  showBar();
}

window.addEventListener("news", follow);
fresh.addEventListener("click", async () => {
  try {
    grid.replaceChildren(...await fetchTiles(""));
  } catch (error) {
    say(error.message);
    return;
  }
  above = "";
  fresh.hidden = true;
  setCurrent(grid.firstElementChild, true);
  scrollTo(0, 0);
  settle();
});

// Coming back from a photo

const firstInView = () => tiles().find((tile) => tile.getBoundingClientRect().bottom > 100);

/** Opened by a click or by Enter. */
grid.addEventListener("click", (event) => {
  const tile = event.target.closest("a")?.closest(".tile");
  if (!tile) return;
  const place = { search: location.search, above, count: grid.children.length, id: tile.id, top: scrollY };
  sessionStorage.setItem("place", JSON.stringify(place));
});

async function comeBack() {
  const place = JSON.parse(sessionStorage.getItem("place") ?? "null");
  const [how] = performance.getEntriesByType("navigation");
  const isBack = location.hash === "#back" || how?.type === "back_forward";
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  if (!isBack || place?.search !== location.search) return;
  if (place.above) {
    grid.replaceChildren(...await fetchTiles(place.above));
    cutAfter(place.above);
  }
  while (grid.children.length < place.count && await more());
  scrollTo(0, place.top);
  setCurrent(document.getElementById(place.id) ?? firstInView(), true);
}

// Choosing and putting right

function setCurrent(tile, focus = false) {
  current?.querySelector("a")?.setAttribute("tabindex", "-1");
  current = tile ?? null;
  const link = current?.querySelector("a");
  link?.setAttribute("tabindex", "0");
  if (focus && link) {
    link.focus({ preventScroll: true });
    current.scrollIntoView({ block: "nearest" });
  }
}

/** All from one tile to the other. */
function pick(one, other, on) {
  const all = tiles(), [first, last] = [all.indexOf(one), all.indexOf(other)].sort((a, b) => a - b);
  for (const tile of all.slice(first, last + 1)) boxOf(tile).checked = on;
}

function showBar() {
  const count = picked().length;
  const hadFocus = bar.contains(document.activeElement);
  bar.hidden = count === 0;
  if (bar.hidden && hadFocus) setCurrent(current, true);
  grid.classList.toggle("picking", count > 0);
  document.getElementById("picked").textContent = `${count} selected`;
}

function act(address, body, words) {
  const selection = picked();
  const chosen = selection.length ? selection : isFocused() ? [current] : [];
  if (!chosen.length) {
    say("Choose a photo first: with the arrow keys, or by the box in its corner.");
    return;
  }
  clear(); // what is chosen from now on is not part of this
  const ids = chosen.map((tile) => Number(tile.dataset.id));
  inTurn(() => doIt(address, { ids, ...body }, words, selection));
}

/** Puts right or takes back; of the selection, what was refused is chosen again. */
async function doIt(address, body, words, selection) {
  const left = new Set(selection);
  try {
    const { done, refused } = await post(address, body);
    for (const { old, new: now, html } of done) {
      left.delete(document.getElementById(`tile-${old}`));
      replace(old, now, html);
    }
    const count = done.length === 1 ? "1 photo" : `${done.length} photos`;
    const bad = refused.length > 1 ? `${refused[0]} (and ${refused.length - 1} more)` : refused[0];
    say([done.length ? `${count} ${words}.` : "", bad ?? ""].join(" ").trim());
  } catch (error) {
    say(error.message);
  }
  for (const tile of left) boxOf(tile).checked = true;
  settle();
}

function replace(old, now, html) {
  const before = document.getElementById(`tile-${old}`);
  const [after] = html ? parse(html) : [];
  if (!before) return;
  if (!after) { remove(before); return; }
  document.getElementById(`tile-${now}`)?.remove();
  after.dataset.more = before.dataset.more ?? "";
  boxOf(after).checked = boxOf(before).checked;
  const hadFocus = before.contains(document.activeElement);
  before.replaceWith(after);
  if (before === current) setCurrent(after, hadFocus);
}

const correct = (label) => act("/correct", { label }, label === null ? "put to none of these" : `now filed as ${label}`);
const undo = () => act("/undo", {}, "taken back");
function clear() {
  for (const tile of picked()) boxOf(tile).checked = false;
  showBar();
}

bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.correct !== undefined) correct(button.dataset.correct);
  else if (button.dataset.chosen !== undefined) correct(bar.querySelector("select").value);
  else if (button.dataset.none !== undefined) correct(null);
  else if (button.dataset.undo !== undefined) undo();
  else clear();
});
grid.addEventListener("click", (event) => {
  if (event.target.type !== "checkbox") return;
  const tile = event.target.closest(".tile");
  if (event.shiftKey && lastPicked?.isConnected) pick(lastPicked, tile, event.target.checked);
  lastPicked = tile;
  setCurrent(tile);
  showBar();
});
grid.addEventListener("focusin", (event) => setCurrent(event.target.closest(".tile")));
grid.addEventListener("error", (event) => event.target.closest(".tile")?.classList.add("lost"), true);
for (const image of grid.querySelectorAll("img")) {
  if (image.complete && !image.naturalWidth) image.closest(".tile").classList.add("lost"); // before we listened
}

// Keys

const help = document.getElementById("help");
document.getElementById("help-button").addEventListener("click", () => help.showModal());

const steps = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -columns(), ArrowDown: columns };

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const key = event.key;
  if (key in steps && current) {
    const all = tiles(), from = all.indexOf(current);
    const to = isFocused() ? all[from + steps[key]()] : firstInView();
    if (to) {
      if (event.shiftKey && isFocused()) pick(current, to, true);
      setCurrent(to, true);
      showBar();
    }
  } else if (key === " " && isFocused() && event.target.type !== "checkbox") {
    boxOf(current).checked = !boxOf(current).checked;
    showBar();
  } else if (/^[1-9]$/.test(key) && labels[key - 1] !== undefined) {
    correct(labels[key - 1]);
  } else if (key === "0") {
    correct(null);
  } else if (key.toLowerCase() === "u") {
    undo();
  } else if (key === "Escape") {
    clear();
  } else if (key === "?") {
    help.showModal();
  } else {
    return;
  }
  event.preventDefault();
});

setCurrent(grid.firstElementChild);
moreIfNear();
inTurn(() => comeBack().catch((error) => say(error.message))); // news waits until it is known what is above

// Filters take effect as they are chosen.
document.querySelector(".filters").addEventListener("change", (event) => {
  const form = event.currentTarget;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  location.assign(`/${query.size ? `?${query}` : ""}`);
});
