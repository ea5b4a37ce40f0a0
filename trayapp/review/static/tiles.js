// The gallery's tiles: those in the page, the one that the keys are at, and more from the server.

import { request } from "/static/review.js";

export const grid = document.getElementById("grid");
/** Where the arrow keys are; a tile or null. */
export let current = null;

export const tiles = () => [...grid.children];
export const boxOf = (tile) => tile.querySelector("input");
export const isFocused = () => grid.contains(document.activeElement);
export const columns = () => getComputedStyle(grid).gridTemplateColumns.split(" ").length;
export const firstInView = () => tiles().find((tile) => tile.getBoundingClientRect().bottom > 100);

export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // our own server's, with every name escaped
  return [...template.content.querySelectorAll("li.tile")];
}

/** The next page of them, or with no cursor the newest. */
export async function fetchTiles(after) {
  const query = new URLSearchParams(grid.dataset.query);
  if (after) query.set("after", after);
  const answer = await request(`/tiles?${query}`);
  if (!answer.ok) throw new Error("The photos cannot be fetched just now.");
  return parse(await answer.text());
}

export function setCurrent(tile, focus = false) {
  current?.querySelector("a")?.setAttribute("tabindex", "-1");
  current = tile ?? null;
  const link = current?.querySelector("a");
  link?.setAttribute("tabindex", "0");
  if (focus && link) {
    link.focus({ preventScroll: true });
    current.scrollIntoView({ block: "nearest" });
  }
}

/** The keys go on beside it, and scrolling from the tile before. */
export function remove(tile) {
  if (!tile) return;
  const last = tile === grid.lastElementChild, before = tile.previousElementSibling;
  if (last && before && tile.dataset.more) before.dataset.more = tile.dataset.more;
  if (tile === current) {
    const hadFocus = tile.contains(document.activeElement);
    setCurrent(tile.nextElementSibling ?? before, hadFocus);
  }
  tile.remove();
}

grid.addEventListener("focusin", (event) => setCurrent(event.target.closest(".tile")));
grid.addEventListener("error", (event) => event.target.closest(".tile")?.classList.add("lost"), true);
for (const image of grid.querySelectorAll("img")) {
  if (image.complete && !image.naturalWidth) image.closest(".tile").classList.add("lost"); // before we listened
}
