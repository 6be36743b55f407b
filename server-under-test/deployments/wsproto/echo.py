"""An echo application as the ASGI specification has it, run by uvicorn with the protocol library wsproto; all defaults, over TCP and TLS."""

import asyncio
import os
import signal
import socket

import uvicorn


async def echo(scope, receive, send):
    if scope["type"] != "websocket":
        await send({"type": "http.response.start", "status": 404})
        await send({"type": "http.response.body"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send(dict(event, type="websocket.send"))


class Server(uvicorn.Server):
    def install_signal_handlers(self):
        """Two of them share the process: main() has the handler."""


def server(**tls):
    return Server(uvicorn.Config(echo, ws="wsproto", lifespan="off", log_level="error", **tls))


async def main():
    plain, secure = server(), server(ssl_certfile=os.environ["WSQ_CERT"], ssl_keyfile=os.environ["WSQ_KEY"])
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]

    def stop():
        plain.should_exit = secure.should_exit = True
        plain.force_exit = secure.force_exit = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    port, tls_port = (s.getsockname()[1] for s in sockets)
    print(f"ready ws://127.0.0.1:{port}/ wss://127.0.0.1:{tls_port}/", flush=True)
    await asyncio.gather(plain.serve([sockets[0]]), secure.serve([sockets[1]]))


asyncio.run(main())
