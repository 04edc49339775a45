// The names of events, which can be changed while the client is connected.

import { post } from "./api.js";
import { $, el } from "./dom.js";

let names = {};
let first = null; // the names when the page was loaded

export function show(next) {
  first ??= next;
  names = next;
  const keys = Object.keys(names).sort();
  const chosen = $("names-key").value || "AI_TOKEN";
  $("names-key").replaceChildren(...keys.map((key) => el("option", { value: key }, key)));
  $("names-key").value = chosen;
  $("names-list").replaceChildren(...keys.map((key) => el("tr", { class: names[key] !== first[key] ? "changed" : undefined }, el("td", {}, key), el("td", {}, names[key]))));
  const changed = keys.filter((key) => names[key] !== first[key]).length;
  $("names-count").textContent = changed ? `${changed} renamed` : "can be renamed live";
  if (document.activeElement !== $("names-name")) $("names-name").value = names[chosen];
}

$("names-key").onchange = () => ($("names-name").value = names[$("names-key").value]);

$("names").onsubmit = async (event) => {
  event.preventDefault();
  const backend = event.submitter?.value !== "here";
  const said = $("names-said");
  said.className = "said";
  try {
    await post("names", { names: { [$("names-key").value]: $("names-name").value.trim() }, backend });
    said.classList.add("fine");
    said.textContent = backend
      ? "Renamed at the backend and in every tab. No event is lost."
      : "Renamed in this tab only: events under the old name are shown in the log only.";
  } catch (error) {
    said.textContent = error.message;
  }
};
