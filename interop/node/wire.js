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
}

http.listen(Number(options.port), "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
