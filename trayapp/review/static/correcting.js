// Puts the selected photos right, or takes back; the keys and buttons for it.

import { inTurn } from "/static/following.js";
import { isTyping, post, say } from "/static/review.js";
import { bar, clear, pick, picked, settle, showBar } from "/static/selection.js";
import { boxOf, columns, current, firstInView, grid, isFocused, parse, remove, setCurrent, tiles } from "/static/tiles.js";

const labels = JSON.parse(grid.dataset.labels);
let together = []; // the ids of a selection just put right: Undo takes all of it back

const isTogether = () => together.length > 0 && !picked().length;
const chosen = () => picked().length ? picked() : isFocused() ? [current] : [];

function act(address, body, words, meant = chosen()) {
  if (!meant.length) {
    say("Choose a photo first: with the arrow keys, or by the box in its corner.");
    return;
  }
  const isSelection = picked().length > 0 || isTogether();
  clear(); // what is chosen from now on is not part of this
  together = [];
  const ids = meant.map((tile) => Number(tile.dataset.id));
  inTurn(() => doIt(address, { ids, ...body }, words, isSelection ? meant : [], together));
}

/** Puts right or takes back; of the selection, what was refused is chosen again. */
async function doIt(address, body, words, selection, made) {
  const left = new Set(selection);
  try {
    const { done, refused } = await post(address, body);
    if (selection.length && address === "/correct") made.push(...done.map(({ new: now }) => now));
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
  after.dataset.cursor = before.dataset.cursor; // it stays in its place
  boxOf(after).checked = boxOf(before).checked;
  const hadFocus = before.contains(document.activeElement);
  before.replaceWith(after);
  if (before === current) setCurrent(after, hadFocus);
}

const correct = (label) => act("/correct", { label }, label === null ? "put to none of these" : `now filed as ${label}`);

function undo() {
  const last = isTogether() ? together.map((id) => document.getElementById(`tile-${id}`)) : [];
  const there = last.filter((tile) => tile !== null);
  act("/undo", {}, "taken back", there.length ? there : chosen());
}

const forget = () => { together = []; }; // the person has gone on to another photo
grid.addEventListener("change", forget);

bar.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.correct !== undefined) correct(button.dataset.correct);
  else if (button.dataset.chosen !== undefined) correct(bar.querySelector("select").value);
  else if (button.dataset.none !== undefined) correct(null);
  else if (button.dataset.undo !== undefined) undo();
  else clear();
});

// Keys

const help = document.getElementById("help");
document.getElementById("help-button").addEventListener("click", () => help.showModal());

const steps = { ArrowLeft: () => -1, ArrowRight: () => 1, ArrowUp: () => -columns(), ArrowDown: columns };

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const key = event.key;
  if (key in steps && current) {
    forget();
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
    forget();
    clear();
  } else if (key === "?") {
    help.showModal();
  } else {
    return;
  }
  event.preventDefault();
});
