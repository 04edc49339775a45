// Helpers of the scripts. Each script prints one JSON value.
import * as v5 from "ai-5";
import * as v6 from "ai-6";
import * as v7 from "ai";

export const versions = { v5, v6, v7 };
export const args = JSON.parse(process.argv[2]);
export const api = args.url + "/api/chat";

export const print = (value) => process.stdout.write(JSON.stringify(value));

export const until = async (condition) => {
  for (const deadline = Date.now() + 100_000; !condition(); ) {
    if (Date.now() > deadline) throw new Error("waited for too long: " + condition);
    await new Promise((next) => setTimeout(next, 5));
  }
};

// chat returns a chat without a framework, as each framework's own one.
export function chat(lib, id, options = {}) {
  const state = {
    status: "ready",
    error: undefined,
    messages: [],
    pushMessage(m) {
      state.messages = state.messages.concat(m);
    },
    popMessage() {
      state.messages = state.messages.slice(0, -1);
    },
    replaceMessage(i, m) {
      state.messages = state.messages.with(i, structuredClone(m));
    },
    snapshot: (thing) => structuredClone(thing),
  };
  const data = [];
  class Chat extends lib.AbstractChat {}
  const chat = new Chat({
    id,
    state,
    transport: new lib.DefaultChatTransport({ api }),
    onData: (part) => data.push(part),
    ...options,
  });
  chat.data = data;
  return chat;
}

export const text = (message) =>
  message?.role === "assistant" ? message.parts.filter((p) => p.type === "text").map((p) => p.text).join("") : "";

// outcome is the state of a chat after an answer.
export const outcome = (chat) => ({
  status: chat.status,
  error: chat.error?.message,
  data: chat.data.map(({ type, data }) => ({ type, data })),
  message: chat.lastMessage,
  text: text(chat.lastMessage),
});
