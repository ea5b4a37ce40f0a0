async (base) => {
  const tried = {};
  const note = (name, promise) =>
    promise.then((result) => { tried[name] = result; }, () => { tried[name] = "refused"; });
  const loaded = (element, property, value) => new Promise((yes, no) => {
    element.onload = () => yes("loaded");
    element.onerror = no;
    element[property] = value;
    document.body.append(element);
  });
  const credentials = "include", method = "POST", body = '{"ids": [1]}';
  const text = { "content-type": "text/plain" }, json = { "content-type": "application/json" };
  await note("fetch", fetch(`${base}tiles`, { credentials }).then((r) => r.text()));
  await note("blind", fetch(`${base}undo`, { method, mode: "no-cors", credentials, headers: text, body })
    .then((r) => r.status));
  await note("json", fetch(`${base}undo`, { method, credentials, headers: json, body }).then((r) => r.text()));
  await note("image", loaded(new Image(), "src", `${base}thumb/1`));
  await note("script", loaded(document.createElement("script"), "src", `${base}static/review.js`));
  await note("events", new Promise((yes, no) => {
    const source = new EventSource(`${base}events`, { withCredentials: true });
    source.onopen = () => yes("open");
    source.onerror = () => { source.close(); no(); };
  }));
  const frame = document.createElement("iframe");
  await note("frame", loaded(frame, "src", base).then(() => (frame.contentDocument ? "read" : "closed")));
  return tried;
}
