// The gallery as it begins: where one left it, if one comes back from a photo.

import "/static/correcting.js";
import { inTurn } from "/static/following.js";
import { say } from "/static/review.js";
import { above, cutAfter, more, moreIfNear } from "/static/scrolling.js";
import { fetchTiles, firstInView, grid, setCurrent } from "/static/tiles.js";

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

setCurrent(grid.firstElementChild);
moreIfNear();
inTurn(() => comeBack().catch((error) => say(error.message))); // news waits until it is known what is above

// Filters take effect as they are chosen.
document.querySelector(".filters").addEventListener("change", (event) => {
  const form = event.currentTarget;
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
  location.assign(`/${query.size ? `?${query}` : ""}`);
});
