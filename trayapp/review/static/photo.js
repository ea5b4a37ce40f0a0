// One photo: put it right or take it back, by button or key.

import { isTyping, post, say } from "/static/review.js";

const photo = document.getElementById("photo");
const id = Number(photo.dataset.id);
const labels = JSON.parse(photo.dataset.labels);
const back = document.getElementById("back");
const place = JSON.parse(sessionStorage.getItem("place") ?? "null");
if (place) back.href = `/${place.search}#back`; // to where it was opened

const image = photo.querySelector("figure img");
const isLost = () => { image.remove(); document.getElementById("unseen").hidden = false; };
image?.addEventListener("error", isLost);
if (image?.complete && !image.naturalWidth) isLost();

let acting = false;

async function act(address, body, words) {
  acting = true; // the server tells of it, too, and that must not reload this page
  try {
    const { done, refused } = await post(address, { ids: [id], ...body });
    if (refused.length) { say(refused[0]); acting = false; }
    else {
      const now = done[0].new ?? id;
      if (place?.id === `tile-${id}`) sessionStorage.setItem("place", JSON.stringify({ ...place, id: `tile-${now}` }));
      sessionStorage.setItem("did", words);
      location.replace(`/photo/${now}`);
    }
  } catch (error) {
    say(error.message);
    acting = false;
  }
}

const put = (label) =>
  act("/correct", { label }, label === null ? "Put to none of these." : `Now filed as ${label}.`);

// What was done before this page took the place of the last one.
const did = sessionStorage.getItem("did");
if (did) {
  sessionStorage.removeItem("did");
  document.getElementById("title").focus();
  say(did);
}

const buttons = [...photo.querySelectorAll(".actions button")];
const find = (test) => buttons.find((button) => !button.disabled && test(button.dataset));

for (const button of buttons) {
  button.addEventListener("click", () => {
    const { correct, chosen, undo } = button.dataset;
    if (undo !== undefined) act("/undo", {}, "Taken back.");
    else if (chosen !== undefined) put(photo.querySelector("select").value);
    else put(correct ?? null);
  });
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const key = event.key.toLowerCase();
  if (key === "escape") back.click();
  else if (key === "u") find((data) => data.undo !== undefined)?.click();
  else if (key === "0") find((data) => data.none !== undefined)?.click();
  else if (/^[1-9]$/.test(key)) find((data) => data.correct === labels[key - 1])?.click();
});

window.addEventListener("news", async () => {
  if (acting) return;
  const { listed } = await post("/listed", { ids: [id] }).catch(() => ({ listed: [id] }));
  if (!acting && !listed.length && photo.querySelector(".actions")) location.reload();
});
