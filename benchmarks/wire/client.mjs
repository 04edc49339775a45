// One run of the reference client: node --input-type=module -e … URL TRANSPORT MODE EVENTS
import { io } from "socket.io-client";

const [url, transport, mode, count] = process.argv.slice(1);
const n = Number(count);
const socket = io(url, { transports: [transport], upgrade: false, rejectUnauthorized: false });

function finish(start, inOrder) {
  console.log(JSON.stringify({ Milliseconds: performance.now() - start, InOrder: inOrder }));
  process.exit(0);
}

socket.on("connect", async () => {
  let start = performance.now();
  if (mode === "send") {
    socket.on("go", () => {
      start = performance.now();
      for (let i = 0; i < n; i++) {
        socket.emit("user:message", {
          chatId: "room-1", requestId: "req-1234", messageId: String(i), userId: "u1",
          text: "Hello, how are you today? Tell me something about the sea.",
        });
      }
    });
    socket.on("done", (inOrder) => finish(start, inOrder));
    socket.emit("count", n);
  } else if (mode === "receive") {
    let next = 0, inOrder = true;
    socket.on("ai:token", (token) => {
      inOrder = inOrder && token.index === next;
      if (++next === n) finish(start, inOrder);
    });
    socket.emit("blast", n);
  } else {
    const inFlight = mode === "call1" ? 1 : 64;
    await Promise.all(Array.from({ length: inFlight }, async () => {
      for (let i = 0; i < Math.floor(n / inFlight); i++) await socket.emitWithAck("echo", i);
    }));
    finish(start, true);
  }
});
