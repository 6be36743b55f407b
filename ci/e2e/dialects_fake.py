"""Fakes. None of these is a real server: each says what the documentation of its protocol says such a server says, for a
dialect whose real server cannot be installed here, or only in minutes. ci/e2e/fakes lets the protocols' own clients, unchanged,
talk to them: what those cannot tell from the real server, we cannot either.

Plain: the subscribe/message protocol of chat examples. WebPubSub: Azure's json.reliable.webpubsub.azure.v1. Phoenix:
channels with serializer 2.0.0, and a channel that broadcasts `new_msg` and replies. Pusher: protocol 7 with its HTTP API.
"""
import asyncio
import contextlib
import hashlib
import hmac
import json
import threading
import time
import urllib.parse

import websockets

LIMIT_S = 30


class Fake:
    """A server on a thread of its own; `port` is where. `subscribers`: {channel: {connection: something}}."""

    subprotocols = None

    def __enter__(self):
        self.subscribers, self.ready, self.held = {}, threading.Event(), None
        self.connections, self.beats, self.handshakes = set(), 0, 0
        self.thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self.thread.start()
        assert self.ready.wait(LIMIT_S)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.over.set)
        self.thread.join(LIMIT_S)

    async def serve(self):
        self.loop, self.over = asyncio.get_running_loop(), asyncio.Event()
        async with websockets.serve(self.talk, "127.0.0.1", 0, subprotocols=self.subprotocols,
                                    process_request=self.request) as server:
            self.port = server.sockets[0].getsockname()[1]
            await self.begin_serving()
            self.ready.set()
            await self.over.wait()

    async def begin_serving(self):
        pass

    async def request(self, path, _):
        if self.held and self.held in path:
            return 503, [], b""

    async def talk(self, ws):
        self.connections.add(ws)
        self.handshakes += 1
        try:
            await self.begin(ws)
            async for text in ws:
                if ws.open:  # else we have closed it
                    await self.hear(ws, json.loads(text))
        except websockets.ConnectionClosed:
            pass
        finally:
            self.connections.discard(ws)
            self.gone(ws)

    def gone(self, ws):
        for channel in self.subscribers.values():
            channel.pop(ws, None)

    async def begin(self, ws):
        pass

    def join(self, ws, channel, what=True):
        self.subscribers.setdefault(channel, {})[ws] = what

    async def cast(self, channel, make, but=None):
        """To each that is there; make(what it joined with) is the message."""
        for ws, what in list(self.subscribers.get(channel, {}).items()):
            if ws is not but:
                await self.say(ws, make(what))

    async def say(self, ws, message):
        with contextlib.suppress(websockets.ConnectionClosed):
            await ws.send(json.dumps(message))

    # For tests, from another thread.

    def soon(self, do):
        """Done in the server's thread; its result."""
        async def call():
            return do()
        return asyncio.run_coroutine_threadsafe(call(), self.loop).result(LIMIT_S)

    def hold(self, word):
        """Connections with this word in their URL are cut off without a Close, and nobody with it is let in again."""
        def cut():
            self.held = word
            for ws in self.connections:
                if word in ws.path:
                    ws.transport.abort()
        self.soon(cut)
        self.until(lambda: not any(word in ws.path for ws in self.connections))

    def let_in(self):
        self.soon(lambda: setattr(self, "held", None))

    def until(self, true):
        deadline = time.monotonic() + LIMIT_S
        while not self.soon(true):
            assert time.monotonic() < deadline, "it did not come to pass"
            time.sleep(0.01)


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
    tells_recovery = False  # a connection that is gone on with begins with `connected` and another token

    def __enter__(self):
        self.sessions = {}  # by connectionId
        self.lose_ack = False
        return super().__enter__()

    async def begin(self, ws):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(ws.path).query)
        name, token = (query.get("awps_" + key, [None])[0] for key in ("connection_id", "reconnection_token"))
        ws.session = self.sessions.get(name)
        if name and (not ws.session or token not in ws.session["tokens"]):
            await ws.close(1008)
        elif name:
            ws.session |= {"ws": ws, "came_with": token}
            if self.tells_recovery:
                await self.connected(ws)
            for message in list(ws.session["unacked"]):
                await self.say(ws, message)
        else:
            name = f"connection/{self.handshakes}"
            ws.session = {"name": name, "tokens": [], "groups": set(), "newest": 0, "unacked": [], "acks": set(), "ws": ws}
            self.sessions[name] = ws.session
            await self.connected(ws)

    async def connected(self, ws):
        tokens = ws.session["tokens"]  # an older one is as good: the newest may not have come through
        tokens.append(f"token+{ws.session['name']}/{len(tokens)}=")
        await self.say(ws, {"type": "system", "event": "connected", "userId": "u", "connectionId": ws.session["name"],
                            "reconnectionToken": tokens[-1]})

    async def hear(self, ws, m):
        if m["type"] == "ping":
            self.beats += 1
            await self.say(ws, {"type": "pong"})
        elif m["type"] == "sequenceAck":
            ws.session["unacked"] = [u for u in ws.session["unacked"] if u["sequenceId"] > m["sequenceId"]]
        else:
            await self.ask(ws, m)

    async def ask(self, ws, m):
        answer = {"type": "ack", "ackId": m["ackId"], "success": True}
        if m["ackId"] in ws.session["acks"]:
            answer |= {"success": False, "error": {"name": "Duplicate", "message": "it was done already"}}
        elif m["type"] == "joinGroup":
            ws.session["groups"].add(m["group"])
        elif m["type"] == "leaveGroup":
            ws.session["groups"].discard(m["group"])
        elif m["type"] == "sendToGroup":
            await self.send(ws, m)
        else:
            answer |= {"success": False, "error": {"name": "BadRequest", "message": m["type"]}}
        ws.session["acks"].add(m["ackId"])
        lost, self.lose_ack = self.lose_ack, False
        if lost:
            ws.transport.abort()
        else:
            await self.say(ws, answer)

    async def send(self, ws, m):
        for session in self.sessions.values():
            if m["group"] not in session["groups"] or (m.get("noEcho") and session is ws.session):
                continue
            session["newest"] += 1
            message = {"sequenceId": session["newest"], "type": "message", "from": "group", "group": m["group"],
                       "dataType": m["dataType"], "data": m["data"], "fromUserId": "u"}
            session["unacked"].append(message)
            await self.say(session["ws"], message)


class WebPubSubTells(WebPubSub):
    tells_recovery = True


class Phoenix(Fake):
    """As Phoenix.Socket and Phoenix.Channel.Server do it, with `handle_in("new_msg")` that broadcasts and replies :ok."""

    async def begin(self, ws):
        assert urllib.parse.parse_qs(urllib.parse.urlsplit(ws.path).query)["vsn"] == ["2.0.0"], ws.path

    async def hear(self, ws, m):
        join_ref, ref, topic, event, payload = m
        joined = self.subscribers.get(topic, {}).get(ws)
        status, response = "ok", {}
        if event == "phx_join":
            if joined:
                await self.say(ws, [joined, joined, topic, "phx_close", {}])
            self.join(ws, topic, join_ref)
        elif topic == "phoenix" and event == "heartbeat":
            self.beats += 1
        elif event == "phx_leave" and joined and join_ref != joined:
            return  # of a channel that was closed before
        elif event == "phx_leave" and joined:
            del self.subscribers[topic][ws]
        elif event == "new_msg" and joined:
            join_ref = joined
            await self.cast(topic, lambda _: [None, None, topic, event, payload])
        elif event != "phx_leave":
            status, response = "error", {"reason": "unmatched topic"}
        await self.say(ws, [join_ref, ref, topic, "phx_reply", {"status": status, "response": response}])
        if event == "phx_leave" and joined:
            await self.say(ws, [joined, joined, topic, "phx_close", {}])

    def crash(self, topic):
        """The channel's processes die: the clients are told, and are to join again."""
        async def tell():
            for ws, joined in self.subscribers.pop(topic, {}).items():
                await self.say(ws, [joined, joined, topic, "phx_error", {}])
        asyncio.run_coroutine_threadsafe(tell(), self.loop).result(LIMIT_S)


class Pusher(Fake):
    """`port` takes both WebSockets and the HTTP API, whose requests must be signed; so must be joining a private channel."""

    app, key, secret = "app-id", "app-key", b"app-secret"

    def __enter__(self):
        self.refused = []
        return super().__enter__()

    async def begin_serving(self):
        self.inner = self.port
        self.front = await asyncio.start_server(self.take, "127.0.0.1", 0)
        self.port = self.front.sockets[0].getsockname()[1]

    async def take(self, reader, writer):
        """A request of the API is answered; any other connection is the WebSocket server's."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while (head := await reader.readuntil(b"\r\n\r\n")).startswith(b"POST"):
                line, *fields = head.decode().split("\r\n")
                length = next(int(f.split(":")[1]) for f in fields if f.lower().startswith("content-length:"))
                status, body = await self.post(line.split()[1], await reader.readexactly(length))
                writer.write(f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n"
                             f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
            there, to = await asyncio.open_connection("127.0.0.1", self.inner)
            to.write(head)
            await asyncio.gather(self.carry(reader, to), self.carry(there, writer))
        writer.close()

    @staticmethod
    async def carry(reader, writer):
        with contextlib.suppress(OSError):
            while octets := await reader.read(65536):
                writer.write(octets)
                await writer.drain()
        writer.close()

    def sign(self, text):
        return hmac.new(self.secret, text.encode(), hashlib.sha256).hexdigest()

    async def post(self, target, body):
        path, _, query = target.partition("?")
        said = dict(urllib.parse.parse_qsl(query))
        signature = said.pop("auth_signature", "")
        wanted = self.sign("\n".join(["POST", path, "&".join(f"{k}={said[k]}" for k in sorted(said))]))
        good = said.get("auth_key") == self.key and said.get("body_md5") == hashlib.md5(body).hexdigest()
        good = good and abs(time.time() - int(said["auth_timestamp"])) < 600 and said["auth_version"] == "1.0"
        if path != f"/apps/{self.app}/events" or not good or signature != wanted:
            self.refused.append(target)
            return 401, '{"error":"Invalid signature"}'
        m = json.loads(body)
        assert isinstance(m["data"], str), m
        for channel in m.get("channels") or [m["channel"]]:
            await self.cast(channel, lambda _: {"event": m["name"], "channel": channel, "data": m["data"]})
        return 200, "{}"

    async def begin(self, ws):
        url = urllib.parse.urlsplit(ws.path)
        assert urllib.parse.parse_qs(url.query)["protocol"] == ["7"], ws.path
        ws.socket_id = f"1.{self.handshakes}"
        if not url.path.endswith(f"/app/{self.key}"):
            await self.say(ws, {"event": "pusher:error", "data": {"code": 4001, "message": "App does not exist"}})
            await ws.close(4001)
        await self.say(ws, {"event": "pusher:connection_established",
                            "data": json.dumps({"socket_id": ws.socket_id, "activity_timeout": 120})})

    async def hear(self, ws, m):
        event = m["event"]
        if event == "pusher:subscribe":
            await self.subscribe(ws, m["data"]["channel"], m["data"].get("auth"))
        elif event == "pusher:unsubscribe":
            self.subscribers.get(m["data"]["channel"], {}).pop(ws, None)
        elif event == "pusher:ping":
            self.beats += 1
            await self.say(ws, {"event": "pusher:pong", "data": {}})
        elif event == "pusher:pong":
            self.beats += 1
        elif event.startswith("client-") and m["channel"].startswith("private-"):
            await self.cast(m["channel"], lambda _: {**m, "data": json.dumps(m["data"])}, but=ws)

    async def subscribe(self, ws, channel, auth):
        if channel.startswith("private-") and auth != f"{self.key}:{self.sign(f'{ws.socket_id}:{channel}')}":
            self.refused.append(channel)
            await self.say(ws, {"event": "pusher:subscription_error", "channel": channel,
                                "data": {"type": "AuthError", "error": "Invalid signature", "status": 401}})
            return
        self.join(ws, channel)
        await self.say(ws, {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"})

    def ping(self):
        asyncio.run_coroutine_threadsafe(self.ping_all(), self.loop).result(LIMIT_S)

    async def ping_all(self):
        for ws in list(self.connections):
            await self.say(ws, {"event": "pusher:ping", "data": {}})
