// npm's socket.io-client as a client of a server with the events of
// conformance.js. It prints its results as lines of JSON.
//
//   node serverclient.js URL websocket|polling|polling,websocket
//
// Each line is a check that has passed. The first failure ends the process.
import assert from "node:assert/strict";
import { once } from "node:events";
import { io } from "socket.io-client";

const [url, list] = process.argv.slice(2);
const transports = list.split(",");
const open = [];
const connect = (namespace = "", options = {}) => {
  const socket = io(url + namespace, { transports, forceNew: true, reconnectionDelay: 10, reconnectionDelayMax: 50, ...options });
  open.push(socket);
  return socket;
};
async function check(name, test) {
  await test();
  for (const socket of open.splice(0)) socket.disconnect();
  console.log(JSON.stringify({ check: name }));
}
setTimeout(() => {
  console.error("serverclient: timeout");
  process.exit(1);
}, 60_000);

await check("connect", async () => {
  const socket = connect("", { auth: { token: "good", n: 1 }, query: { tenant: "a&b" } });
  await once(socket, "connect");
  const handshake = await socket.emitWithAck("handshake");
  assert.equal(handshake.id, socket.id);
  assert.deepEqual(handshake.auth, { token: "good", n: 1 });
  assert.equal(handshake.query.tenant, "a&b");
});

await check("transport and upgrade", async () => {
  const socket = connect();
  const { engine } = socket.io;
  await once(socket, "connect");
  if (transports.length > 1) {
    if (engine.transport.name !== "websocket") await new Promise((resolve) => engine.once("upgrade", resolve));
    assert.equal((await socket.emitWithAck("handshake")).transport, "websocket");
  } else {
    assert.equal((await socket.emitWithAck("handshake")).transport, transports[0]);
  }
});

await check("namespaces", async () => {
  const manager = connect();
  const custom = manager.io.socket("/custom");
  await once(custom, "connect");
  assert.equal((await custom.emitWithAck("handshake")).namespace, "/custom");
  assert.equal((await manager.emitWithAck("handshake")).namespace, "/");
  const [refused] = await once(manager.io.socket("/refused"), "connect_error");
  assert.equal(refused.message, "members only");
  assert.deepEqual(refused.data, { code: "E_MEMBER" });
  const [unknown] = await once(manager.io.socket("/nowhere"), "connect_error");
  assert.equal(unknown.message, "Invalid namespace");
  custom.disconnect();
  assert.equal(await manager.emitWithAck("echo", 1), 1);
});

await check("acknowledgements", async () => {
  const socket = connect();
  assert.deepEqual(await new Promise((resolve) => socket.emit("echo", 1, "two", [3], (...args) => resolve(args))), [1, "two", [3]]);
  assert.deepEqual(await new Promise((resolve) => socket.emit("echo", (...args) => resolve(args))), []);
  socket.on("double", (n, reply) => reply(2 * n, "and more"));
  assert.deepEqual(await socket.emitWithAck("ask", "double", 21), { reply: [42, "and more"] });
  socket.on("bytes", (b, reply) => reply(Buffer.concat([b, b])));
  assert.deepEqual(await socket.emitWithAck("ask", "bytes", Buffer.from([7])), { reply: [Buffer.from([7, 7])] });
  await assert.rejects(socket.timeout(50).emitWithAck("never"));
});

await check("text", async () => {
  const socket = connect();
  for (const text of ["", "é€", "日本語", "🎉👩‍👩‍👧", '\u2028\u2029\x00\x1e"\\', "𝄞"]) {
    assert.equal(await socket.emitWithAck("echo", text), text);
    assert.equal(await socket.emitWithAck("same", text, [...text].map((c) => c.codePointAt(0))), true);
  }
});

await check("binary", async () => {
  const bytes = (...b) => Buffer.from(b);
  const socket = connect();
  const want = [bytes(1), { nested: { list: ["text", bytes(2), [bytes(3, 3)]] }, empty: bytes() }, [bytes(4), null, bytes(5)], "text"];
  assert.deepEqual(await new Promise((resolve) => socket.emit("binary", (...args) => resolve(args))), want);
  socket.emit("binary event");
  assert.deepEqual((await once(socket, "binary")).slice(0, want.length), want); // an offset may follow
  assert.deepEqual(await socket.emitWithAck("types", ...want), [
    "bytes:1:1",
    { nested: { list: ["string", "bytes:1:2", ["bytes:2:3"]] }, empty: "bytes:0:" },
    ["bytes:1:4", "null", "bytes:1:5"],
    "string",
  ]);
  const large = Buffer.alloc(1 << 20, 9);
  assert.ok(large.equals(await socket.emitWithAck("echo", large)));
});

await check("order", async () => {
  const socket = connect();
  const numbers = [];
  socket.on("n", (n) => numbers.push(n));
  socket.emit("flood", 2000);
  for (let n = 0; n < 2000; n++) socket.emit("n", n);
  const heard = await socket.emitWithAck("heard");
  const want = Array.from({ length: 2000 }, (_, n) => n);
  assert.deepEqual(heard, want);
  assert.deepEqual(numbers, want);
});

await check("disconnect by the server", async () => {
  const socket = connect();
  socket.emit("disconnect me");
  assert.equal((await once(socket, "disconnect"))[0], "io server disconnect");
  socket.connect();
  assert.equal(await socket.emitWithAck("echo", "again"), "again");
});

await check("reconnection and recovery", async () => {
  const socket = connect();
  const numbers = [];
  socket.on("n", (n) => numbers.push(n));
  await once(socket, "connect");
  const { id } = socket;
  for (let round = 1; round <= 3; round++) {
    socket.emit("close and emit", 50);
    await once(socket, "disconnect");
    await once(socket, "connect");
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    await socket.emitWithAck("echo");
    assert.deepEqual(numbers.splice(0), Array.from({ length: 51 }, (_, n) => n));
  }
});

process.exit();
