import { randomUUID } from "node:crypto";
import { setImmediate, setTimeout } from "node:timers/promises";
import { names } from "./names.js";

const defaultDelay = Number(process.env.TOKEN_DELAY ?? 5); // milliseconds between tokens
const defaultCount = Number(process.env.TOKENS ?? 0); // 0: the words of the reply

// An Answer is the reply to one user message: a status, tokens and a final
// message. A command in the text of the message changes it:
//
//   /tokens N [MS]  N tokens, MS milliseconds apart
//   /error          ai:error instead of an answer
//   /tool           a tool call and its result first
//   /toolack        a tool call with an acknowledgement first; the event
//                   tool:acked has the arguments of the acknowledgement
//   /bad            an invalid token first
//   /noid           all events without requestId
export class Answer {
  #stopped = new AbortController();
  #socket; // sent the question
  #room; // receives the answer
  #refs; // the fields of each payload of the answer
  #text;
  #command;
  #said = []; // the tokens and the final message that were sent

  constructor(socket, room, { chatId, requestId, traceId, text = "" }) {
    Object.assign(this, { chatId, requestId, sent: 0 }); // sent: number of tokens
    this.#socket = socket;
    this.#room = room;
    this.#text = String(text);
    this.#command = this.#text.split(/\s+/, 1)[0];
    this.#refs = this.#command === "/noid" ? { chatId, traceId } : { chatId, requestId, traceId };
  }

  // run returns when the answer is complete or stopped.
  async run() {
    try {
      await this.#speak();
    } catch (err) {
      if (!this.#stopped.signal.aborted) throw err;
    }
  }

  // repeat sends the events after a token again.
  repeat(socket, after) {
    for (const [event, payload] of this.#said.slice(after + 1)) socket.emit(event, payload);
  }

  stop() {
    this.#stopped.abort();
  }

  async #speak() {
    const call = { callId: randomUUID(), toolName: "search", args: { query: this.#text } };
    this.#emit(names.AI_PROCESSING, { status: "queued", etaMs: 10 });
    this.#emit(names.AI_PROCESSING, { status: "working" });
    switch (this.#command) {
      case "/error":
        this.#emit(names.AI_ERROR, { code: "E_MODEL", message: "the model failed", details: { text: this.#text } });
        return;
      case "/tool":
        this.#emit(names.AI_TOOL_CALL, call);
        this.#emit(names.AI_TOOL_RESULT, { callId: call.callId, toolName: call.toolName, result: { found: 1 } });
        break;
      case "/toolack":
        await this.#callToolWithAck(call);
        break;
      case "/bad":
        this.#emit(names.AI_TOKEN, { token: "bad", index: "zero" });
        break;
    }
    await this.#stream();
  }

  async #stream() {
    const { tokens, delay } = this.#plan();
    for (const [index, token] of tokens.entries()) {
      await this.#pause(delay);
      this.#say(names.AI_TOKEN, { token, index });
      this.sent++;
    }
    const promptTokens = words(this.#text).length;
    const usage = { promptTokens, completionTokens: tokens.length, totalTokens: promptTokens + tokens.length };
    const createdAt = new Date().toISOString();
    this.#say(names.AI_MESSAGE, { messageId: randomUUID(), role: "assistant", text: tokens.join(""), createdAt, usage });
  }

  #plan() {
    let [command, count, delay] = this.#text.split(/\s+/);
    if (command !== "/tokens") [count, delay] = [defaultCount, defaultDelay];
    const counted = Array.from({ length: Number(count) || 0 }, (_, i) => `t${i} `);
    return { tokens: counted.length > 0 ? counted : words(`You said: ${this.#text}`), delay: Number(delay ?? defaultDelay) };
  }

  // An abort is received even during a pause of 0 ms.
  #pause(ms) {
    const { signal } = this.#stopped;
    return ms > 0 ? setTimeout(ms, undefined, { signal }) : setImmediate(undefined, { signal });
  }

  // Only the client that asked receives the call, so there is one reply.
  async #callToolWithAck(call) {
    const outcome = await new Promise((resolve) => {
      this.#socket.timeout(5000).emit(names.AI_TOOL_CALL, { ...this.#refs, ...call }, (err, ...args) => {
        resolve(err ? { error: err.message } : { args });
      });
    });
    this.#stopped.signal.throwIfAborted();
    this.#emit("tool:acked", { callId: call.callId, ...outcome });
  }

  #say(event, payload) {
    this.#said.push([event, { ...this.#refs, ...payload }]);
    this.#emit(event, payload);
  }

  #emit(event, payload) {
    this.#room.emit(event, { ...this.#refs, ...payload });
  }
}

// words splits text into tokens. Joined, they are the text again.
function words(text) {
  return text.match(/\S+\s*|\s+/g) ?? [];
}
