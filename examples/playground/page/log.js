// The event log: every event sent or received.

import { $, el } from "./dom.js";
import { list } from "./list.js";

const { add: put, apply } = list($("events"), {
  keep: 400,
  fill(entry) {
    const { kind, way, name, args } = entry;
    const summary = args.map(summarise).join(", ");
    entry.search = `${name} ${summary}`.toLowerCase();
    return [el("span", { class: "way", title: kind || "received" }, way), el("span", { class: "name" }, name), el("span", { class: "args" }, summary.slice(0, 300))];
  },
  detail: ({ way, name, args }) => ({ title: `${way} ${name}`, text: args.map((arg) => JSON.stringify(arg, null, 2)).join(",\n") }),
  wanted: (entry) => $("tokens").checked || !isToken(entry),
});

export function add({ sent, name, args }) {
  put({ kind: sent ? "sent" : "", way: sent ? "↑" : "↓", name, args: args ?? [] });
}

export function problem({ event, error, raw }) {
  put({ kind: "problem", way: "!", name: event, args: [{ error, raw }] });
}

// summarise puts the fields of one kind of event before the fields of all events.
function summarise(arg) {
  if (arg === null || typeof arg !== "object" || Array.isArray(arg)) return JSON.stringify(arg);
  const { chatId, traceId, requestId, ...own } = arg;
  return JSON.stringify({ ...own, chatId, traceId, requestId });
}

// isToken recognizes a token by its fields, because the event can be renamed.
const isToken = ({ args: [payload = null] }) => payload !== null && typeof payload === "object" && "token" in payload && "index" in payload;
$("tokens").onchange = apply;
