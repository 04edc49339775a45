import { names } from "./names.js";
import { on, received } from "./receive.js";

// debug adds events that inspect the server and cause failures.
export function debug(socket) {
  // The arguments are returned in the acknowledgement, or in an event without
  // one.
  socket.on("echo", (...args) => {
    if (typeof args.at(-1) === "function") args.pop()(...args);
    else socket.emit("echo", ...args);
  });
  on(socket, "debug:received", (_, ack) => ack?.(received));
  on(socket, "debug:handshake", (_, ack) => {
    const { auth, query, headers } = socket.handshake;
    ack?.({ auth, query, headers, id: socket.id, transport: socket.conn.transport.name });
  });
  // New names apply to sent events at once, and to received events after the next
  // connect.
  on(socket, "debug:rename", (changes) => Object.assign(names, changes));
  on(socket, "debug:sockets", (_, ack) => ack?.([...socket.nsp.sockets.keys()]));
  on(socket, "debug:disconnect", () => socket.disconnect()); // this namespace only
  on(socket, "debug:close", () => socket.conn.close()); // the connection of all namespaces
  on(socket, "debug:error", () => socket.emit("error", { code: "E_SERVER", message: "something broke" }));
}
