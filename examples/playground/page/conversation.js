// The conversation: messages, answers, users in the room, typing and read receipts.

import { post } from "./api.js";
import { $, el, hue } from "./dom.js";
import * as history from "./history.js";
import { copyButton, markdown } from "./markdown.js";

let me = { user: "", room: "" };
const messages = new Map(); // by message id
const answers = new Map(); // by request id
const typists = new Map(); // time of the last typing event, by user
let unread = [];

export function start(who) {
  me = who;
  messages.clear();
  answers.clear();
  typists.clear();
  unread = [];
  $("messages").replaceChildren();
  $("people").replaceChildren();
  $("empty").hidden = false;
  showTyping();
  showStop();
  history.start(me).forEach(restore);
}

// restore adds a line of the history, from before the page was loaded.
function restore(line) {
  if (line.question === undefined) {
    const message = addMessage(line.messageId, String(line.userId), line.text);
    message.time.textContent = clock(line.createdAt);
    return;
  }
  const answer = answerTo(line.requestId);
  answer.question = line.question;
  answer.text = line.text;
  for (const call of line.tools) tool(call);
  write(answer);
  end(answer, line.kind, line.chip, line.under);
}

// notice adds a line from the page itself, and ends the open answers.
export function notice(text) {
  if (!$("messages").children.length) return;
  for (const answer of answers.values()) end(answer, "failed", "the page lost its stream");
  append(el("li", { class: "notice" }, text));
}

export function connected(ready) {
  $("send").textContent = ready ? "Send" : "Send later";
}

export function receive({ key, payload }) {
  const handle = {
    CHAT_MESSAGE: said,
    PRESENCE_UPDATE: present,
    AI_PROCESSING: processing,
    AI_TOKEN: token,
    AI_MESSAGE: complete,
    AI_ERROR: failed,
    AI_TOOL_CALL: tool,
    AI_TOOL_RESULT: tool,
  }[key];
  handle?.(payload);
}

// append adds a line, and scrolls to it if the end was visible.
function append(line) {
  $("empty").hidden = true;
  follow(() => $("messages").append(line));
}

let following = true;
const toEnd = () => following && ($("scroll").scrollTop = $("scroll").scrollHeight);
function follow(change) {
  change();
  toEnd();
}
let last = { top: 0, width: 0, height: 0 };
$("scroll").onscroll = () => {
  const { scrollHeight, scrollTop: top, clientWidth: width, clientHeight: height } = $("scroll");
  if (!height) return; // another view is shown
  if (scrollHeight - top - height < 60) following = true;
  else if (top < last.top && width === last.width && height === last.height) following = false; // by the user, not by a new size
  last = { top, width, height };
};
const sizes = new ResizeObserver(toEnd);
sizes.observe($("scroll"));
sizes.observe($("messages"));

function face(name) {
  const node = el("span", { class: "face", "aria-hidden": "true" }, [...name][0]?.toUpperCase() ?? "?");
  node.style.setProperty("--hue", hue(name));
  return node;
}

const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });

// said handles a message. The user's own message is on the page already, and is now confirmed
// by the backend.
function said({ messageId, userId, text, createdAt, requestId }) {
  let line = messages.get(messageId);
  if (!line) line = addMessage(messageId, String(userId), text);
  line.node.classList.remove("pending");
  line.under.textContent = line.own ? "✓ sent" : "";
  line.time.textContent = clock(createdAt);
  typists.delete(String(userId));
  showTyping();
  if (requestId) answerTo(requestId).question = text;
  if (!line.own) seen(messageId);
  history.add(messageId, { messageId, userId, text, createdAt });
}

function addMessage(id, user, text) {
  const own = user === me.user;
  const time = el("time");
  const under = el("div", { class: "under" });
  const node = el("li", { class: `message${own ? " own" : ""}` }, el("div", { class: "by" }, el("strong", {}, own ? "you" : user), time), el("div", { class: "bubble" }, text), under);
  const line = { node, under, time, own, readers: new Set() };
  messages.set(id, line);
  append(node);
  return line;
}

function present({ onlineUserIds }) {
  $("people").replaceChildren(...onlineUserIds.map((id) => el("li", { class: String(id) === me.user ? "me" : undefined }, face(String(id)), String(id))));
}

// answerTo returns the answer to a question. It adds an empty one if there is none yet.
function answerTo(requestId) {
  let answer = answers.get(requestId);
  if (answer) return answer;
  const chip = el("span", { class: "chip" }, "waiting");
  const bubble = el("div", { class: "bubble" });
  const content = el("div", { class: "content" });
  const under = el("div", { class: "under" });
  const node = el("li", { class: "message answer streaming", "aria-busy": "true" }, el("div", { class: "by" }, el("strong", {}, "assistant"), chip), bubble, under);
  bubble.append(content);
  answer = {
    requestId, node, chip, bubble, content, under, question: "", text: "", tokens: new Map(), tools: new Map(),
    began: 0, lastEvent: performance.now(), open: true, readers: new Set(),
  };
  answers.set(requestId, answer);
  append(node);
  return answer;
}

function processing({ requestId, status, reason }) {
  const answer = answerTo(requestId);
  answer.lastEvent = performance.now();
  if (answer.open && !answer.tokens.size) answer.chip.textContent = reason ? `${status}: ${reason}` : status;
}

function token({ requestId, token, index }) {
  const answer = answerTo(requestId);
  if (!answer.open || answer.tokens.has(index)) return;
  const now = performance.now();
  answer.began ||= now;
  answer.lastEvent = now;
  answer.tokens.set(index, token);
  answer.node.dataset.tokens = answer.tokens.size; // for the tests
  soon(answer);
  answer.chip.textContent = "answering";
  answer.under.textContent = `${answer.tokens.size} tokens${rate(answer)}`;
}

// soon writes the text of an answer before the next frame, however many tokens arrive until then.
function soon(answer) {
  if (answer.waiting) return;
  answer.waiting = true;
  requestAnimationFrame(() => {
    answer.waiting = false;
    if (!answer.open) return;
    answer.text = streamed(answer);
    write(answer);
  });
}

const streamed = ({ tokens }) => [...tokens].sort(([a], [b]) => a - b).map(([, token]) => token).join("");

const write = ({ content, text }) => follow(() => content.replaceChildren(markdown(text)));

function rate({ tokens, began }) {
  const past = (performance.now() - began) / 1000;
  return tokens.size && past > 0.5 ? `, ${Math.round(tokens.size / past)} a second` : "";
}

// complete handles the message that ends an answer. Its text replaces different tokens.
function complete({ requestId, messageId, text, usage, options = [] }) {
  const answer = answerTo(requestId);
  answer.node.dataset.streamed = streamed(answer) === text; // for the tests
  answer.text = text;
  write(answer);
  const missing = usage ? usage.completionTokens - answer.tokens.size : 0;
  const cost = usage ? `${usage.promptTokens} + ${usage.completionTokens} = ${usage.totalTokens} tokens${rate(answer)}` : "";
  end(answer, "done", "done", missing > 0 ? `${cost}; ${missing} not streamed` : cost);
  messages.set(messageId, { node: answer.node, under: answer.under, own: false, readers: answer.readers, cost: answer.under.textContent });
  for (const old of document.querySelectorAll(".answer .options")) old.remove();
  if (options.length) {
    const row = el("div", { class: "options" }, ...options.map((text) => choice(text)));
    follow(() => answer.node.append(row));
  }
  $("announce").textContent = `assistant: ${text}`;
  seen(messageId);
}

function choice(text) {
  const button = el("button", { type: "button" }, text);
  button.onclick = () => say(text);
  return button;
}

function failed({ requestId, ...error }) {
  end(answerTo(requestId), "failed", "failed", failure(error));
}

const failure = ({ code, message }) => (code ? `${message} (${code})` : message);

// tool shows a call and its result on one card.
function tool({ requestId, callId, toolName, args, result, error }) {
  const answer = answerTo(requestId);
  const call = { ...answer.tools.get(callId), callId, requestId };
  if (toolName !== undefined) call.toolName = toolName;
  if (args !== undefined) call.args = args;
  if (result !== undefined || error) Object.assign(call, { result, error });
  const line = (name, value) => [el("dt", {}, name), el("dd", {}, typeof value === "string" ? value : JSON.stringify(value, null, 1))];
  const done = call.error || call.result !== undefined;
  const card = el("details", { class: "tool", "data-call": callId, open: !done },
    el("summary", {}, el("strong", {}, call.toolName ?? "tool"), " ", el("span", { class: `chip ${call.error ? "failed" : done ? "done" : ""}` }, call.error ? "failed" : done ? "done" : "running")),
    el("dl", {}, ...line("arguments", call.args ?? {}), ...(call.error ? line("error", call.error) : done ? line("result", call.result) : [])));
  const old = call.card;
  answer.tools.set(callId, { ...call, card });
  follow(() => (old ? old.replaceWith(card) : answer.content.before(card)));
}

// finish handles the end of a question of this tab. If the AI failed, this may be before its
// AI_ERROR event or after it, and the text is the same.
export function finish({ requestId, error, aborted }) {
  const answer = answers.get(requestId);
  if (answer && error) end(answer, "failed", aborted ? "stopped" : "failed", aborted ? `stopped by you after ${answer.tokens.size} tokens` : failure(error));
  if (answer) answer.mine = false;
  showStop();
}

function end(answer, kind, chip, under = answer.under.textContent) {
  if (!answer.open) return;
  answer.open = false;
  if (answer.tokens.size && kind !== "done") {
    answer.text = streamed(answer);
    write(answer);
  }
  answer.node.classList.remove("streaming");
  answer.node.setAttribute("aria-busy", "false");
  answer.chip.className = `chip ${kind}`;
  answer.chip.textContent = chip;
  answer.under.textContent = under;
  const actions = el("div", { class: "actions" }, copyButton(() => answer.text));
  if (answer.question) {
    const again = el("button", { type: "button", class: "quiet" }, "Regenerate");
    again.onclick = () => say(answer.question);
    actions.append(again);
  }
  follow(() => answer.under.after(actions));
  remember(answer, { kind, chip, under });
}

function remember({ requestId, question, text, tools }, how) {
  history.add(requestId, { requestId, question, text, tools: [...tools.values()].map(({ card, ...call }) => call), ...how });
}

// An answer that is open when the page is left ends there.
addEventListener("pagehide", () => {
  for (const answer of answers.values()) {
    if (answer.open) remember(answer, { kind: "failed", chip: "stopped", under: "the page was left before the end" });
  }
});

// An answer that another user stopped sends no more events: end it after 10 seconds. A typing
// user without an event for 6 seconds has stopped.
setInterval(() => {
  for (const answer of answers.values()) {
    if (answer.open && !answer.mine && performance.now() - answer.lastEvent > 10_000) end(answer, "failed", "stalled");
  }
  const late = [...typists].filter(([, at]) => performance.now() - at > 6000);
  for (const [user] of late) typists.delete(user);
  if (late.length) showTyping();
}, 1000);

export function typing({ userId }, begins) {
  if (begins) typists.set(String(userId), performance.now());
  else typists.delete(String(userId));
  showTyping();
}

function showTyping() {
  const who = [...typists.keys()];
  $("typing").textContent = who.length ? `${who.join(", ")} ${who.length > 1 ? "are" : "is"} typing…` : "";
}

// read handles a read receipt.
export function read({ userId, messageIds }) {
  for (const id of messageIds) {
    const line = messages.get(id);
    if (!line || String(userId) === me.user) continue;
    line.readers.add(String(userId));
    const by = `✓✓ seen by ${[...line.readers].join(", ")}`;
    line.under.textContent = line.cost ? `${line.cost} · ${by}` : by;
  }
}

// seen sends a read receipt as soon as the page is visible.
function seen(id) {
  unread.push(id);
  setTimeout(sendSeen, 300);
}
function sendSeen() {
  if (document.hidden || !unread.length) return;
  const messageIDs = unread;
  unread = [];
  post("read", { messageIDs }).catch(() => {}); // a lost receipt does no harm
}
document.addEventListener("visibilitychange", sendSeen);

// Sending.

async function say(text) {
  try {
    const { messageId, requestId } = await post("ask", { text });
    if (!messages.has(messageId)) {
      const line = addMessage(messageId, me.user, text);
      line.node.classList.add("pending");
      line.under.textContent = "sending…";
    }
    Object.assign(answerTo(requestId), { mine: true, question: text });
    following = true;
    toEnd();
    showStop();
  } catch (error) {
    append(el("li", { class: "notice" }, `not sent: ${error.message}`));
  }
}

const mine = () => [...answers.values()].findLast((answer) => answer.open && answer.mine);
const showStop = () => ($("stop").hidden = !mine());

function stop() {
  const answer = mine();
  if (answer) post("abort", { requestID: answer.requestId }).catch(() => {}); // the outcome reports the error
}
$("stop").onclick = stop;

const field = $("text");
let typingSince = 0;
let quiet = 0;
function types(now) {
  clearTimeout(quiet);
  if (now) quiet = setTimeout(() => types(false), 2500);
  if (now === Boolean(typingSince)) return;
  typingSince = now ? performance.now() : 0;
  post("typing", { typing: now }).catch(() => {}); // a lost typing event does no harm
}
field.oninput = () => types(field.value.trim() !== "");
field.onkeydown = (event) => {
  if (event.key === "Escape") stop();
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  $("composer").requestSubmit();
};
$("composer").onsubmit = (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  types(false);
  say(text);
};
for (const button of $("starters").children) button.onclick = () => say(button.textContent);
