"""An echo server as the websockets documentation writes it; all defaults but max_size (1 MiB would refuse the large cases)."""

import asyncio
import os
import signal
import ssl

import websockets

MAX_SIZE = 64 * 1024 * 1024


async def echo(connection):
    try:
        async for message in connection:
            await connection.send(message)
    except websockets.ConnectionClosedError:
        pass


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.environ["WSQ_CERT"], os.environ["WSQ_KEY"])
    async with websockets.serve(echo, "127.0.0.1", 0, max_size=MAX_SIZE) as plain:
        async with websockets.serve(echo, "127.0.0.1", 0, max_size=MAX_SIZE, ssl=tls) as secure:
            port, tls_port = (server.sockets[0].getsockname()[1] for server in (plain, secure))
            print(f"ready ws://127.0.0.1:{port}/ wss://127.0.0.1:{tls_port}/", flush=True)
            await stop.wait()


asyncio.run(main())
