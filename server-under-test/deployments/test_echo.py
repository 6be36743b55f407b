"""Says hello to the server that `with` started: text and binary, empty, small and large, over ws and, where served, wss.

    with NAME -- /usr/bin/python3 -I test_echo.py

The client is Python's websockets: nothing of wsquall's own. That the URLs are right and answer is all it shows: how well
the server keeps to the protocol is for wsquall to find out."""

import asyncio
import os
import ssl
import sys

import websockets

MESSAGES = ["", "hello", "κόσμε", b"", b"\x00\xff\xfe", "x" * 126, b"y" * 65536, "z" * 300_000]
LIMIT_S = 30


async def visit(url, tls):
    async with websockets.connect(url, ssl=tls, max_size=None) as ws:
        for sent in MESSAGES:
            await ws.send(sent)
            got = await asyncio.wait_for(ws.recv(), LIMIT_S)
            if got != sent:
                sys.exit(f"{url}: sent {sent[:20]!r} of {len(sent)}, got {got[:20]!r} of {len(got)}")
        await asyncio.wait_for(await ws.ping(), LIMIT_S)
    if ws.close_code != 1000:
        sys.exit(f"{url}: closed with {ws.close_code}")
    return [e.name for e in ws.extensions]


async def main():
    seen = []
    for key in ("WSQ_URL", "WSQ_WSS_URL"):
        if url := os.environ.get(key):
            tls = ssl.create_default_context(cafile=os.environ["WSQ_CA"]) if key == "WSQ_WSS_URL" else None
            seen.append(f"{url} {' '.join(await visit(url, tls)) or 'no extension'}")
    if not seen:
        sys.exit("no WSQ_URL: run this by `with`")
    print(f"{os.environ['WSQ_NAME']} ({os.environ['WSQ_VERSION']}):", ", ".join(seen))


asyncio.run(main())
