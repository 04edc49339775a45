// The event log: every event sent or received. It can be filtered and paused, and a click
// shows the payload.

import { $, el } from "./dom.js";

const kept = 400; // rows
const rows = []; // the oldest first: { node, text, name, args }
let waiting = []; // while paused
let paused = false;
let chosen = null;
let count = 0;

export function add({ sent, name, args }) {
  put({ kind: sent ? "sent" : "", way: sent ? "↑" : "↓", name, args: args ?? [] });
}

export function problem({ event, error, raw }) {
  put({ kind: "problem", way: "!", name: event, args: [{ error, raw }] });
}

function put(entry) {
  entry.at = new Date();
  entry.id = `event-${++count}`;
  if (paused) {
    waiting.push(entry);
    if (waiting.length > kept) waiting.shift();
  } else {
    show(entry);
  }
  showCount();
}

function show(entry) {
  const { kind, way, name, args, at } = entry;
  const summary = args.map(summarise).join(", ");
  entry.text = `${name} ${summary}`.toLowerCase();
  const time = `${at.toLocaleTimeString([], { hour12: false })}.${String(at.getMilliseconds()).padStart(3, "0")}`;
  entry.node = el("div", { class: `event ${kind}`, role: "option", id: entry.id, "aria-selected": "false" },
    el("time", {}, time), el("span", { class: "way", title: kind || "received" }, way), el("span", { class: "name" }, name), el("span", { class: "args" }, summary.slice(0, 300)));
  entry.node.onclick = () => choose(entry);
  entry.node.hidden = !wanted(entry);
  const log = $("log");
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  rows.push(entry);
  log.append(entry.node);
  if (rows.length > kept) rows.shift().node.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// summarise puts the fields of one kind of event before the fields of all events.
function summarise(arg) {
  if (arg === null || typeof arg !== "object" || Array.isArray(arg)) return JSON.stringify(arg);
  const { chatId, traceId, requestId, ...own } = arg;
  return JSON.stringify({ ...own, chatId, traceId, requestId });
}

// isToken recognizes a token by its fields, because the event can be renamed.
const isToken = ({ args: [payload = null] }) => payload !== null && typeof payload === "object" && "token" in payload && "index" in payload;
const wanted = (entry) => ($("tokens").checked || !isToken(entry)) && entry.text.includes($("filter").value.trim().toLowerCase());

function applyFilter() {
  for (const entry of rows) entry.node.hidden = !wanted(entry);
  $("log").scrollTop = $("log").scrollHeight;
  showCount();
}
$("filter").oninput = applyFilter;
$("tokens").onchange = applyFilter;

$("pause").onclick = () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", paused);
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (!paused) {
    waiting.forEach(show);
    waiting = [];
  }
  showCount();
};

$("clear").onclick = () => {
  rows.splice(0);
  waiting = [];
  $("log").replaceChildren();
  close();
  showCount();
};

function showCount() {
  $("log-count").textContent = paused ? `paused, ${waiting.length} waiting` : `${count} events`;
}

function choose(entry) {
  chosen?.node.setAttribute("aria-selected", "false");
  chosen = entry;
  chosen.node.setAttribute("aria-selected", "true");
  chosen.node.scrollIntoView({ block: "nearest" });
  $("log").setAttribute("aria-activedescendant", chosen.node.id);
  $("inspected").textContent = `${entry.way} ${entry.name}`;
  $("payload").textContent = entry.args.map((arg) => JSON.stringify(arg, null, 2)).join(",\n");
  $("inspector").hidden = false;
}

function close() {
  chosen?.node.setAttribute("aria-selected", "false");
  chosen = null;
  $("log").removeAttribute("aria-activedescendant");
  $("inspector").hidden = true;
}
$("close").onclick = () => {
  close();
  $("log").focus();
};

$("log").onkeydown = (event) => {
  const shown = rows.filter(({ node }) => !node.hidden);
  const at = shown.indexOf(chosen);
  const to = { ArrowDown: at < 0 ? shown.length - 1 : at + 1, ArrowUp: at < 0 ? shown.length - 1 : at - 1, Home: 0, End: shown.length - 1 }[event.key];
  if (event.key === "Escape") close();
  if (to === undefined) return;
  event.preventDefault();
  if (shown[to]) choose(shown[to]);
};
