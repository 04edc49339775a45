// The openai client, with its default retries.
import OpenAI from "openai";
import { args, print } from "./lib.mjs";

const client = new OpenAI({ baseURL: args.url + "/v1", apiKey: "none" });
const ask = (content, more) => ({ model: "parley", messages: [{ role: "user", content }], ...more });
const result = {};
for (const include_usage of [false, true]) {
  const stream = client.chat.completions.stream(ask("whole", { stream_options: { include_usage } }));
  const completion = await stream.finalChatCompletion();
  result["usage " + include_usage] = { ...completion.choices[0], usage: completion.usage };
}
const whole = await client.chat.completions.create(ask("whole"));
result.create = { ...whole.choices[0], usage: whole.usage };
const failed = (error) => ({ name: error.constructor.name, status: error.status, code: error.code, message: error.message });
result.fail = await client.chat.completions.create(ask("fail")).catch(failed);
result.failStream = await client.chat.completions.stream(ask("fail")).finalChatCompletion().catch(failed);
print(result);
