"""Fakes. None of these is a real server: each says what the documentation of its protocol says such a server says, for a
dialect whose real server cannot be installed here. A dialect that passes with a fake is proven against its author's
reading alone.

Plain: the subscribe/message protocol of chat examples. WebPubSub: Azure's json.reliable.webpubsub.azure.v1. Phoenix:
channels with serializer 2.0.0. Pusher: protocol 7, client events, which here also come back to their sender.
"""
import asyncio
import contextlib
import json
import re
import threading
import urllib.parse

import websockets


class Fake:
    """A server on a thread of its own; `port` is where. `subscribers`: {channel: {connection: something}}."""

    subprotocols = None

    def __enter__(self):
        self.subscribers, self.ready = {}, threading.Event()
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self.thread.start()
        assert self.ready.wait(30)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(30)

    async def serve(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        async with websockets.serve(self.talk, "127.0.0.1", 0, subprotocols=self.subprotocols) as server:
            self.port = server.sockets[0].getsockname()[1]
            self.ready.set()
            await self.over.wait()

    async def talk(self, ws):
        try:
            await self.begin(ws)
            async for text in ws:
                await self.hear(ws, json.loads(text))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.gone(ws)

    def gone(self, ws):
        for channel in self.subscribers.values():
            channel.pop(ws, None)

    async def begin(self, ws):
        pass

    def join(self, ws, channel, what=True):
        self.subscribers.setdefault(channel, {})[ws] = what

    async def cast(self, channel, make):
        """To each that is there; make(what it joined with) is the message."""
        for ws, what in list(self.subscribers.get(channel, {}).items()):
            with contextlib.suppress(websockets.ConnectionClosed):
                await ws.send(json.dumps(make(what)))


class Plain(Fake):
    async def hear(self, ws, m):
        if m["type"] == "subscribe":
            self.join(ws, m["channel"])
        elif m["type"] == "ping":
            await ws.send(json.dumps({"type": "pong", "ts": 1}))
        elif m["type"] == "publish":
            await self.cast(m["channel"], lambda _: {"type": "message", "channel": m["channel"], "data": m["data"]})


class WebPubSub(Fake):
    subprotocols = ["json.reliable.webpubsub.azure.v1"]

    def __enter__(self):
        self.sessions = {}  # by connectionId: groups, the number of the newest message, what is not acknowledged
        return super().__enter__()

    async def begin(self, ws):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(ws.path).query)
        old = query.get("awps_connection_id", [None])[0]
        if old:
            ws.session = self.sessions[old]
            assert query["awps_reconnection_token"] == [ws.session["token"]]
            ws.session["ws"] = ws
            for message in list(ws.session["unacked"]):
                await ws.send(json.dumps(message))
            return
        name = f"connection/{len(self.sessions)}"
        ws.session = {"token": f"token+{name}=", "groups": set(), "newest": 0, "unacked": [], "ws": ws}
        self.sessions[name] = ws.session
        await ws.send(json.dumps({"type": "system", "event": "connected", "userId": "u", "connectionId": name,
                                  "reconnectionToken": ws.session["token"]}))

    async def hear(self, ws, m):
        if m["type"] == "joinGroup":
            ws.session["groups"].add(m["group"])
        elif m["type"] == "sequenceAck":
            ws.session["unacked"] = [u for u in ws.session["unacked"] if u["sequenceId"] > m["sequenceId"]]
        elif m["type"] == "sendToGroup":
            await self.send(m)
        if "ackId" in m:
            await ws.send(json.dumps({"type": "ack", "ackId": m["ackId"], "success": True}))

    async def send(self, m):
        for session in self.sessions.values():
            if m["group"] not in session["groups"]:
                continue
            session["newest"] += 1
            message = {"sequenceId": session["newest"], "type": "message", "from": "group", "group": m["group"],
                       "dataType": m["dataType"], "data": m["data"]}
            session["unacked"].append(message)
            with contextlib.suppress(websockets.ConnectionClosed):
                await session["ws"].send(json.dumps(message))


class Phoenix(Fake):
    async def hear(self, ws, m):
        join_ref, ref, topic, event, payload = m
        if event == "phx_join":
            self.join(ws, topic, join_ref)
        elif event == "new_msg":
            await self.cast(topic, lambda _: [None, None, topic, event, payload])
        await ws.send(json.dumps([join_ref, ref, topic, "phx_reply", {"status": "ok", "response": {}}]))


class Pusher(Fake):
    async def begin(self, ws):
        assert re.search(r"[?&]protocol=7", ws.path), ws.path
        await ws.send(json.dumps({"event": "pusher:connection_established",
                                  "data": json.dumps({"socket_id": "1.2", "activity_timeout": 120})}))

    async def hear(self, ws, m):
        if m["event"] == "pusher:subscribe":
            channel = m["data"]["channel"]
            self.join(ws, channel)
            await ws.send(json.dumps({"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"}))
        elif m["event"] == "pusher:ping":
            await ws.send(json.dumps({"event": "pusher:pong", "data": {}}))
        elif m["event"].startswith("client-"):
            assert isinstance(m["data"], str)
            await self.cast(m["channel"], lambda _: m)
