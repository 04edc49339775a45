// A backend and a browser that use the types of the contract. This file is
// compiled, but not run.
import { Server } from "socket.io";
import { io, type Socket } from "socket.io-client";
import { EventNames } from "../../docs/contract/ChatEvents";
import type { AIMessage, ChatEvents, EventKey, FromServer, Listeners, ToServer } from "../../docs/contract/ChatEvents";

const server = new Server<Listeners<ToServer>, Listeners<FromServer>>();
server.on("connection", (socket) => {
  socket.on("user:message", (question, acknowledge) => {
    acknowledge?.({ ok: true });
    const { chatId, requestId } = question;
    socket.emit("ai:processing", { chatId, requestId, status: "working" });
    socket.emit("ai:token", { chatId, requestId, token: question.text.toUpperCase(), index: 0 });
    const final: AIMessage = {
      chatId, requestId, messageId: "m2", role: "assistant", text: question.text.toUpperCase(), createdAt: new Date().toISOString(),
    };
    socket.emit(EventNames.AI_MESSAGE, final);
    // @ts-expect-error a token has an index
    socket.emit("ai:token", { token: "x" });
    // @ts-expect-error the status does not exist
    socket.emit("ai:processing", { status: "thinking" });
    // @ts-expect-error the server does not send this event
    socket.emit("user:message", question);
  });
  socket.on("chat:join", (join) => socket.join(String(join.chatId)));
});

const client: Socket<Listeners<FromServer>, Listeners<ToServer>> = io("http://localhost:4000");
client.on("ai:message", (message) => message.usage?.totalTokens?.toFixed());
client.emit("user:message", { messageId: "m1", userId: 7, text: "Hello", parts: [{ type: "image", value: {} }] }, (reply) => reply);
// @ts-expect-error a message has a text
client.emit("user:message", { messageId: "m1", userId: 7 });

// Each key has the name of an event, and each name has a payload.
type NameOf<Key extends EventKey> = (typeof EventNames)[Key];
const names: { [Key in EventKey]: NameOf<Key> & keyof ChatEvents } = EventNames;
const token: ChatEvents[typeof names.AI_TOKEN] = { token: "Hi", index: 0, done: false };
// @ts-expect-error done is never true
const done: ChatEvents["ai:token"] = { token: "Hi", index: 0, done: true };
export { done, token };
