import { names } from "./names.js";
import { on, received } from "./receive.js";

// debug lets a test look into the server, and break things.
export function debug(socket) {
  // With an acknowledgement the arguments come back in it, without one as an event.
  socket.on("echo", (...args) => {
    if (typeof args.at(-1) === "function") args.pop()(...args);
    else socket.emit("echo", ...args);
  });
  on(socket, "debug:received", (_, ack) => ack?.(received));
  on(socket, "debug:handshake", (_, ack) => {
    const { auth, query, headers } = socket.handshake;
    ack?.({ auth, query, headers, id: socket.id });
  });
  on(socket, "debug:rename", (changes) => Object.assign(names, changes)); // said at once, heard from the next connect on
  on(socket, "debug:sockets", (_, ack) => ack?.([...socket.nsp.sockets.keys()]));
  on(socket, "debug:disconnect", () => socket.disconnect()); // this namespace only
  on(socket, "debug:close", () => socket.conn.close()); // the connection under all of them
  on(socket, "debug:error", () => socket.emit("error", { code: "E_SERVER", message: "something broke" }));
}
