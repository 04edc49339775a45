// An EventSource behind a proxy that cuts its connections.
import { args, print, until } from "./lib.mjs";

const source = new EventSource(args.url + "/api/sse?chatId=sse&text=long");
const seen = [];
for (const name of ["begin", "ai:processing", "ai:token", "ai:message", "ai:error"]) {
  source.addEventListener(name, (event) => seen.push({ name, id: event.lastEventId, data: JSON.parse(event.data) }));
}
await until(() => source.readyState === EventSource.CLOSED);
print({ seen });
