// All events that this process has received, in order.
export const received = [];

// on calls handler(payload, ack) for an event. payload is the first argument of
// the event, or {} if there is none. ack is undefined if the client requests no
// acknowledgement.
export function on(socket, event, handler) {
  socket.on(event, (...args) => {
    const ack = typeof args.at(-1) === "function" ? args.pop() : undefined;
    handler(args[0] ?? {}, ack);
  });
}

// record records the events of the socket, except debug:received.
export function record(socket) {
  socket.onAny((event, ...args) => {
    if (event === "debug:received") return;
    received.push({ event, args: args.filter((arg) => typeof arg !== "function") });
  });
}
