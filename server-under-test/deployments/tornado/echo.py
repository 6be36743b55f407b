"""An echo server as the tornado documentation writes it. Two settings differ from the defaults: websocket_max_message_size
(10 MiB would refuse the large cases), and get_compression_options, whose default offers no permessage-deflate."""

import asyncio
import os
import signal
import ssl

from tornado import httpserver, netutil, web, websocket

MAX_MESSAGE_SIZE = 64 * 1024 * 1024


class Echo(websocket.WebSocketHandler):
    def get_compression_options(self):
        return {}

    async def on_message(self, message):
        try:
            await self.write_message(message, binary=isinstance(message, bytes))
        except websocket.WebSocketClosedError:
            pass


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(os.environ["WSQ_CERT"], os.environ["WSQ_KEY"])
    app = web.Application([("/", Echo)], websocket_max_message_size=MAX_MESSAGE_SIZE)
    ports = []
    for options in (None, tls):
        sockets = netutil.bind_sockets(0, "127.0.0.1")
        httpserver.HTTPServer(app, ssl_options=options).add_sockets(sockets)
        ports.append(sockets[0].getsockname()[1])
    print(f"ready ws://127.0.0.1:{ports[0]}/ wss://127.0.0.1:{ports[1]}/", flush=True)
    await stop.wait()


asyncio.run(main())
