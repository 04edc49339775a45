// Connects with npm's socket.io-client, and prints the server's view of it.
//
//   node reference.js URL [OPTIONS] [EVENT]
//
// OPTIONS is JSON and is added to the options of the client. EVENT (seen) is the
// event whose acknowledgement has the server's view.
import { io } from "socket.io-client";

const [url, options = "{}", event = "seen"] = process.argv.slice(2);
try {
  const socket = io(url, { reconnection: false, timeout: 10_000, transports: ["websocket"], ...JSON.parse(options) });
  const early = [];
  socket.on("early", (value) => early.push(typeof value === "string" ? value : "bytes"));
  socket.on("ask", (name, ack) => ack("hello " + name));
  socket.on("answered", (reply) => {
    socket.emit(event, (seen) => {
      console.log(JSON.stringify(event === "seen" ? { ...seen, early, reply } : seen));
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
