// The history of the conversation, kept for a reload of the page in this tab.

const keep = 60; // lines
let key = "";
let lines = new Map(); // by id, the oldest first

// start returns the lines of a user in a room.
export function start({ user, room }) {
  key = `history ${JSON.stringify([user, room])}`;
  try {
    lines = new Map(JSON.parse(sessionStorage.getItem(key) ?? "[]"));
  } catch {
    lines = new Map(); // written by another version of the page
  }
  return [...lines.values()];
}

// add adds a line, or replaces the line with its id.
export function add(id, line) {
  lines.set(id, line);
  while (lines.size > keep) lines.delete(lines.keys().next().value);
  try {
    sessionStorage.setItem(key, JSON.stringify([...lines]));
  } catch {
    lines.clear(); // the storage is full: begin again
  }
}
