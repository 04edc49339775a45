// Answers in AI SDK 5, 6 and 7.
import { api, args, chat, outcome, print, text, until, versions } from "./lib.mjs";

const results = {};
for (const [version, lib] of Object.entries(versions)) {
  const result = (results[version] = {});
  for (const question of ["whole", "all at once", "different", "fail", "lost", ...args.codes.map((code) => "end " + code)]) {
    const c = chat(lib, `${version} ${question}`);
    await c.sendMessage({ text: question });
    result[question] = outcome(c);
  }

  // The response is read byte by byte.
  const split = (chunk, out) => chunk.forEach((byte) => out.enqueue(Uint8Array.of(byte)));
  const bytewise = async (url, init) => {
    const { body, headers } = await fetch(url, init);
    return new Response(body.pipeThrough(new TransformStream({ transform: split })), { headers });
  };
  const slow = chat(lib, `${version} bytes`, { transport: new lib.DefaultChatTransport({ api, fetch: bytewise }) });
  await slow.sendMessage({ text: "whole" });
  result.bytewise = outcome(slow);

  // Stopped in one tab, and seen in two.
  const id = `${version} a/b c?d \u2028`;
  const tabs = [chat(lib, id), chat(lib, id)];
  const reading = [tabs[0].sendMessage({ text: "endless" })];
  await until(() => text(tabs[0].lastMessage).length > 2);
  tabs[1].messages = tabs[0].messages.slice(0, 1);
  reading.push(tabs[1].resumeStream());
  await until(() => text(tabs[1].lastMessage).length > 2);
  const stop = (body) => fetch(`${api}/${encodeURIComponent(id)}/stop`, { method: "POST", body: JSON.stringify(body) });
  await stop({ activeStreamId: "stale" });
  const running = tabs.map((tab) => tab.status);
  await stop({ activeStreamId: tabs[0].lastMessage.id, assistantMessage: tabs[0].lastMessage });
  await Promise.all(reading);
  result.stopped = { running, tabs: tabs.map(outcome) };

  // Cut in mid-answer by the page, and read again in another tab.
  const first = chat(lib, `${version} cut`);
  const cut = first.sendMessage({ text: "slow" });
  await until(() => text(first.lastMessage).length > 2);
  await first.stop();
  await cut;
  const second = chat(lib, `${version} cut`);
  second.messages = first.messages.slice(0, 1);
  await second.resumeStream();
  result.cut = outcome(second);
  if (version !== "v5") {
    await first.resumeStream(); // the same instance; version 5 repeats the text
    result.again = outcome(first);
  }

  // Edit, regenerate, continue.
  const e = chat(lib, `${version} edit`);
  await e.sendMessage({ text: "first" });
  await e.sendMessage({ text: "edited", messageId: e.messages[0].id });
  await e.regenerate();
  result.edited = { ...outcome(e), messages: e.messages.length };
  await e.sendMessage(); // the last message is the assistant's
  result.continued = { status: e.status, error: e.error?.message };

  result.ids = Object.create(null); // it may have a member __proto__
  for (const id of ["__proto__", "constructor", "a/../b", "..."]) {
    const tabs = [chat(lib, id), chat(lib, id)];
    const reading = [tabs[0].sendMessage({ text: "endless" })];
    await until(() => text(tabs[0].lastMessage).length > 2);
    reading.push(tabs[1].resumeStream());
    await until(() => text(tabs[1].lastMessage).length > 2);
    await fetch(`${api}/${encodeURIComponent(id)}/stop`, { method: "POST" });
    await Promise.all(reading);
    result.ids[id] = tabs.map((tab) => tab.status);
  }
  for (const id of [".", "..", "/"]) {
    const c = chat(lib, id);
    await c.sendMessage({ text: "id" });
    result.ids[id] = [c.status, c.error?.message];
  }
}
const none = await fetch(`${api}/nothing/stream`);
print({ results, none: none.status });
