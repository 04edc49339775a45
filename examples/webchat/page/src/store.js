// The messages of a chat, in the browser. A program with a database would load
// them from its server.
const key = (id) => "chat " + id;

export function load(id) {
  try {
    return JSON.parse(localStorage.getItem(key(id))) ?? [];
  } catch {
    return [];
  }
}

export function save(id, messages) {
  try {
    localStorage.setItem(key(id), JSON.stringify(messages));
  } catch {
    // The storage is full or forbidden; the chat works without it.
  }
}

// onSaved calls fn when another tab has saved messages of the chat. It returns a
// function that ends the calls.
export function onSaved(id, fn) {
  const listen = (event) => event.key === key(id) && fn(load(id));
  addEventListener("storage", listen);
  return () => removeEventListener("storage", listen);
}
