// Follows what is filed, put right or taken back while the gallery is open.

import { post, say } from "/static/review.js";
import { above, dropOldest, fresh, showNewest } from "/static/scrolling.js";
import { picked, settle } from "/static/selection.js";
import { current, fetchTiles, grid, isFocused, remove, setCurrent, tiles } from "/static/tiles.js";

const LATE_MS = 5000, LOOK_MS = 1500; // how long a picture is waited for, and seen before newer ones
const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });
let turn = Promise.resolve();
let coming = false;

/** What is new must not take away a tile that is being put right: one after the other. */
export function inTurn(task) {
  turn = turn.then(task).catch(() => {}); // the banner says that nobody answers
}

async function follow() {
  if (coming) return;
  coming = true;
  await seen();
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

/** Pictures that are still to come are waited for, and looked at: of a backlog none would be seen else. */
async function seen() {
  const inView = (image) => image.getBoundingClientRect().bottom > 0 && image.getBoundingClientRect().top < innerHeight;
  const late = [...grid.querySelectorAll("img")].filter((image) => !image.complete && inView(image));
  if (!late.length) return;
  await Promise.race([Promise.allSettled(late.map((image) => image.decode())), pause(LATE_MS)]);
  await pause(LOOK_MS);
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
    for (const tile of missing) {
      const older = tiles().find((one) => isOlder(one, tile));
      if (!older && grid.lastElementChild?.dataset.more) break; // those come with the scrolling
      tile.dataset.more = "";
      tile.classList.add("fresh");
      grid.insertBefore(tile, older ?? null);
    }
  }
  dropOldest();
  if (isFocused()) current.scrollIntoView({ block: "nearest" });
  else if (!picked().length) setCurrent(grid.firstElementChild);
  settle();
}

function isOlder(one, other) {
  const [time, id] = one.dataset.cursor.split("-"), [thenTime, thenId] = other.dataset.cursor.split("-");
  return (time - thenTime || id - thenId) < 0;
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

window.addEventListener("news", follow);
fresh.addEventListener("click", async () => {
  try {
    showNewest(await fetchTiles(""));
  } catch (error) {
    say(error.message);
    return;
  }
  setCurrent(grid.firstElementChild, true);
  scrollTo(0, 0);
  settle();
});
