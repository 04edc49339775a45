// AG-UI's HttpAgent, and its checks of each event.
import { HttpAgent, verifyEvents } from "@ag-ui/client";
import { EventSchemas } from "@ag-ui/core/schemas";
import { from, lastValueFrom, toArray } from "rxjs";
import { args, print } from "./lib.mjs";

const warnings = [];
console.warn = console.error = (...text) => warnings.push(text.join(" "));

const run = async (question, stopAfter) => {
  const agent = new HttpAgent({ url: args.url + "/api/agui", threadId: "thread " + question });
  agent.addMessage({ id: "1", role: "user", content: question });
  const seen = [];
  let stopped = false;
  const outcome = await agent
    .runAgent({}, {
      onEvent: ({ event }) => {
        seen.push(event);
        if (stopAfter && !stopped && seen.length > stopAfter) {
          stopped = true;
          fetch(`${args.url}/api/chat/${encodeURIComponent(agent.threadId)}/stop`, { method: "POST" });
        }
      },
    })
    .then(() => "finished", (error) => "failed: " + error.message);
  return { outcome, messages: agent.messages, last: seen.at(-1) };
};

// frames reads the events of an answer and checks them.
const frames = async (question) => {
  const body = { threadId: "t", runId: "r", state: {}, messages: [{ id: "1", role: "user", content: question }], tools: [], context: [], forwardedProps: {} };
  const response = await fetch(args.url + "/api/agui", { method: "POST", body: JSON.stringify(body) });
  const events = (await response.text()).split("\n\n").filter((frame) => frame.startsWith("data: ")).map((frame) => EventSchemas.parse(JSON.parse(frame.slice(6))));
  return (await lastValueFrom(from(events).pipe(verifyEvents(false), toArray()))).length;
};

const result = {
  whole: await run("whole"),
  fail: await run("fail"),
  stopped: await run("endless", 5),
  random: [],
};
for (let seed = 0; seed < args.random; seed++) result.random.push(await frames("random " + seed));
print({ ...result, warnings });
