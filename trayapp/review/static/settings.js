// Settings: each takes effect as it is chosen; what cannot be is said beside it.

import { post } from "/static/review.js";

async function set(setting, value) {
  const outcome = setting.querySelector(".outcome");
  outcome.classList.remove("bad");
  outcome.textContent = "One moment…";
  try {
    await post("/set", { name: setting.dataset.name, value });
    setting.dataset.now = value;
    outcome.textContent = "Done.";
  } catch (error) {
    outcome.textContent = error.message;
    outcome.classList.add("bad");
    showAgain(setting);
  }
}

/** The choice in force; what was typed in stays, to be mended. */
function showAgain(setting) {
  const { now } = setting.dataset;
  for (const radio of setting.querySelectorAll("[type=radio]")) radio.checked = radio.value === now;
  for (const list of setting.querySelectorAll("select")) list.value = now;
}

const settings = document.getElementById("settings");
settings.addEventListener("change", (event) => {
  if (event.target.type !== "text") set(event.target.closest(".setting"), event.target.value);
});
settings.addEventListener("click", (event) => {
  if (event.target.closest("button")) {
    const setting = event.target.closest(".setting");
    set(setting, setting.querySelector("input").value);
  }
});
settings.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && event.target.type === "text") set(event.target.closest(".setting"), event.target.value);
});
