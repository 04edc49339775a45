// A chat backend for the chaos suite, with npm's socket.io. It keeps a record
// of the messages that it receives and of its answers.
//
//   node chaos.js [--port N]
//
// Environment: RECOVERY=1 (connection state recovery), PING_INTERVAL and
// PING_TIMEOUT (milliseconds), TOKEN (the only token that is accepted; default:
// clients need no token).
//
// Each event to a room has a number in seq: 1, 2, 3… in that room. The event
// chaos:joined has the current number when a client joins.
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Server } from "socket.io";
import { names } from "./names.js";
import { on } from "./receive.js";

const env = process.env;
const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" } } });

const http = createServer();
const io = new Server(http, {
  serveClient: false,
  ...(env.RECOVERY === "1" && { connectionStateRecovery: {} }),
  ...(env.PING_INTERVAL && { pingInterval: Number(env.PING_INTERVAL) }),
  ...(env.PING_TIMEOUT && { pingTimeout: Number(env.PING_TIMEOUT) }),
});

const { adapter } = io.of("/");

let admitted = env.TOKEN;
io.use((socket, next) => {
  const { token, control } = socket.handshake.auth;
  const welcome = admitted === undefined || control || token === admitted;
  next(welcome ? undefined : Object.assign(new Error("token expired"), { data: { code: "E_EXPIRED" } }));
});

const rooms = new Map(); // by chatId

function roomOf(chatId) {
  if (!rooms.has(chatId)) rooms.set(chatId, new Room(chatId));
  return rooms.get(chatId);
}

class Room {
  seq = 0; // of the last event
  answers = new Map(); // by requestId
  processed = []; // messageIds, in order
  arrivals = {}; // messageId: how often it has arrived
  results = {}; // callId: the results of a tool call

  constructor(chatId) {
    this.chatId = chatId;
  }

  say(event, payload) {
    io.to(this.chatId).emit(event, { ...payload, chatId: this.chatId, seq: ++this.seq });
  }

  // prune deletes old entries.
  prune() {
    for (const [id, answer] of this.answers) if (answer.done) this.answers.delete(id);
    for (const id of this.processed.splice(0, this.processed.length - 100)) delete this.arrivals[id];
    for (const id of Object.keys(this.arrivals).slice(0, -1000)) delete this.arrivals[id];
    for (const id of Object.keys(this.results).slice(0, -1000)) delete this.results[id];
  }

  record() {
    const answers = Object.fromEntries([...this.answers].map(([id, { tokens, asked, aborted, done }]) => [id, { tokens, asked, aborted, done }]));
    return { seq: this.seq, processed: this.processed, arrivals: this.arrivals, results: this.results, answers };
  }
}

// An Answer continues without a connected client. The text of its question is
// "N MS": N tokens, MS milliseconds apart.
class Answer {
  asked = 0; // how often
  aborted = 0;
  sent = 0; // tokens
  done = false;
  #run; // the AbortController of the current run

  constructor(room, requestId, text) {
    const [count, delay] = text.split(" ").map(Number);
    Object.assign(this, { room, requestId, delay });
    this.tokens = Array.from({ length: count }, (_, i) => `${requestId}.${i} `);
  }

  // ask starts the answer, or repeats the tokens that it has sent.
  ask() {
    this.asked++;
    this.#run ? this.repeat(-1) : this.#speak(this.#run = new AbortController());
  }

  abort() {
    this.aborted++;
    this.#run?.abort();
    this.#run = undefined;
    this.sent = 0;
    this.done = false;
  }

  repeat(after) {
    for (let index = after + 1; index < this.sent; index++) this.#token(index);
    if (this.done) this.#message();
  }

  async #speak({ signal }) {
    this.room.say(names.AI_PROCESSING, { requestId: this.requestId, status: "working" });
    for (const index of this.tokens.keys()) {
      try {
        await pause(this.delay, undefined, { signal });
      } catch {
        return;
      }
      this.#token(index);
      this.sent = index + 1;
    }
    this.done = true;
    this.#message();
  }

  #token(index) {
    this.room.say(names.AI_TOKEN, { requestId: this.requestId, token: this.tokens[index], index });
  }

  #message() {
    const [messageId, text, createdAt] = [`answer-${this.requestId}`, this.tokens.join(""), new Date().toISOString()];
    this.room.say(names.AI_MESSAGE, { requestId: this.requestId, messageId, role: "assistant", text, createdAt });
  }
}

io.on("connection", (socket) => {
  on(socket, names.JOIN, ({ chatId }) => {
    socket.join(chatId);
    socket.emit("chaos:joined", { chatId, seq: roomOf(chatId).seq, recovered: socket.recovered });
  });

  // A message with a requestId is a question. A message without one is
  // processed once.
  on(socket, names.USER_MESSAGE, ({ chatId, requestId, messageId, text }, ack) => {
    const room = roomOf(chatId);
    const times = (room.arrivals[messageId] = (room.arrivals[messageId] ?? 0) + 1);
    if (requestId) {
      if (!room.answers.has(requestId)) room.answers.set(requestId, new Answer(room, requestId, text));
      room.answers.get(requestId).ask();
    } else if (times === 1) {
      room.processed.push(messageId);
    }
    if (ack) setTimeout(ack, 2, { messageId });
  });
  on(socket, "chat:leave", ({ chatId }) => socket.leave(chatId));

  // Each request calls a tool of the clients in the room once.
  on(socket, "chaos:call", ({ chatId, callId, n }) => {
    const call = { callId, requestId: `call-${callId}`, toolName: "increment", args: { n } };
    if (!(callId in roomOf(chatId).results)) roomOf(chatId).say(names.AI_TOOL_CALL, call);
    roomOf(chatId).results[callId] ??= [];
  });
  on(socket, names.AI_TOOL_RESULT, ({ chatId, callId, result }) => (roomOf(chatId).results[callId] ??= []).push(result));

  on(socket, names.AI_ABORT, ({ chatId, requestId }) => roomOf(chatId).answers.get(requestId)?.abort());
  on(socket, "ai:resume", ({ chatId, requestId, after }, ack) => {
    const answer = roomOf(chatId).answers.get(requestId);
    answer?.repeat(after);
    ack({ known: answer !== undefined });
  });

  on(socket, "chaos:record", ({ chatId }, ack) => ack(roomOf(chatId).record()));
  on(socket, "chaos:forget", ({ chatId }) => rooms.delete(chatId));
  on(socket, "chaos:prune", ({ chatId }) => roomOf(chatId).prune());
  on(socket, "chaos:present", ({ chatId }, ack) => ack(adapter.rooms.get(chatId)?.size ?? 0));
  on(socket, "chaos:disconnect", ({ chatId }, ack) => ack(io.in(chatId).disconnectSockets()));
  on(socket, "chaos:clock", ({ ms }, ack) => ack(turnClock(ms)));
  on(socket, "chaos:expire", ({ token }, ack) => {
    admitted = token;
    for (const [, other] of io.of("/").sockets) if (!other.handshake.auth.control) other.disconnect();
    ack();
  });
});

// turnClock sets the clock of this process forward or back.
function turnClock(ms) {
  const now = Date.now;
  Date.now = () => now() + ms;
}

http.listen(Number(options.port), "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));

process.once("SIGTERM", async () => {
  await io.close();
  process.exit(0);
});
