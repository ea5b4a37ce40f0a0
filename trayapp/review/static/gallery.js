// The gallery: scrolls for ever with a bounded number of tiles, follows what is filed, takes keys.

import { isTyping, post, say } from "/static/review.js";

const MOST = 600; // tiles in the page at once
const grid = document.getElementById("grid");
const bar = document.getElementById("bar");
const fresh = document.getElementById("new");
const labels = JSON.parse(grid.dataset.labels);
let cut = false; // whether newer tiles than the first one were dropped
let loading = false;
let current = null;

sessionStorage.setItem("gallery", location.search);
setCurrent(grid.firstElementChild);

const tiles = () => [...grid.children];
const boxOf = (tile) => tile.querySelector("input");
const picked = () => tiles().filter((tile) => boxOf(tile).checked);
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

async function more() {
  const last = grid.lastElementChild;
  if (loading || !last?.dataset.more) return;
  loading = true;
  try {
    const found = await fetchTiles(last.dataset.more);
    last.dataset.more = "";
    const known = new Set(tiles().map((tile) => tile.dataset.id));
    grid.append(...found.filter((tile) => !known.has(tile.dataset.id)));
    dropNewest();
  } catch (error) {
    say(error.message);
  }
  loading = false;
  if (document.getElementById("end").getBoundingClientRect().top < innerHeight + 800) more();
}

/** Whole rows go from the top, so that the others stay in their columns and the view in its place. */
function dropNewest() {
  const rows = Math.floor((grid.children.length - MOST) / columns());
  if (rows <= 0) return;
  const anchor = grid.lastElementChild;
  const before = anchor.offsetTop;
  for (const tile of tiles().slice(0, rows * columns())) if (tile !== current) tile.remove();
  scrollBy(0, anchor.offsetTop - before);
  cut = true;
  fresh.textContent = "Back to the newest";
  fresh.hidden = false;
}

function dropOldest() {
  while (grid.children.length > MOST) grid.lastElementChild.remove();
  const last = grid.lastElementChild;
  if (last && grid.children.length === MOST) last.dataset.more = last.dataset.cursor;
}

new IntersectionObserver((entries) => { if (entries[0].isIntersecting) more(); }, { rootMargin: "800px" })
  .observe(document.getElementById("end"));

// What is new

let following = false;
let again = false;

async function follow() {
  if (following) { again = true; return; }
  following = true;
  try {
    await dropGone();
    if (cut || scrollY > 400) {
      if (!cut && await isNews()) {
        fresh.textContent = "New photos – show them";
        fresh.hidden = false;
      }
    } else {
      await bringTop();
    }
  } catch { /* the banner says that nobody answers */ }
  following = false;
  if (again) { again = false; follow(); }
}

async function isNews() {
  const [newest] = await fetchTiles("");
  return newest && !document.getElementById(newest.id);
}

async function bringTop() {
  const found = await fetchTiles("");
  const missing = found.filter((tile) => !document.getElementById(tile.id));
  if (missing.length === found.length) {
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
  if (!grid.contains(document.activeElement) && !picked().length) setCurrent(grid.firstElementChild);
  settle();
}

/** Those that were taken back or put right elsewhere. */
async function dropGone() {
  const ids = tiles().slice(0, 500).map((tile) => Number(tile.dataset.id));
  if (!ids.length) return;
  const listed = new Set((await post("/listed", { ids })).listed);
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
  if (!current?.isConnected) setCurrent(grid.firstElementChild);
  document.getElementById("empty").hidden = grid.children.length > 0;
  showBar();
}

window.addEventListener("news", follow);
fresh.addEventListener("click", async () => {
  fresh.hidden = true;
  cut = false;
  try {
    grid.replaceChildren(...await fetchTiles(""));
  } catch (error) { say(error.message); }
  setCurrent(grid.firstElementChild);
  scrollTo(0, 0);
  settle();
});

// Choosing and putting right

function setCurrent(tile, focus = false) {
  current?.querySelector("a")?.setAttribute("tabindex", "-1");
  current = tile ?? null;
  const link = current?.querySelector("a");
  link?.setAttribute("tabindex", "0");
  if (focus && link) {
    link.focus();
    current.scrollIntoView({ block: "nearest" });
  }
}

function showBar() {
  const count = picked().length;
  bar.hidden = count === 0;
  grid.classList.toggle("picking", count > 0);
  document.getElementById("picked").textContent = `${count} selected`;
}

async function act(address, body, words) {
  const chosen = picked().length ? picked() : [current].filter(Boolean);
  if (!chosen.length) return;
  const ids = chosen.map((tile) => Number(tile.dataset.id));
  try {
    const { done, refused } = await post(address, { ids, ...body });
    for (const { old, new: now, html } of done) replace(old, now, html);
    const count = done.length === 1 ? "1 photo" : `${done.length} photos`;
    const bad = refused.length > 1 ? `${refused[0]} (and ${refused.length - 1} more)` : refused[0];
    say([done.length ? `${count} ${words}.` : "", bad ?? ""].join(" ").trim());
  } catch (error) {
    say(error.message);
  }
  settle();
}

function replace(old, now, html) {
  const before = document.getElementById(`tile-${old}`);
  const [after] = html ? parse(html) : [];
  if (!before) return;
  if (!after) { remove(before); return; }
  document.getElementById(`tile-${now}`)?.remove();
  after.dataset.more = before.dataset.more ?? "";
  const hadFocus = before.contains(document.activeElement) || document.activeElement === document.body;
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
  else if (button.dataset.none !== undefined) correct(null);
  else if (button.dataset.undo !== undefined) undo();
  else { clear(); setCurrent(current, true); }
});
grid.addEventListener("change", (event) => { setCurrent(event.target.closest(".tile")); showBar(); });
grid.addEventListener("focusin", (event) => setCurrent(event.target.closest(".tile")));
grid.addEventListener("error", (event) => event.target.closest(".tile")?.classList.add("lost"), true);

// Keys

const help = document.getElementById("help");
document.getElementById("help-button").addEventListener("click", () => help.showModal());

const steps = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -columns(), ArrowDown: columns };

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const key = event.key;
  if (key in steps && current) {
    const all = tiles(), from = all.indexOf(current);
    const focused = grid.contains(document.activeElement);
    const to = focused ? all[from + steps[key]()] : current;
    if (to) {
      if (event.shiftKey) for (const tile of [current, to]) boxOf(tile).checked = true;
      setCurrent(to, true);
      showBar();
    }
  } else if (key === " " && grid.contains(document.activeElement) && event.target.type !== "checkbox") {
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

// Filters take effect as they are chosen.
document.querySelector(".filters").addEventListener("change", (event) => {
  const form = event.currentTarget;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  location.assign(`/${query.size ? `?${query}` : ""}`);
});
