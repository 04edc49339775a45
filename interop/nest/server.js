// A chat backend with a gateway of NestJS. Its decorators are called as
// functions, so nothing is compiled.
//
//   node server.js [--port N]
//
// Environment: REQUEST_ID=0 (the answers have no requestId).
import "reflect-metadata";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import common from "@nestjs/common";
import core from "@nestjs/core";
import websockets from "@nestjs/websockets";

const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" } } });

class Gateway {
  handleConnection(socket) {
    socket.emit("welcome", { transport: socket.conn.transport.name });
  }

  // Nest acknowledges an event with the value that its handler returns.
  join(socket, { chatId }) {
    socket.join(`chat:${chatId}`);
    return { ok: true, chatId };
  }

  // Every message is answered, also one that is no question.
  message(socket, message) {
    if (message.text === "/refuse") throw new websockets.WsException("the text is refused");
    if (message.text === "/crash") throw new Error("a secret of the server");
    this.answer(message);
    return { ok: true, messageId: message.messageId };
  }

  async answer({ chatId, requestId, text, messageId }) {
    const refs = { chatId, ...(process.env.REQUEST_ID !== "0" && { requestId }) };
    const room = this.server.to(`chat:${chatId}`);
    const tokens = Array.from({ length: 5 }, (_, index) => `${text}-${index} `);
    room.emit("ai:processing", { ...refs, status: "working" });
    for (const [index, token] of tokens.entries()) {
      await setTimeout(10);
      room.emit("ai:token", { ...refs, token, index });
    }
    const createdAt = new Date().toISOString();
    room.emit("ai:message", { ...refs, messageId: `answer-${messageId}`, role: "assistant", text: tokens.join(""), createdAt });
  }

  echo(value) {
    return value;
  }

  // An object with a field "event" is an event, and no acknowledgement.
  event(data) {
    return { event: "pong", data };
  }

  // Without a value there is no acknowledgement.
  silent() {}
}

const handlers = [
  ["chat:join", "join", websockets.ConnectedSocket(), websockets.MessageBody()],
  ["user:message", "message", websockets.ConnectedSocket(), websockets.MessageBody()],
  ["echo", "echo", websockets.MessageBody()],
  ["ping me", "event", websockets.MessageBody()],
  ["silent", "silent"],
];
for (const [event, method, ...parameters] of handlers) {
  parameters.forEach((decorate, index) => decorate(Gateway.prototype, method, index));
  websockets.SubscribeMessage(event)(Gateway.prototype, method, Object.getOwnPropertyDescriptor(Gateway.prototype, method));
}
websockets.WebSocketServer()(Gateway.prototype, "server");
websockets.WebSocketGateway()(Gateway);

class App {}
common.Module({ providers: [Gateway] })(App);

const app = await core.NestFactory.create(App, { logger: false });
await app.listen(Number(options.port), "127.0.0.1");
console.log(JSON.stringify({ port: app.getHttpServer().address().port }));
