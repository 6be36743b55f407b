"""An echo server as the aiohttp documentation writes it; all defaults but max_msg_size (4 MiB would refuse the large cases)."""

import asyncio
import os
import signal
import ssl

from aiohttp import WSMsgType, web

MAX_MSG_SIZE = 64 * 1024 * 1024


async def echo(request):
    ws = web.WebSocketResponse(max_msg_size=MAX_MSG_SIZE)
    await ws.prepare(request)
    async for msg in ws:
        if msg.type == WSMsgType.TEXT:
            await ws.send_str(msg.data)
        elif msg.type == WSMsgType.BINARY:
            await ws.send_bytes(msg.data)
    return ws


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.environ["WSQ_CERT"], os.environ["WSQ_KEY"])
    app = web.Application()
    app.add_routes([web.get("/", echo)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    (_, port), (_, tls_port) = runner.addresses
    print(f"ready ws://127.0.0.1:{port}/ wss://127.0.0.1:{tls_port}/", flush=True)
    await stop.wait()
    await runner.cleanup()


asyncio.run(main())
