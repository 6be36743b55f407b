"""An echo server as the documentation of socketify, uWebSockets for Python, writes it. Settings that differ from the defaults:
max_payload_length (16 KiB would refuse the large cases), max_backpressure (64 KiB would drop their echoes) and compression (none)."""

import os

from socketify import App, CompressOptions

MESSAGE_MAX = 64 * 1024 * 1024

app = App()
app.ws(
    "/",
    {
        "compression": CompressOptions.DEDICATED_COMPRESSOR_256KB | CompressOptions.DEDICATED_DECOMPRESSOR_32KB,
        "max_payload_length": MESSAGE_MAX,
        "max_backpressure": 2 * MESSAGE_MAX,
        "message": lambda ws, message, opcode: ws.send(message, opcode),
    },
)
app.listen(
    {"port": int(os.environ["WSQ_PORT"]), "host": "127.0.0.1"},
    lambda config: print(f"ready ws://127.0.0.1:{config.port}/", flush=True),
)
app.run()
