// What every page does: asks the server, says how it went, hears what is new, stays awake.

const toast = document.getElementById("say");
const banner = document.getElementById("gone");
const GONE = "Beartray does not answer. If it still runs, choose Review… in its menu, or run “beartray review”.";
const AWAKE_MS = 60_000; // the server ends some minutes after the last page is gone
let timer = 0;

/** Show one line for a while; screen readers read it. */
export function say(words) {
  clearTimeout(timer);
  toast.textContent = words;
  timer = setTimeout(() => { toast.textContent = ""; }, Math.max(6000, 70 * words.length));
}

/** What `fetch` answers, or an Error with words for the person. */
export async function request(address, options) {
  let answer;
  try {
    answer = await fetch(address, options);
  } catch {
    throw new Error(GONE);
  }
  if (answer.status === 401 || answer.status === 403) throw new Error(GONE);
  if (answer.status === 500) throw new Error(await answer.text());
  return answer;
}

/** POST an object; the answer, or an Error as above. */
export async function post(address, body) {
  const answer = await request(address, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  const found = await answer.json();
  if (!answer.ok) throw new Error(found.error ?? "That did not work.");
  return found;
}

/** Whether a key is meant for something that is typed into, or comes with another key. */
export function isTyping(event) {
  return event.ctrlKey || event.metaKey || event.altKey
    || event.target.closest("input:not([type=checkbox]), select, textarea, dialog") !== null;
}

let source = null;

/** A browser opens six connections to a server; a page that nobody sees needs none of them. */
function listen() {
  if (source !== null || document.hidden) return;
  source = new EventSource("/events");
  source.addEventListener("open", () => {
    banner.hidden = true;
    window.dispatchEvent(new Event("news")); // something may have happened since the page was made
  });
  source.addEventListener("news", () => window.dispatchEvent(new Event("news")));
  source.addEventListener("error", () => { banner.textContent = GONE; banner.hidden = false; });
}

function hush() {
  source?.close();
  source = null;
}

document.addEventListener("visibilitychange", () => { document.hidden ? hush() : listen(); });
window.addEventListener("pagehide", hush);
window.addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
setInterval(() => { if (document.hidden) post("/listed", { ids: [] }).catch(() => {}); }, AWAKE_MS);

// A picture that misses the page for it would take the place of this one.
if (document.body.dataset.page !== "what") {
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    say("Open “What is this?” to drop pictures.");
  });
}

const own = { photos: document.getElementById("photo") ? "photo" : "gallery", what: "what", settings: "settings" };
const name = own[document.body.dataset.page];
// Only then is there somebody whom news reaches.
Promise.resolve(name && import(`/static/${name}.js`)).finally(listen);
