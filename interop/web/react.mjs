// useChat in React: unmounting, and resuming under StrictMode.
import { JSDOM } from "jsdom";
import { api, args, print, until } from "./lib.mjs";

const dom = new JSDOM('<div id="root"></div>', { url: args.url });
Object.assign(globalThis, { window: dom.window, document: dom.window.document, IS_REACT_ACT_ENVIRONMENT: false });
const { createElement, StrictMode } = await import("react");
const { createRoot } = await import("react-dom/client");
const { Chat, useChat } = await import("@ai-sdk/react");
const { DefaultChatTransport, lastAssistantMessageIsCompleteWithToolCalls } = await import("ai");

let requests = [];
const transport = new DefaultChatTransport({
  api,
  fetch: (url, init = {}) => {
    requests.push(init.method ?? "GET");
    return fetch(url, init);
  },
});

let current;
function Page({ id, resume, chat }) {
  current = useChat({
    ...(chat ? { chat } : { id, transport }),
    resume,
    onToolCall: () => requests.push("tool"),
    sendAutomaticallyWhen: lastAssistantMessageIsCompleteWithToolCalls,
  });
  return null;
}
const mount = (props, wrap = (page) => page) => {
  requests = [];
  const root = createRoot(document.getElementById("root"));
  root.render(wrap(createElement(Page, props)));
  return root;
};
const shown = () => current?.messages.at(-1)?.parts.filter((p) => p.type === "text").map((p) => p.text).join("") ?? "";

const root = mount({ id: "react" });
await until(() => current);
current.sendMessage({ text: args.resume ? "slow" : "endless" });
await until(() => current.messages.at(-1)?.role === "assistant" && shown().length > 2);
root.unmount();
const result = { unmounted: requests };
if (args.resume) {
  // StrictMode runs each effect twice. The hook aborts its first request before
  // it is sent.
  const strict = (page) => createElement(StrictMode, null, page);
  const again = mount({ id: "react", resume: true }, strict);
  await until(() => current.status === "ready" && shown().includes("9"));
  result.resumed = shown();
  again.unmount();

  // The same with a chat that outlives the page.
  current = undefined;
  const chat = new Chat({ id: "again", transport });
  chat.sendMessage({ text: "slow" });
  await until(() => chat.messages.length === 2);
  const outside = mount({ chat: new Chat({ id: "again", transport, messages: chat.messages.slice(0, 1) }), resume: true }, strict);
  await until(() => current?.status === "ready" && shown().includes("9"));
  result.outside = shown();
  outside.unmount();

  const tools = mount({ id: "tools" });
  await until(() => current.id === "tools");
  current.sendMessage({ text: "whole" });
  await until(() => current.status === "ready" && current.messages.length === 2);
  await new Promise((next) => setTimeout(next, 200)); // an automatic request would come now
  result.tools = requests;
  tools.unmount();
}
print(result);
process.exit(0);
