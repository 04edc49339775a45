import { Answer } from "./answer.js";
import { names } from "./names.js";
import { on } from "./receive.js";

const roomPrefix = "chat:";

// The name of a room has the id of the chat as JSON: 7 and "7" are two chats.
const roomName = (chatId) => roomPrefix + JSON.stringify(chatId);
const chatIdOf = (room) => JSON.parse(room.slice(roomPrefix.length));
const chatRooms = (socket) => [...socket.rooms].filter((room) => room.startsWith(roomPrefix));

const answers = new Map(); // by requestId, complete ones too
const running = new Set(); // answers in progress
const seen = new Set(); // ids of the processed messages

// chat makes socket a member of the chats that it joins.
export function chat(socket) {
  const nsp = socket.nsp;
  // Without a chat, events are sent to the socket only.
  const audience = ({ chatId }) => nsp.to(chatId == null ? socket.id : roomName(chatId));

  // emitPresence emits the users of a room to the sockets of "to". It omits the
  // socket whose id is "without".
  const emitPresence = (to, room, without) => {
    const ids = [...(nsp.adapter.rooms.get(room) ?? [])].filter((id) => id !== without);
    // A socket joins its rooms before its recovery is complete. Until then it
    // is not in nsp.sockets.
    const members = ids.map((id) => nsp.sockets.get(id)).filter(Boolean);
    const onlineUserIds = [...new Set(members.map((member) => member.handshake.auth.userId ?? member.id))];
    to.emit(names.PRESENCE_UPDATE, { chatId: chatIdOf(room), onlineUserIds });
  };

  // A join of the chat "locked" is rejected.
  on(socket, names.JOIN, ({ chatId }, ack) => {
    if (chatId === "locked") return ack?.({ ok: false, error: "the room is locked", code: "E_LOCKED" });
    if (chatId != null) {
      const room = roomName(chatId);
      socket.join(room);
      emitPresence(nsp.to(room), room);
    }
    ack?.({ ok: true });
  });
  on(socket, "chat:leave", ({ chatId }) => {
    if (chatId == null) return;
    const room = roomName(chatId);
    socket.leave(room);
    emitPresence(nsp.to(room), room);
  });
  // A recovered socket is in its rooms; a new one is in none yet.
  for (const room of chatRooms(socket)) emitPresence(nsp.to(room), room);
  socket.on("disconnecting", () => {
    for (const room of chatRooms(socket)) emitPresence(socket.to(room), room, socket.id);
  });

  // A repeated message is only acknowledged. The first message with the text
  // /close is not acknowledged; the connection is closed instead.
  on(socket, names.USER_MESSAGE, async (message, ack) => {
    const { chatId, traceId, requestId, messageId, userId, text } = message;
    const again = messageId != null && seen.has(messageId);
    if (again || text !== "/close") ack?.({ ok: true, messageId, again });
    if (again) return;
    seen.add(messageId);
    const said = { chatId, traceId, requestId, messageId, userId, text, createdAt: new Date().toISOString() };
    audience(message).emit(names.CHAT_MESSAGE, said);
    if (text === "/close") return socket.conn.close();
    const answer = new Answer(socket, audience(message), message);
    answers.set(requestId, answer);
    running.add(answer);
    await answer.run();
    running.delete(answer);
  });

  // ai:resume sends the events after the token with the index "after" again.
  on(socket, "ai:resume", ({ requestId, after }) => answers.get(requestId)?.repeat(socket, after));

  // An abort without a requestId stops all answers in its chat.
  on(socket, names.AI_ABORT, (abort) => {
    for (const answer of running) {
      if (abort.requestId == null ? answer.chatId !== abort.chatId : answer.requestId !== abort.requestId) continue;
      answer.stop();
      running.delete(answer);
      audience(answer).emit("debug:aborted", { chatId: answer.chatId, requestId: answer.requestId, sent: answer.sent });
    }
  });

  for (const event of [names.USER_TYPING_START, names.USER_TYPING_STOP, names.CHAT_READ]) {
    on(socket, event, (payload) => audience(payload).emit(`debug:${event}`, payload));
  }

  on(socket, "meta:events:request", () => socket.emit("meta:events:response", names));
}
