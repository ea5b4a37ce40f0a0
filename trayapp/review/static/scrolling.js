// Scrolls for ever, with a bounded number of tiles in the page.

import { say } from "/static/review.js";
import { picked } from "/static/selection.js";
import { columns, fetchTiles, grid, tiles } from "/static/tiles.js";

const MOST = 600; // tiles in the page at once
/** The button over the tiles, by which those that are missing above come. */
export const fresh = document.getElementById("new");
/** The cursor before the first tile, where newer ones were dropped. */
export let above = "";
let loading = null;

/** Fetches on until the view is full; whoever asks meanwhile waits for the same. */
export function more() {
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

export function cutAfter(cursor) {
  above = cursor;
  fresh.textContent = "Back to the newest";
  fresh.hidden = false;
}

/** The first tile is the newest one again. */
export function showNewest(found) {
  grid.replaceChildren(...found);
  above = "";
  fresh.hidden = true;
}

export function dropOldest() {
  while (grid.children.length > MOST) grid.lastElementChild.remove();
  const last = grid.lastElementChild;
  if (last && grid.children.length === MOST) last.dataset.more = last.dataset.cursor;
}

/** At every scroll: an observer would miss an end that moves away and comes back within one frame. */
export function moreIfNear() {
  if (document.getElementById("end").getBoundingClientRect().top < innerHeight + 800) more();
}
addEventListener("scroll", moreIfNear, { passive: true });
addEventListener("resize", moreIfNear, { passive: true });
