// A server for the tests of the wire, with npm's socket.io. Its middleware emits
// events before CONNECT is answered, and any namespace exists.
//
//   node wire.js [--port N]
//
// Environment: MAX_PAYLOAD (bytes), SOCKET_IO (the package, for an old version).
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const { Server } = await import(process.env.SOCKET_IO ?? "socket.io").then((m) => (m.Server ? m : m.default));
const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" } } });

const http = createServer();
const io = new Server(http, {
  serveClient: false,
  maxHttpBufferSize: Number(process.env.MAX_PAYLOAD ?? 1e6),
  allowRequest: (req, done) => done(req.url.includes("banned") ? "banned for a day" : null, !req.url.includes("banned")),
});

// Each session sets a cookie.
io.engine.on("initial_headers", (headers) => (headers["set-cookie"] = "node=b"));

const requests = []; // every HTTP request and upgrade
for (const event of ["request", "upgrade"]) {
  http.prependListener(event, ({ url, headers }) => {
    const query = new URL(url, "http://localhost").searchParams;
    const kind = query.get("transport") + (query.has("sid") ? "" : " handshake");
    requests.push({ client: query.get("client"), kind, cookies: (headers.cookie ?? "").split("; ").sort() });
  });
}

for (const name of ["/", /.+/]) io.of(name).use(greet).on("connection", serve);

function greet(socket, next) {
  socket.emit("early", "text");
  socket.emit("early", Buffer.from([1, 2]));
  socket.emit("ask", "name", (reply) => socket.emit("answered", reply));
  next();
}

function serve(socket) {
  socket.emit("early", "after");
  socket.on("echo", (value, ack) => ack(value));
  socket.on("seen", (ack) => {
    const { EIO, transport, t, ...query } = socket.handshake.query;
    ack({ query, namespace: socket.nsp.name, path: socket.handshake.url.split("?")[0] });
  });
  // The cookies of the last request of each kind, after the upgrade if the
  // client makes one.
  socket.on("cookies", (ack) => {
    const { client, upgrade } = socket.handshake.query;
    const reply = () => ack(Object.fromEntries(requests.filter((r) => r.client === client).map((r) => [r.kind, r.cookies])));
    upgrade && socket.conn.transport.name === "polling" ? socket.conn.once("upgrade", reply) : reply();
  });
}

http.listen(Number(options.port), "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
