// The Workflow transport behind a proxy that cuts its connections.
import { WorkflowChatTransport } from "@ai-sdk/workflow/client";
import { api, chat, outcome, print, versions } from "./lib.mjs";

const c = chat(versions.v7, "workflow", { transport: new WorkflowChatTransport({ api }) });
await c.sendMessage({ text: "long" });
print(outcome(c));
