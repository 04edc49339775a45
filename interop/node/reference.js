// Connects with npm's socket.io-client, and prints the server's view of it.
//
//   node reference.js URL [PATH]
import { io } from "socket.io-client";

const [url, path] = process.argv.slice(2);
try {
  const socket = io(url, { ...(path && { path }), reconnection: false, timeout: 10_000, transports: ["websocket"] });
  const early = [];
  socket.on("early", (value) => early.push(typeof value === "string" ? value : "bytes"));
  socket.on("ask", (name, ack) => ack("hello " + name));
  socket.on("answered", (reply) => {
    socket.emit("seen", (seen) => {
      console.log(JSON.stringify({ ...seen, early, reply }));
      socket.close();
    });
  });
  socket.on("connect_error", (err) => {
    console.log(JSON.stringify({ error: err.message }));
    socket.close();
  });
} catch (err) {
  console.log(JSON.stringify({ error: err.message }));
}
