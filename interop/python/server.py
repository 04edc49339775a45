"""A server for the tests, with python-socketio on aiohttp or uvicorn.

    server.py aiohttp|uvicorn --port N
"""
import argparse
import json
import socket

import socketio

parser = argparse.ArgumentParser()
parser.add_argument("framework", choices=["aiohttp", "uvicorn"])
parser.add_argument("--port", type=int, default=0)
options = parser.parse_args()

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", options.port))
listener.listen()

io = socketio.AsyncServer(async_mode="aiohttp" if options.framework == "aiohttp" else "asgi")


@io.event
async def connect(sid, environ, auth):
    if (auth or {}).get("token") == "bad":
        raise socketio.exceptions.ConnectionRefusedError("not authorised")


@io.event
async def echo(sid, value):
    return value


@io.event
async def flood(sid, count):
    for n in range(count):
        await io.emit("n", n, to=sid)


@io.event
async def transport(sid):
    return io.eio.transport(io.manager.eio_sid_from_sid(sid, "/"))


@io.event
async def leave(sid):
    await io.disconnect(sid)


print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
if options.framework == "aiohttp":
    from aiohttp import web

    app = web.Application()
    io.attach(app)
    web.run_app(app, sock=listener, print=None)
else:
    import uvicorn

    config = uvicorn.Config(socketio.ASGIApp(io), log_level="error")
    uvicorn.Server(config).run(sockets=[listener])
