// A server of socket.io 2, which supports only revision 3 of Engine.IO.
import { createServer } from "node:http";
import { parseArgs } from "node:util";
import Server from "socket.io-2";

const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" } } });
const http = createServer();
Server(http, { serveClient: false });
http.listen(Number(options.port), "127.0.0.1", () => console.log(JSON.stringify({ port: http.address().port })));
