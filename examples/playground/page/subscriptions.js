// The subscriptions, each with a chart of its pending values, and the slow reader.

import { post } from "./api.js";
import { $, calm, el, seconds } from "./dom.js";

const every = 200; // milliseconds between two columns
const columns = 150; // 30 seconds
const meters = new Map(); // by name

export function show(readings) {
  for (const name of meters.keys()) {
    if (readings.some((reading) => reading.name === name)) continue;
    meters.get(name).node.remove();
    meters.delete(name);
  }
  for (const reading of readings) {
    const meter = meters.get(reading.name) ?? add(reading.name);
    meter.before ??= reading;
    meter.reading = reading;
    update(meter);
  }
}

function add(name) {
  const canvas = el("canvas", { role: "img", width: 300, height: 42 });
  const note = el("div", { class: "note" });
  const policy = el("small");
  const dl = el("dl");
  const numbers = {};
  for (const key of ["waiting", "read", "dropped", "lag"]) {
    numbers[key] = el("dd", { class: key });
    dl.append(el("dt", {}, key), numbers[key]);
  }
  const node = el("li", { class: "meter", "data-name": name }, el("div", { class: "what" }, el("strong", {}, name), policy), canvas, dl, note);
  const meter = { node, canvas, note, policy, numbers, past: [] };
  meters.set(name, meter);
  $("meters").append(node);
  return meter;
}

function update({ node, canvas, note, policy, numbers, reading, past }) {
  const { name, limit, pending, highWater, delivered, dropped, lagMs, ended } = reading;
  policy.textContent = ended ? `ended: ${ended.replace(/^bus: /, "")}` : `up to ${limit}, ${reading.policy}`;
  numbers.waiting.textContent = pending;
  numbers.waiting.title = `${highWater} at most so far`;
  numbers.read.textContent = delivered;
  numbers.dropped.textContent = dropped;
  numbers.lag.textContent = pending ? seconds(lagMs) : "none";
  note.textContent = reading.note ? `last read: “${reading.note.trim()}”` : "";
  node.classList.toggle("ended", Boolean(ended));
  node.classList.toggle("dropping", dropped > 0 && past.slice(-10).some((column) => column.dropped));
  canvas.setAttribute("aria-label", `${name}: ${pending} of ${limit} waiting, ${dropped} dropped`);
}

// Add a column at each step of time, even if nothing has changed.
setInterval(() => {
  for (const meter of meters.values()) {
    const { reading, before, past } = meter;
    past.push({ pending: reading.pending, dropped: Math.max(0, reading.dropped - before.dropped), read: Math.max(0, reading.delivered - before.delivered) });
    if (past.length > columns) past.shift();
    meter.before = reading;
    if (!calm.matches || past.length % 5 === 0) draw(meter);
  }
}, every);

function draw({ canvas, past, reading }) {
  const ratio = devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * ratio);
  const height = Math.round(canvas.clientHeight * ratio);
  if (!width) return; // not in view
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const probe = (name) => resolve(canvas, colour(name));
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const step = width / columns;
  const from = width - past.length * step;
  const top = Math.max(4, Math.min(reading.limit, Math.max(...past.map((c) => c.pending)) * 1.25)); // near the limit, the chart ends at the limit
  const tallest = reading.limit <= top * 1.6 ? reading.limit : top;
  const y = (n) => height - 1 - (Math.min(n, tallest) / tallest) * (height - 6 * ratio);

  // Values read: bars in the background.
  const busiest = Math.max(8, ...past.map((c) => c.read));
  pen.fillStyle = probe("--accent-mid");
  past.forEach((c, i) => c.read && pen.fillRect(from + i * step, height - (c.read / busiest) * height * 0.8, Math.max(1, step - 0.5), height));
  // Pending values: an area.
  pen.fillStyle = probe("--accent");
  past.forEach((c, i) => c.pending && pen.fillRect(from + i * step, y(c.pending), step + 0.5, height));
  // Dropped values: bars from the top.
  pen.fillStyle = probe("--bad");
  past.forEach((c, i) => c.dropped && pen.fillRect(from + i * step, 0, Math.max(1.5, step), Math.min(height, (3 + c.dropped) * ratio)));
  // The limit, if the chart shows it.
  if (tallest === reading.limit) {
    pen.strokeStyle = probe("--bad");
    pen.setLineDash([4 * ratio, 4 * ratio]);
    pen.beginPath();
    pen.moveTo(0, y(reading.limit));
    pen.lineTo(width, y(reading.limit));
    pen.stroke();
    pen.setLineDash([]);
  }
}

// resolve returns the current colour of a light-dark() value.
function resolve(node, value) {
  node.style.color = value;
  return getComputedStyle(node).color;
}

// The slow reader.

let setting = Promise.resolve();
const fields = ["reader-on", "reader-limit", "reader-policy", "reader-pace"].map($);
async function set() {
  const [on, limit, policy, pace] = fields;
  $("reader-pace-says").textContent = pace.value === "0" ? "nothing" : `${pace.value} a second`;
  $("reader-said").textContent = "";
  if (!on.checked && !meters.has("slow reader")) return;
  const wanted = { on: on.checked, limit: Number(limit.value), policy: policy.value, perSecond: Number(pace.value) };
  const mine = setting.then(() => post("reader", wanted)); // one after the other, so that the last one applies
  setting = mine.catch(() => {});
  try {
    await mine;
  } catch (error) {
    $("reader-said").textContent = error.message;
  }
}
for (const field of fields) field.onchange = set;
$("reader-pace").oninput = () => ($("reader-pace-says").textContent = $("reader-pace").value === "0" ? "nothing" : `${$("reader-pace").value} a second`);
$("reader").onsubmit = (event) => event.preventDefault();
