"use strict";
const at = (id) => document.getElementById(id);
const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));
const TOKEN_KEY = "edgecnn-token";
const KEPT = 24; // pictures of the list
const SPEAK_EVERY = 2000, FIGURES_EVERY = 250; // milliseconds
let model = null;

// Talking to the server ------------------------------------------------------------------------------------------

class Refused extends Error {
  constructor(status, detail, after) { super(detail); this.status = status; this.after = after; }
}

async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN_KEY);
  const headers = { ...(token ? { Authorization: `Bearer ${token}` } : {}), ...options.headers };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, "The server does not answer.", 1);
  }
  if (answer.ok) return answer;
  let detail = `${answer.status} ${answer.statusText}`;
  try { detail = (await answer.json()).detail ?? detail; } catch { /* not a problem document */ }
  throw new Refused(answer.status, detail, Number(answer.headers.get("Retry-After")) || 1);
}

async function classify(blob) {
  const started = performance.now();
  const answer = await ask("v1/classify", {
    method: "POST", body: blob, headers: { "Content-Type": "application/octet-stream" },
  });
  const result = (await answer.json()).results[0];
  return { ...result, round_ms: performance.now() - started };
}

// Showing ----------------------------------------------------------------------------------------------------------

const percent = (value) => value === null ? "not a number" : `${(100 * value).toFixed(value > 0.9995 || value < 0.0005 ? 0 : 1)} %`;
const milliseconds = (value) => `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : Math.round(value)} ms`;

function tell(text) {
  at("problem").textContent = text;
  at("problem").hidden = !text;
}

function showState(text, state) {
  if (at("state").textContent !== text) at("state").textContent = text;
  at("state").dataset.state = state;
}

let spokenKey = null, lastSpoken = -SPEAK_EVERY, toSpeak = null;
// For screen readers: what is new, and not more often than can be listened to. The same key is the same news.
function speak(key, text) {
  if (key === spokenKey) return;
  spokenKey = key;
  if (toSpeak === null) {
    setTimeout(() => {
      at("spoken").textContent = toSpeak;
      toSpeak = null;
      lastSpoken = performance.now();
    }, Math.max(0, lastSpoken + SPEAK_EVERY - performance.now()));
  }
  toSpeak = text;
}

function showLabel(label, top, key = label) {
  const shown = label ?? "–";
  if (at("label").textContent !== shown) {
    at("label").textContent = shown;
    at("label").classList.toggle("long", shown.length > 16);
  }
  const sure = label === null ? "No label has its votes yet" :
    label === top[0].label ? `${percent(top[0].probability)} probable` : `this frame alone: ${top[0].label}`;
  if (at("sure").textContent !== sure) at("sure").textContent = sure;
  speak(key, label === null ? "no label" : label === top[0].label ? `${label}, ${percent(top[0].probability)}` : label);
}

function showBars(top) {
  const bars = at("bars");
  while (bars.children.length > top.length) bars.lastElementChild.remove();
  top.forEach((entry, number) => {
    let row = bars.children[number];
    if (!row) {
      row = document.createElement("li");
      const name = document.createElement("span"), value = document.createElement("span");
      const track = document.createElement("div");
      value.className = "value";
      track.className = "track";
      track.append(document.createElement("i"));
      row.append(name, value, track);
      bars.append(row);
    }
    row.children[0].textContent = entry.label;
    row.children[1].textContent = percent(entry.probability);
    row.children[2].firstElementChild.style.width = `${100 * (entry.probability ?? 0)}%`;
  });
}

let lastFigures = -Infinity; // the first ones are shown at once
function showFigures(figures, always) {
  if (!always && performance.now() - lastFigures < FIGURES_EVERY) return;
  lastFigures = performance.now();
  const shown = Object.entries(figures).map(([name, value]) => {
    const pair = document.createElement("div"), term = document.createElement("dt"), data = document.createElement("dd");
    term.textContent = name;
    data.textContent = value;
    pair.append(term, data);
    return pair;
  });
  at("figures").replaceChildren(...shown);
}

// What was true a moment ago must not look as if it were true now.
function showNothingNow(why) {
  at("stage").classList.add("stale");
  at("label").textContent = "–";
  at("sure").textContent = why;
  at("bars").replaceChildren();
  at("figures").replaceChildren();
  lastFigures = -Infinity;
  speak(why, why);
}

function showHint(title, text) {
  at("hint-title").textContent = title;
  at("hint-text").textContent = text;
  at("hint").hidden = false;
}

function showPicture(url, name) {
  const picture = at("picture");
  at("video").hidden = true;
  at("stage").classList.remove("empty");
  at("hint").hidden = true;
  picture.hidden = false;
  picture.alt = name;
  picture.src = url;
}

at("picture").addEventListener("load", () => {
  // Enlarged, a digit of 28 pixels is clearer with its pixels than blurred.
  at("picture").classList.toggle("small", at("picture").naturalWidth < 128);
});
at("picture").addEventListener("error", () => {
  at("picture").hidden = true;
  showHint("No preview", "This browser does not show this kind of file.");
});

// Pictures that are dropped, pasted or chosen ------------------------------------------------------------------------

const items = [];

function showItem(item) {
  for (const each of items) each.button.setAttribute("aria-current", String(each === item));
  showPicture(item.url, item.name);
  if (item.error) {
    showNothingNow(`${item.name}: ${item.error}`);
    return;
  }
  at("stage").classList.remove("stale");
  showLabel(item.result.label, item.result.top, item);
  showBars(item.result.top);
  showFigures({
    "Inference": milliseconds(item.result.inference_ms), "Decoding": milliseconds(item.result.decode_ms),
    "Round trip": milliseconds(item.result.round_ms),
  }, true);
}

function listItem(item) {
  const entry = document.createElement("li"), button = document.createElement("button");
  const words = document.createElement("span"), label = document.createElement("b"), name = document.createElement("small");
  const thumbnail = document.createElement("img");
  thumbnail.alt = "";
  thumbnail.addEventListener("error", () => {
    const blank = document.createElement("span");
    blank.className = "blank";
    thumbnail.replaceWith(blank);
  });
  thumbnail.src = item.url;
  button.type = "button";
  label.textContent = item.error ? "Not read" : `${item.result.label} · ${percent(item.result.probability)}`;
  name.textContent = item.name;
  words.append(label, name);
  if (item.error) words.className = "failed";
  button.append(thumbnail, words);
  button.addEventListener("click", () => showItem(item));
  entry.append(button);
  item.button = button;
  items.unshift(item);
  at("list").prepend(entry);
  at("earlier").hidden = false;
  if (items.length > KEPT) {
    URL.revokeObjectURL(items.pop().url);
    at("list").lastElementChild.remove();
  }
}

async function classifyPatiently(blob, wanted = () => true) {
  for (;;) {
    try {
      return await classify(blob);
    } catch (error) {
      if (error.status !== 429 || !wanted()) throw error;
      showState("Busy, waiting", "wait");
      await wait(error.after);
    }
  }
}

let queue = Promise.resolve();
function take(files) {
  for (const file of files) queue = queue.then(() => takeOne(file));
}

async function takeOne(file) {
  stopWebcam();
  tell("");
  showState("Classifying", "wait");
  const item = { name: file.name || "pasted picture", url: URL.createObjectURL(file) };
  try {
    if (file.size > model.limits.body_bytes) {
      item.error = `expected at most ${Math.floor(model.limits.body_bytes / 2 ** 20)} MB, got ${(file.size / 2 ** 20).toFixed(1)} MB`;
    } else {
      item.result = await classifyPatiently(file);
    }
    showState("Ready", "good");
  } catch (error) {
    if (error.status === 401) { URL.revokeObjectURL(item.url); return askForToken(); }
    item.error = error.message;
    showState(error.status ? "Ready" : "No connection", error.status ? "good" : "bad");
  }
  if (item.error) tell(`${item.name}: ${item.error}`);
  listItem(item);
  showItem(item);
}

function acceptPictures() {
  at("tools").hidden = false;
  at("stage").classList.add("empty");
  at("choose").addEventListener("click", () => at("files").click());
  at("files").addEventListener("change", () => { take([...at("files").files]); at("files").value = ""; });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) { event.preventDefault(); take(files); }
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    at("stage").classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) at("stage").classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    at("stage").classList.remove("over");
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
    else tell("Expected a picture file; save the picture first, then drop its file.");
  });
  at("webcam").addEventListener("click", () => webcam ? stopWebcam() : startWebcam());
}

// The browser's own camera -------------------------------------------------------------------------------------------

let webcam = null, asking = false;

async function startWebcam() {
  tell("");
  if (!navigator.mediaDevices?.getUserMedia) {
    tell("A browser gives its camera to https pages and to localhost only. On a phone, 'Choose pictures' can take a photo.");
    return;
  }
  if (asking) return;
  asking = true; // rather than disabling the button, which would take the keyboard's place on the page away
  try {
    webcam = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 640 } } });
  } catch (error) {
    tell(error.name === "NotAllowedError" ? "The browser was not allowed to use its camera." :
      error.name === "NotFoundError" ? "This browser finds no camera." : `The camera cannot be used: ${error.message}`);
    return;
  } finally {
    asking = false;
  }
  const video = at("video");
  at("webcam").setAttribute("aria-pressed", "true");
  at("webcam").textContent = "Stop the camera";
  at("hint").hidden = at("picture").hidden = true;
  at("stage").classList.remove("empty");
  video.hidden = false;
  video.srcObject = webcam;
  for (const track of webcam.getTracks()) track.addEventListener("ended", stopWebcam);
  await video.play();
  watchWebcam(webcam, video);
}

async function watchWebcam(own, video) {
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d");
  const times = [];
  const going = () => webcam === own;
  while (going()) {
    if (document.hidden) { await wait(0.5); continue; }
    const scale = Math.min(1, 640 / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.max(1, Math.round(scale * video.videoWidth));
    canvas.height = Math.max(1, Math.round(scale * video.videoHeight));
    pen.drawImage(video, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));
    try {
      const result = await classifyPatiently(blob, going);
      if (!going()) return;
      tell("");
      showState("Live", "good");
      times.push(performance.now());
      if (times.length > 20) times.shift();
      const rate = times.length > 1 ? 1000 * (times.length - 1) / (times.at(-1) - times[0]) : 0;
      showLabel(result.label, result.top);
      showBars(result.top);
      showFigures({
        "Frames per second": rate.toFixed(1), "Inference": milliseconds(result.inference_ms),
        "Round trip": milliseconds(result.round_ms),
      });
    } catch (error) {
      if (!going()) return;
      if (error.status === 401) { stopWebcam(); return askForToken(); }
      tell(error.message);
      showState(error.status ? "Refused" : "No connection", "bad");
      await wait(error.after ?? 1);
    }
  }
}

function stopWebcam() {
  if (!webcam) return;
  for (const track of webcam.getTracks()) track.stop();
  webcam = null;
  at("video").srcObject = null;
  at("video").hidden = true;
  at("webcam").setAttribute("aria-pressed", "false");
  at("webcam").textContent = "Use this browser's camera";
  at("stage").classList.add("empty");
  showHint("Drop a picture here", "or paste one. It goes to this device only and is not kept.");
  showState("Ready", "good");
}

// The device's camera ------------------------------------------------------------------------------------------------

const CAMERA = {
  starting: ["Starting", "wait"], live: ["Live", "good"], lost: ["Camera lost", "bad"], frozen: ["Camera frozen", "bad"],
  ended: ["Video ended", "wait"],
};

function showEvent(event) {
  showState(...CAMERA[event.camera]);
  if (event.camera === "lost" || event.camera === "frozen") {
    tell(event.text);
    showNothingNow("No current answer");
    return;
  }
  tell("");
  if (!event.top) return;
  at("stage").classList.remove("stale");
  showLabel(event.label, event.top);
  showBars(event.top);
  showFigures({
    "Latency": milliseconds(event.age_ms), "Frames per second": event.frames_per_second.toFixed(1),
    "Inference": milliseconds(event.inference_ms), "Frames dropped": event.dropped.toLocaleString("en"),
  });
}

// Server-sent events over fetch, because EventSource cannot show a token.
async function* readEvents(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").find((line) => line.startsWith("data: "));
      if (data) yield JSON.parse(data.slice(6));
    }
  }
}

// A hidden page gives its connection back: a browser has six for a server, however many of its pages are open.
let hiding = new AbortController();
const seen = () => document.hidden
  ? new Promise((done) => document.addEventListener("visibilitychange", done, { once: true })) : Promise.resolve();
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return;
  hiding.abort();
  hiding = new AbortController();
});

async function watchEvents() {
  for (let pause = 1; ; pause = Math.min(2 * pause, 10)) {
    await seen();
    let why = "The server has ended the stream.";
    try {
      const { signal } = hiding;
      model = await (await ask("v1/model", { signal })).json(); // another may be served since
      describe();
      for await (const event of readEvents(await ask("v1/stream", { signal }))) {
        pause = 0.5;
        showEvent(event);
      }
    } catch (error) {
      if (error.status === 401) return askForToken();
      if (error.name === "AbortError") continue;
      why = error.status ? error.message : "The server does not answer.";
    }
    showState("No connection", "bad");
    tell(`${why} Trying again.`);
    showNothingNow("No current answer");
    await wait(pause);
  }
}

async function watchPicture() {
  let after = 0, shown = null;
  for (;;) {
    await seen();
    try {
      const answer = await ask(`v1/frame.jpg?after=${after}`);
      after = Number(answer.headers.get("X-Event-Id"));
      const url = URL.createObjectURL(await answer.blob());
      showPicture(url, "The camera's picture");
      await at("picture").decode().catch(() => {});
      if (shown) URL.revokeObjectURL(shown);
      shown = url;
    } catch (error) {
      if (error.status === 401) return;
      if (error.status !== 503) after = 0; // another server may have taken its place
      await wait(1);
    }
  }
}

// The beginning --------------------------------------------------------------------------------------------------------

function askForToken() {
  const shown = sessionStorage.getItem(TOKEN_KEY);
  sessionStorage.removeItem(TOKEN_KEY);
  if (shown) tell("Expected the token of this server, got another.");
  showState("Locked", "wait");
  at("columns").hidden = at("earlier").hidden = true;
  at("gate").hidden = false;
  at("token").value = "";
  at("token").focus();
}

function describe() {
  const input = model.input, accuracy = model.accuracy;
  const facts = [model.scheme, `${model.labels.length} classes`, `${input.width}×${input.height} ${input.colour}`, model.backend];
  if (accuracy) facts.push(`${(100 * accuracy.correct / accuracy.total).toFixed(2)} % right on ${accuracy.total.toLocaleString("en")} test images`);
  if (model.assumed.length) facts.push(`assumed: ${model.assumed.join("; ")}`);
  at("name").textContent = model.name;
  document.title = `${model.name} · edgecnn serve`;
  at("facts").textContent = facts.join(" · ");
  at("footer-version").textContent = ` · edgecnn ${model.edgecnn}`;
}

let prepared = false;
async function start() {
  try {
    model = await (await ask("v1/model")).json();
  } catch (error) {
    if (error.status === 401) return askForToken();
    tell(`${error.message} Trying again.`);
    showState("No connection", "bad");
    await wait(2);
    return start();
  }
  tell("");
  describe();
  at("gate").hidden = true;
  at("columns").hidden = false;
  at("earlier").hidden = items.length === 0;
  if (model.camera) {
    at("sure").textContent = "No frame yet";
    showHint("Waiting for the camera", model.camera.source);
    watchEvents();
    watchPicture();
  } else {
    showState("Ready", "good");
    if (!prepared) acceptPictures();
    prepared = true;
  }
}

at("gate").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN_KEY, at("token").value);
  start();
});

// An address such as device:8000/#token=… leaves the token in this tab and takes it out of the address bar.
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return false;
  sessionStorage.setItem(TOKEN_KEY, token);
  history.replaceState(null, "", location.pathname);
  return true;
}
addEventListener("hashchange", () => { if (takeToken()) start(); });
takeToken();
start();
