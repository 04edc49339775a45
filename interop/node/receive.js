// Every event that this process has received, in order of arrival.
export const received = [];

// on calls handler(payload, ack) for an event: payload is its first argument,
// {} if there is none; ack is undefined unless the client asked for one.
export function on(socket, event, handler) {
  socket.on(event, (...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
    handler(args[0] ?? {}, ack);
  });
}

// record keeps what the socket receives, but for the question what that was.
export function record(socket) {
  socket.onAny((event, ...args) => {
    if (event === "debug:received") return;
    received.push({ event, args: args.filter((arg) => typeof arg !== "function") });
  });
}
