// What is this?: pictures that are dropped, pasted or chosen are shown to the model, one by one.

import { request, say } from "/static/review.js";

const answers = document.getElementById("answers");
const drop = document.getElementById("drop");
const colours = JSON.parse(answers.dataset.colours);
const MOST = 20; // answers that stay on the page
let queue = Promise.resolve();

function make(tag, words, className) {
  const element = document.createElement(tag);
  if (words !== undefined) element.textContent = words;
  if (className) element.className = className;
  return element;
}

const percent = (share) => `${Math.min(Math.round(share * 100), share < 1 ? 99 : 100)} %`;

function look(files) {
  if (!files.length) say("There is no picture in that. Drop a file, or copy the picture itself and paste it.");
  for (const file of files) {
    const item = make("li"), image = make("img"), side = make("div");
    image.alt = "";
    image.src = URL.createObjectURL(file);
    const said = make("div"); // read out as a whole when the answer is there
    said.setAttribute("role", "status");
    said.setAttribute("aria-atomic", "true");
    said.append(make("h2", "Looking…"), make("p", file.name, "name"));
    side.append(said);
    image.addEventListener("error", () => image.classList.add("lost")); // such as HEIC in most browsers
    item.append(image, side);
    answers.prepend(item);
    while (answers.children.length > MOST) {
      URL.revokeObjectURL(answers.lastElementChild.querySelector("img").src);
      answers.lastElementChild.remove();
    }
    queue = queue.then(() => ask(file, side));
  }
}

async function ask(file, side) {
  const title = side.querySelector("h2");
  try {
    const answer = await request("/classify", { method: "POST", body: file });
    const found = await answer.json();
    if (found.error) throw new Error(found.error);
    title.textContent = found.label === null ? "Not recognised" : `${found.label}, ${percent(found.confidence)}`;
    side.append(bars(found.scores));
  } catch (error) {
    title.textContent = "No answer";
    title.parentElement.append(make("p", error.message, "why"));
  }
}

function bars(scores) {
  const list = make("dl", undefined, "bars");
  for (const [label, score] of Object.entries(scores)) {
    const row = make("div"), value = make("dd"), meter = make("meter", undefined, `c${colours[label] ?? "none"}`);
    meter.max = 1;
    meter.value = score;
    meter.setAttribute("aria-label", label);
    value.append(meter, make("span", percent(score)));
    row.append(make("dt", label), value);
    list.append(row);
  }
  return list;
}

const chooser = document.getElementById("choose");
chooser.addEventListener("change", () => { look(chooser.files); chooser.value = ""; });
document.addEventListener("paste", (event) => look(event.clipboardData.files));
document.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) drop.classList.remove("over"); });
document.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  look(event.dataTransfer.files);
});
