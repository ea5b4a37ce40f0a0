// Which photos are selected, by mouse or keys, and the bar that says so.

import { boxOf, current, firstInView, grid, setCurrent, tiles } from "/static/tiles.js";

export const bar = document.getElementById("bar");
let lastPicked = null;

export const picked = () => tiles().filter((tile) => boxOf(tile).checked);

/** All from one tile to the other. */
export function pick(one, other, on) {
  const all = tiles(), [first, last] = [all.indexOf(one), all.indexOf(other)].sort((a, b) => a - b);
  for (const tile of all.slice(first, last + 1)) boxOf(tile).checked = on;
}

export function showBar() {
  const count = picked().length;
  const hadFocus = bar.contains(document.activeElement);
  bar.hidden = count === 0;
  if (bar.hidden && hadFocus) setCurrent(current, true);
  grid.classList.toggle("picking", count > 0);
  document.getElementById("picked").textContent = `${count} selected`;
}

export function clear() {
  for (const tile of picked()) boxOf(tile).checked = false;
  showBar();
}

/** After tiles came or went. */
export function settle() {
  if (!current?.isConnected) setCurrent(firstInView());
  document.getElementById("empty").hidden = grid.children.length > 0;
  showBar();
}

grid.addEventListener("click", (event) => {
  if (event.target.type !== "checkbox") return;
  const tile = event.target.closest(".tile");
  if (event.shiftKey && lastPicked?.isConnected) pick(lastPicked, tile, event.target.checked);
  lastPicked = tile;
  setCurrent(tile);
  showBar();
});
