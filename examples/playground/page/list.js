// A list of rows, the latest last. It has a filter, a pause and the detail of the selected row.

import { el } from "./dom.js";

// list controls the elements in root. keep is the number of rows that it keeps. fill(entry)
// sets entry.search, to which the filter applies, and returns the cells of the row. detail(entry)
// returns the title and the text of the detail. wanted(entry) is a further filter.
export function list(root, { keep, fill, detail, wanted = () => true }) {
  const part = (name) => root.querySelector(`.${name}`);
  const [box, filter, pause, inspector] = ["log", "filter", "pause", "inspector"].map(part);
  const rows = []; // the oldest first
  let waiting = []; // while paused
  let paused = false;
  let chosen = null;
  let count = 0;

  function add(entry) {
    entry.at ??= new Date();
    entry.id = `${root.id}-${++count}`;
    if (paused) {
      waiting.push(entry);
      if (waiting.length > keep) waiting.shift();
    } else {
      show(entry);
    }
    showCount();
  }

  function show(entry) {
    const cells = fill(entry);
    const time = `${entry.at.toLocaleTimeString([], { hour12: false })}.${String(entry.at.getMilliseconds()).padStart(3, "0")}`;
    entry.node = el("div", { class: `event ${entry.kind ?? ""}`, role: "option", id: entry.id, "aria-selected": "false" }, el("time", {}, time), ...cells);
    entry.node.onclick = () => choose(entry);
    entry.node.hidden = !shown(entry);
    // The selected row stays in view: the list does not follow the latest row then.
    const atEnd = !chosen && box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    rows.push(entry);
    box.append(entry.node);
    if (rows.length > keep) {
      const [old] = rows.splice(rows[0] === chosen ? 1 : 0, 1);
      const { scrollTop } = box;
      const height = old.node.offsetHeight;
      old.node.remove();
      if (chosen) box.scrollTop = scrollTop - height;
    }
    if (atEnd) box.scrollTop = box.scrollHeight;
  }

  const shown = (entry) => wanted(entry) && entry.search.includes(filter.value.trim().toLowerCase());

  function apply() {
    for (const entry of rows) entry.node.hidden = !shown(entry);
    if (chosen && !chosen.node.hidden) chosen.node.scrollIntoView({ block: "nearest" });
    else box.scrollTop = box.scrollHeight;
    showCount();
  }
  filter.oninput = apply;

  pause.onclick = () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", paused);
    pause.textContent = paused ? "Resume" : "Pause";
    if (!paused) {
      waiting.forEach(show);
      waiting = [];
    }
    showCount();
  };

  function clear() {
    rows.splice(0);
    waiting = [];
    box.replaceChildren();
    close();
    showCount();
  }
  part("clear").onclick = clear;

  function showCount() {
    part("count").textContent = paused ? `paused, ${waiting.length} waiting` : `${count} in all`;
  }

  function choose(entry) {
    chosen?.node.setAttribute("aria-selected", "false");
    chosen = entry;
    chosen.node.setAttribute("aria-selected", "true");
    box.setAttribute("aria-activedescendant", chosen.node.id);
    const { title, text } = detail(entry);
    part("inspected").textContent = title;
    part("payload").textContent = text;
    part("payload").scrollTop = 0;
    inspector.hidden = false; // this makes the list smaller
    inspector.scrollIntoView({ block: "nearest" });
    chosen.node.scrollIntoView({ block: "nearest" });
  }

  function close() {
    chosen?.node.setAttribute("aria-selected", "false");
    chosen = null;
    box.removeAttribute("aria-activedescendant");
    inspector.hidden = true;
  }
  part("close").onclick = () => {
    close();
    box.focus();
  };

  box.onkeydown = (event) => {
    const visible = rows.filter(({ node }) => !node.hidden);
    const at = visible.indexOf(chosen);
    const last = visible.length - 1;
    const to = { ArrowDown: at < 0 ? last : at + 1, ArrowUp: at < 0 ? last : at - 1, Home: 0, End: last }[event.key];
    if (event.key === "Escape") close();
    if (to === undefined) return;
    event.preventDefault();
    if (visible[to]) choose(visible[to]);
  };

  return { add, apply, clear, shown: () => rows.filter(shown) };
}
