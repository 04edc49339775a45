// A server for the conformance tests, with npm's socket.io. Its events return
// data about its clients.
//
//   node conformance.js [--port N]
//
// Environment: SOCKET_IO (the package, for an old version), RECOVERY=1, PER_MESSAGE_DEFLATE=1, PING_INTERVAL and
// PING_TIMEOUT (milliseconds), UPGRADES=0 (polling stays polling).
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const env = process.env;
const { Server } = await import(env.SOCKET_IO ?? "socket.io").then((m) => (m.Server ? m : m.default));
const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" } } });

const requests = []; // every HTTP request and upgrade
const http = createServer();
const io = new Server(http, {
  serveClient: false,
  maxHttpBufferSize: 1e7,
  ...(env.RECOVERY === "1" && { connectionStateRecovery: {} }),
  ...(env.PER_MESSAGE_DEFLATE === "1" && { perMessageDeflate: { threshold: 1024 } }),
  ...(env.PING_INTERVAL && { pingInterval: Number(env.PING_INTERVAL) }),
  ...(env.PING_TIMEOUT && { pingTimeout: Number(env.PING_TIMEOUT) }),
});
for (const event of ["request", "upgrade"]) {
  http.prependListener(event, ({ method, url, headers }) => requests.push({ method, url, key: headers["x-key"] ?? "" }));
}

const refuse = (message, code) => Object.assign(new Error(message), { data: { code } });
io.of("/").use((socket, next) => next(socket.handshake.auth.token === "bad" ? refuse("not authorised", "E_AUTH") : undefined));
io.of("/custom");
io.of("/refused").use((socket, next) => next(refuse("members only", "E_MEMBER")));

for (const name of ["/", "/custom", "/refused"]) io.of(name).on("connection", serve);

function serve(socket) {
  const heard = [];
  const last = (args) => (typeof args.at(-1) === "function" ? args.pop() : undefined);

  // The arguments are returned in the acknowledgement, or in an event without
  // one.
  socket.on("echo", (...args) => {
    const ack = last(args);
    ack ? ack(...args) : socket.emit("echo", ...args);
  });
  socket.on("types", (...args) => last(args)(args.map(typeOf)));
  socket.on("date", (ack) => ack(new Date("2026-11-22T10:20:30.400Z")));
  socket.on("surrogates", (ack) => ack("\ud83d", "a\udc00b", "\ud83d\ude00"));
  socket.on("same", (text, codes, ack) => ack([...text].map((c) => c.codePointAt(0)).join() === codes.join()));
  socket.on("never", () => {});
  socket.on("slow", (value, ack) => setTimeout(() => ack(value), 300));
  socket.on("ack then leave", (ack) => socket.disconnect());
  socket.on("ask", (name, ...args) => {
    const ack = last(args);
    const timer = setTimeout(() => ack("no answer"), 5000); // old versions have no socket.timeout
    socket.emit(name, ...args, (...reply) => {
      clearTimeout(timer);
      ack({ reply });
    });
  });

  socket.on("flood", (count) => {
    for (let i = 0; i < count; i++) socket.emit("n", i);
  });
  socket.on("n", (n) => heard.push(n));
  socket.on("heard", (ack) => ack(heard));

  socket.on("handshake", (ack) => {
    const { auth, query } = socket.handshake;
    const transport = socket.conn.transport;
    ack({ id: socket.id, namespace: socket.nsp.name, auth, query, transport: transport.name, extensions: transport.socket?.extensions ?? "" });
  });
  socket.on("requests", (ack) => ack(requests.filter((r) => r.url.includes(`sid=${encodeURIComponent(socket.conn.id)}`))));
  socket.on("disconnect me", () => socket.disconnect());
  socket.on("close", () => socket.conn.close());
  // Recovery also covers events that are emitted to a room.
  socket.on("close and emit", (count) => {
    socket.join("room");
    socket.emit("n", 0);
    setTimeout(() => {
      socket.conn.close();
      for (let i = 1; i <= count; i++) io.to("room").emit("n", i);
    }, 50);
  });
  socket.on("say to the room", (n) => io.to("room").emit("n", n));
  socket.on("binary", (...args) => last(args)(...positions()));
  socket.on("binary event", () => socket.emit("binary", ...positions()));
}

// positions returns values with bytes in each possible position.
function positions() {
  const bytes = (...b) => Buffer.from(b);
  return [bytes(1), { nested: { list: ["text", bytes(2), [bytes(3, 3)]] }, empty: bytes() }, [bytes(4), null, bytes(5)], "text"];
}

function typeOf(value) {
  if (Buffer.isBuffer(value)) return `bytes:${value.length}:${value[0] ?? ""}`;
  if (Array.isArray(value)) return value.map(typeOf);
  if (value !== null && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, typeOf(v)]));
  return value === null ? "null" : typeof value;
}

http.listen(Number(options.port), "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
