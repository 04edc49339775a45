// npm's socket.io-client as a client of the mock server. It prints its results
// as lines of JSON.
//
//   node mockclient.js URL TOKEN
import { once } from "node:events";
import { io } from "socket.io-client";

const [url, token] = process.argv.slice(2);
const say = (what, payload) => console.log(JSON.stringify({ what, payload }));
const connect = (auth) => io(url, { auth, forceNew: true, transports: ["websocket"] });
const join = (socket) => socket.emitWithAck("chat:join", { chatId: "room-1" });
const ask = (socket, requestId, text) =>
  socket.emitWithAck("user:message", { chatId: "room-1", requestId, messageId: `m-${requestId}`, userId: "ada", text });
const until = (socket, name, fits) =>
  new Promise((resolve) => {
    const look = (payload) => {
      if (!fits(payload)) return;
      socket.off(name, look);
      resolve(payload);
    };
    socket.on(name, look);
  });
setTimeout(() => {
  console.error("mockclient: timeout");
  process.exit(1);
}, 60_000);

const stranger = connect({ userId: "eve" });
const [refusal] = await once(stranger, "connect_error");
say("refused", refusal.message);
stranger.close();

const ada = connect({ userId: "ada", token, tools: ["clock"] });
const bob = connect({ userId: "bob", token });
const tokens = [];
ada.on("ai:token", (token) => tokens.push(token));
let called;
ada.on("ai:tool_call", (call, reply) => {
  called = { toolName: call.toolName, args: call.args };
  reply({ time: "noon" });
});
say("joined", await join(ada));
const both = until(ada, "presence:update", ({ onlineUserIds }) => onlineUserIds.length === 2);
await join(bob);
say("presence", (await both).onlineUserIds);

ada.emit("meta:events:request", { chatId: "room-1" });
const [names] = await once(ada, "meta:events:response");
say("names", { AI_TOKEN: names.AI_TOKEN, JOIN: names.JOIN });

const typing = once(bob, "user:typingStart");
ada.emit("user:typingStart", { chatId: "room-1", userId: "ada" });
say("typing", (await typing)[0]);
const read = once(ada, "chat:read");
bob.emit("chat:read", { chatId: "room-1", userId: "bob", messageIds: ["m-r1"], readAt: "2026-01-02T03:04:05Z" });
say("read", (await read)[0]);

const heard = once(bob, "chat:message");
const final = until(ada, "ai:message", ({ requestId }) => requestId === "r1");
say("sent", await ask(ada, "r1", "What time is it?"));
say("heard", (await heard)[0].text);
const { text, usage } = await final;
say("tool call", called);
say("answer", { text, whole: tokens.map(({ token }) => token).join("") === text, usage: usage.completionTokens === tokens.length });

// The connection is lost during a long answer. The client reconnects and misses
// no event.
tokens.length = 0;
const whole = until(ada, "ai:message", ({ requestId }) => requestId === "r2");
await ask(ada, "r2", "Tell me something long");
await until(ada, "ai:token", ({ index }) => index === 5);
ada.io.engine.close();
await once(ada, "connect");
say("recovered", ada.recovered);
await whole;
say("in order", tokens.every(({ index }, i) => index === i));

// After the acknowledgement of an abort, no further token of the answer
// arrives.
await ask(ada, "r3", "Tell me something long");
await until(ada, "ai:token", ({ requestId }) => requestId === "r3");
say("aborted", await ada.emitWithAck("ai:abort", { chatId: "room-1", requestId: "r3" }));
tokens.length = 0;
const next = until(ada, "ai:message", ({ requestId }) => requestId === "r4");
await ask(ada, "r4", "Hello");
await next;
say("silence", tokens.every(({ requestId }) => requestId === "r4"));

const kicked = once(bob, "disconnect");
await fetch(`${url}/faults/kick`, { method: "POST", body: JSON.stringify({ id: bob.id }) });
say("kicked", (await kicked)[0]);
process.exit(); // without it the sockets wait 30 s for the server's close frame
