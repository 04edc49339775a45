// The connection to the Go service: server-sent events from it, POST requests to it.

let session = null;

// open opens the tab's stream. on has a function for each kind of event, and the
// function lost, which is called when the stream breaks.
export function open(user, room, on) {
  const source = new EventSource(`stream?${new URLSearchParams({ user, room })}`);
  for (const [kind, handle] of Object.entries(on)) {
    source.addEventListener(kind, (event) => event.data !== undefined && handle(JSON.parse(event.data)));
  }
  source.addEventListener("hello", (event) => (session = JSON.parse(event.data).session));
  source.onerror = () => {
    session = null;
    on.lost?.();
  };
  return () => source.close();
}

// post sends a command. Its error has the text of the response.
export async function post(command, body = {}) {
  if (!session) throw new Error("the playground does not answer");
  const response = await fetch(`sessions/${session}/${command}`, { method: "POST", body: JSON.stringify(body) });
  if (!response.ok) throw new Error((await response.text()).trim());
  return response.status === 204 ? null : response.json();
}
