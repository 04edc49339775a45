// Chats whose front end is killed in mid-answer. They continue at another one.
import { chat, outcome, text, until, versions } from "./lib.mjs";
import { args } from "./lib.mjs";

let current = args.urls[0]; // as a load balancer chooses it
const print = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const lib = versions.v7;
const chats = Array.from({ length: args.chats }, (_, i) =>
  chat(lib, "chat-" + i, {
    transport: new lib.DefaultChatTransport({
      api: "/api/chat",
      fetch: (path, init) => fetch(current + path, init),
    }),
  }),
);
const asking = chats.map((c) => c.sendMessage({ text: "paced" }));
await until(() => chats.every((c) => text(c.lastMessage).includes("9 ")));
print("middle"); // the front end is killed now, while tokens arrive
await Promise.all(asking);
const before = chats.map((c) => text(c.lastMessage).split(" ").length);
const broken = chats.map((c) => c.status);
current = args.urls[1];
const resuming = chats.map((c) => c.resumeStream());
await until(() => chats.every((c) => c.status === "streaming"));
print("resumed"); // the answers may end now
await Promise.all(resuming);
print({ broken, outcomes: chats.map((c, i) => ({ ...outcome(c), before: before[i], messages: c.messages.length })) });
process.exit(0);
