// The connection: its state, the countdown to the next attempt, and a hint after an error.

import { post } from "./api.js";
import { $, el, seconds } from "./dom.js";

let backend = "";
let state = { phase: "idle", attempt: 0 };
let retryAt = 0;
let cutUntil = 0;

export function greet(hello) {
  backend = hello.backend;
  $("faults").href = new URL("/faults", backend).href;
  $("history").replaceChildren();
}

export function show(next) {
  state = next;
  retryAt = performance.now() + state.delayMs;
  const history = $("history");
  const recovered = state.phase === "ready" && state.recovered;
  history.append(el("li", { class: state.phase }, recovered ? "ready, recovered" : state.phase));
  while (history.children.length > 7) history.firstElementChild.remove();
  for (const id of ["pill", "phase"]) $(id).dataset.phase = state.phase;
  $("session").textContent = state.sessionId ? `session ${state.sessionId}` : "";
  $("countdown").classList.toggle("runs", state.phase === "waiting"); // hidden, it keeps its place
  $("cut").disabled = $("kick").disabled = state.phase !== "ready";
  advise();
  tick();
}

// lost is called when the Go service does not answer. The browser retries by itself.
export function lost() {
  show({ phase: "stopped", attempt: 0, delayMs: 0, error: "the playground does not answer" });
  banner("The playground does not answer.", "Start it with ", "go run ./examples/playground", " or both with ", "make dev", ". This page reconnects by itself.");
}

// tick updates the countdown.
function tick() {
  const left = Math.max(0, retryAt - performance.now());
  const attempt = state.attempt ? `attempt ${state.attempt}` : "";
  let cause = state.error ?? "";
  let pill = state.phase;
  if (state.phase === "waiting") {
    pill = `${attempt} in ${seconds(left)}`;
    cause = `${pill}: ${state.error}`;
    $("countdown-bar").style.transform = `scaleX(${state.delayMs ? left / state.delayMs : 0})`;
  } else if (state.phase === "connecting" && attempt) {
    pill = cause = `${attempt}…`;
  } else if (state.phase === "ready") {
    cause = state.recovered ? "the session was recovered: no event is lost" : "in the room";
  }
  $("phase").textContent = state.phase;
  $("cause").textContent = cause;
  $("pill-text").textContent = pill;
}
setInterval(() => state.phase === "waiting" && tick(), 100);

// advise shows a hint when the backend does not answer or has refused the client.
function advise() {
  const cut = performance.now() < cutUntil || /network is cut/.test(state.error ?? "");
  if (state.phase === "waiting" && state.attempt > 0 && !cut) {
    banner(`The backend at ${backend} does not answer.`, "Start the mock server with ", "go run ./examples/mockserver", " or both with ", "make dev", ". The client reconnects by itself.");
  } else if (state.phase === "stopped" && state.error) {
    banner(`The backend has ended the connection: ${state.error}.`, "The client does not reconnect by itself after that.");
    $("again").hidden = false;
  } else if (state.phase !== "connecting" || !state.attempt) {
    $("banner").hidden = true;
  }
}

// banner shows a text and a hint. Every second piece of the hint is a command.
function banner(text, ...hint) {
  $("banner-text").textContent = text;
  $("banner-help").replaceChildren(...hint.map((piece, i) => (i % 2 ? el("code", {}, piece) : piece)));
  $("again").hidden = true;
  $("banner").hidden = false;
}

const said = (text) => ($("connection-said").textContent = text);
async function act(command, body) {
  said("");
  try {
    await post(command, body);
  } catch (error) {
    said(error.message);
  }
}
$("cut").onclick = () => {
  const length = Number($("cut-for").value);
  cutUntil = performance.now() + length * 1000;
  act("cut", { seconds: length });
};
$("kick").onclick = () => act("kick");
$("again").onclick = () => act("connect");
