// The traffic: the messages of the tab's session with the backend, as they pass.

import { $, el } from "./dom.js";
import { list } from "./list.js";

const ways = { in: "↓", out: "↑", dial: "→", end: "×" };
const bytes = (n) => (n < 1024 ? `${n} B` : `${(n / 1024).toFixed(1)} KiB`);
const { add: put, shown } = list($("traffic"), {
  keep: 500,
  fill(entry) {
    const { way, size, text } = entry;
    entry.kind = { out: "sent", end: "problem" }[way] ?? "";
    entry.search = `${way} ${text}`.toLowerCase();
    return [el("span", { class: "way", title: way }, ways[way]), el("span", { class: "size" }, size ? bytes(size) : way), el("span", { class: "args" }, text.slice(0, 300))];
  },
  detail: ({ way, size, text, binary, cut }) => ({
    title: `${ways[way]} ${way}${size ? `, ${size} bytes` : ""}${binary ? ", binary" : ""}${cut ? ", the beginning" : ""}`,
    text,
  }),
});

// add adds a message. Messages that a slow tab has missed have no row, but their number shows.
let last = 0;
export function add(frame) {
  if (frame.n > last + 1 && last) put({ at: new Date(frame.at), way: "end", size: 0, text: `${frame.n - last - 1} messages were dropped: this tab was too slow` });
  last = frame.n;
  put({ ...frame, raw: frame, at: new Date(frame.at) });
}

export const start = () => (last = 0);

// The export has the rows that the filter shows, one JSON object to a line.
$("export").onclick = () => {
  const lines = shown().filter(({ raw }) => raw).map(({ raw }) => JSON.stringify({ ...raw, at: new Date(raw.at).toISOString() }));
  const url = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "application/x-ndjson" }));
  el("a", { href: url, download: "traffic.ndjson" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
};
