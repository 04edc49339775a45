// A chat backend for tests, with npm's socket.io.
//
//   node server.js [--port N] [--host ADDRESS]
//
// Environment: PORT (0: any free port), HOST (127.0.0.1), RECOVERY=1
// (connection state recovery), PING_INTERVAL and PING_TIMEOUT (milliseconds),
// TOKEN_DELAY (milliseconds between tokens, 5), TOKENS (how many in an answer;
// default: the words of its text), NAMES (JSON from key to event name).
//
// When it listens, it prints the line {"port":N}, and nothing after that.
// Errors are written to stderr. SIGTERM closes the connections and ends the
// process.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import { Server } from "socket.io";
import { chat } from "./chat.js";
import { debug } from "./debug.js";
import { record } from "./receive.js";

const env = process.env;
const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: env.PORT ?? "0" },
    host: { type: "string", default: env.HOST ?? "127.0.0.1" },
  },
});

const http = createServer();
const io = new Server(http, {
  serveClient: false,
  ...(env.RECOVERY === "1" && { connectionStateRecovery: {} }),
  ...(env.PING_INTERVAL && { pingInterval: Number(env.PING_INTERVAL) }),
  ...(env.PING_TIMEOUT && { pingTimeout: Number(env.PING_TIMEOUT) }),
});

const namespaces = [
  { name: "/", admits: (auth) => auth.token !== "bad", refusal: ["not authorised", "E_AUTH"] },
  { name: "/admin", admits: (auth) => auth.admin === true, refusal: ["admins only", "E_ADMIN"] },
];
for (const { name, admits, refusal: [message, code] } of namespaces) {
  io.of(name).use((socket, next) => {
    next(admits(socket.handshake.auth) ? undefined : Object.assign(new Error(message), { data: { code } }));
  });
  io.of(name).on("connection", (socket) => {
    record(socket);
    chat(socket);
    debug(socket);
  });
}

http.listen(Number(options.port), options.host, () => {
  console.log(JSON.stringify({ port: http.address().port }));
});

process.once("SIGTERM", async () => {
  await io.close();
  process.exit(0);
});
