"""A raw WebSocket client on sockets, one exact frame at a time: nothing is repaired on the way.

Ws blocks; every wait ends at the deadline. What comes is read frame by frame and in order: frame() is the rawest, next()
answers Pings and gives whole messages, expect() is next() that insists. Text on /ws is JSON and given as objects.
"""
import base64
import hashlib
import json
import os
import socket
import struct
import threading
import time
import zlib

DEADLINE_S = float(os.environ.get("LIVE_DEADLINE_S", "30"))  # for what should come at once: only a hang reaches it
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Closed(Exception):
    """A Close frame came (code, reason), or the end of the octets without one: code 1006."""

    def __init__(self, code, reason=""):
        super().__init__(f"closed with {code} {reason!r}")
        self.code, self.reason = code, reason


class Refused(Exception):
    """The upgrade was answered with another status than 101."""

    def __init__(self, status, headers, body):
        super().__init__(f"refused with {status}: {body[:200]!r}")
        self.status, self.headers, self.body = status, headers, body


def mask(payload, key):
    if not payload or key == b"\0\0\0\0":
        return payload
    pad = (key * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(pad, "little")).to_bytes(len(payload), "little")


def frame_head(opcode, size, fin=True, rsv1=False, masked=True):
    first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode
    second = 0x80 if masked else 0
    if size < 126:
        return bytes([first, second | size])
    if size < 65536:
        return bytes([first, second | 126]) + struct.pack(">H", size)
    return bytes([first, second | 127]) + struct.pack(">Q", size)


def frame(opcode, payload=b"", fin=True, rsv1=False):
    key = os.urandom(4)
    return frame_head(opcode, len(payload), fin, rsv1) + key + mask(payload, key)


def upgrade(path="/ws", headers=(), subprotocol="wsquall.v1", key=None, host="localhost"):
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade",
             f"Sec-WebSocket-Key: {key or base64.b64encode(os.urandom(16)).decode()}", "Sec-WebSocket-Version: 13"]
    if subprotocol:
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    lines += [f"{name}: {value}" for name, value in dict(headers).items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class Raw:
    """Octets to and from a port. source: the local address; rcvbuf: a small receive buffer; tls: an SSLContext."""

    def __init__(self, port, source=None, rcvbuf=None, tls=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        if source:
            self.socket.bind((source, 0))
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect(("127.0.0.1", port))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.data = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.drop()

    def send(self, octets):
        self.socket.sendall(octets)

    def fill(self, size):
        while len(self.data) < size:
            try:
                more = self.socket.recv(262144)
            except ConnectionError:
                more = b""
            if not more:
                raise Closed(1006)
            self.data += more

    def take(self, size):
        self.fill(size)
        taken = bytes(self.data[:size])
        del self.data[:size]
        return taken

    def head(self):
        """The head of an HTTP answer: (status, headers by lower-case name)."""
        while b"\r\n\r\n" not in self.data:
            self.fill(len(self.data) + 1)
        text = self.take(self.data.index(b"\r\n\r\n") + 4).decode("latin-1")
        first, *lines = text.split("\r\n")[:-2]
        assert first.startswith("HTTP/1.1 "), first
        return int(first.split()[1]), {n.lower(): v.strip() for n, v in (line.split(":", 1) for line in lines)}

    def rest(self):
        """Everything up to the end."""
        try:
            while True:
                self.fill(len(self.data) + 1)
        except Closed:
            return bytes(self.data)

    def drop(self, reset=False):
        """Ends TCP without a Close frame; reset: by RST."""
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Ws(Raw):
    def __init__(self, port, path="/ws", headers=(), subprotocol="wsquall.v1", deflate=False, behind=b"", **options):
        super().__init__(port, **options)
        self.pongs, self.pings = True, 0  # pongs: answer Pings
        self.ids = 0
        self.sent = self.received = 0  # data messages
        self.pending = []  # of ask()
        headers = dict(headers)
        if deflate:
            headers["Sec-WebSocket-Extensions"] = "permessage-deflate"
        key = base64.b64encode(os.urandom(16))
        self.send(upgrade(path, headers, subprotocol, key.decode()) + behind)
        self.status, self.headers = self.head()
        if self.status != 101:
            raise Refused(self.status, self.headers, self.rest())
        assert self.headers["sec-websocket-accept"] == base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        self.conn = self.headers.get("x-wsquall-conn")
        self.subprotocol = self.headers.get("sec-websocket-protocol")
        self.deflate = "permessage-deflate" in self.headers.get("sec-websocket-extensions", "")
        self.inflater = zlib.decompressobj(-15)
        self.deflated = 0  # messages that came compressed
        self.welcome = None

    # raw
    def send_frame(self, opcode, payload=b"", fin=True, rsv1=False):
        self.send(frame(opcode, payload, fin, rsv1))
        if opcode in (TEXT, BINARY):
            self.sent += 1

    def frame(self):
        """(opcode, payload, fin, rsv1) of the next frame."""
        first, second = self.take(2)
        size = second & 0x7f
        if size == 126:
            size, = struct.unpack(">H", self.take(2))
        elif size == 127:
            size, = struct.unpack(">Q", self.take(8))
        assert not second & 0x80, "the server masked a frame"
        assert not first & 0x30, "RSV2 or RSV3 is set"
        return first & 0x0f, self.take(size), bool(first & 0x80), bool(first & 0x40)

    def message(self):
        """(opcode, payload) of the next data message; Pings are answered, a Close raises."""
        opcode, whole, packed, end = None, b"", False, time.monotonic() + DEADLINE_S
        while True:
            if time.monotonic() > end:  # Pings come for ever
                raise TimeoutError("no whole message came")
            op, payload, fin, rsv1 = self.frame()
            if op == PING:
                self.pings += 1
                if self.pongs:
                    self.send_frame(PONG, payload)
            elif op == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if payload else 1005
                raise Closed(code, payload[2:].decode())
            elif op != PONG:
                if opcode is None:
                    assert op in (TEXT, BINARY), f"a message begins with opcode {op}"
                    opcode, packed = op, rsv1
                else:
                    assert op == 0 and not rsv1, f"opcode {op} within a message"
                whole += payload
                if fin:
                    break
        if packed:
            assert self.deflate, "RSV1 without an extension"
            whole = self.inflater.decompress(whole + b"\0\0\xff\xff")
            self.deflated += 1
        self.received += 1
        return opcode, whole

    # wsquall.v1
    def say(self, message, **fields):
        """Sends an object, or text as it is."""
        if isinstance(message, dict):
            message = json.dumps({**message, **fields})
        payload = message.encode() if isinstance(message, str) else message
        if self.deflate:
            packer = zlib.compressobj(wbits=-15)
            packed = packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH)
            self.send_frame(TEXT, packed[:-4], rsv1=True)
        else:
            self.send_frame(TEXT, payload)

    def next(self):
        """The next message as an object."""
        if self.pending:
            return self.pending.pop(0)
        return self.receive()

    def receive(self):
        opcode, payload = self.message()
        assert opcode == TEXT, "a binary message on /ws"
        return json.loads(payload)

    def expect(self, kind, **fields):
        """The next message, which is of this type and has these fields."""
        got = self.next()
        want = {"type": kind, **fields}
        assert {k: got.get(k, "(absent)") for k in want} == want, f"got {short(got)}, wanted {short(want)}"
        return got

    def expect_exact(self, **want):
        got = self.next()
        assert got == want, f"got {short(got)}, wanted {short(want)}"
        return got

    def ask(self, **message):
        """Sends it with a fresh id and gives the answer; what comes before stays to be read by next()."""
        self.ids += 1
        message.setdefault("id", f"ask-{self.ids}")
        self.say(message)
        while True:
            got = self.receive()
            if "id" in got and got["id"] == message["id"]:
                return got
            self.pending.append(got)

    def barrier(self):
        """Everything that came before the answer to a ping sent now."""
        self.ids += 1
        mark = f"barrier-{self.ids}"
        self.say({"type": "ping", "id": mark})
        seen = []
        while True:
            got = self.next()
            if got.get("type") == "pong" and got.get("id") == mark:
                return seen
            seen.append(got)

    def nothing(self):
        seen = self.barrier()
        assert seen == [], f"nothing was due, but {short(seen)} came"

    def subscribe(self, channel, **fields):
        got = self.ask(type="subscribe", channel=channel, **fields)
        assert got["type"] == "subscribed", short(got)
        return got

    def publish(self, channel, data, **fields):
        got = self.ask(type="publish", channel=channel, data=data, **fields)
        assert got["type"] == "published", short(got)
        return got

    def messages(self, count, channel=None):
        """The next count messages, which are all of type message."""
        got = [self.expect("message") for _ in range(count)]
        assert channel is None or {m["channel"] for m in got} <= {channel}, short(got)
        return got

    # the end
    def ended(self, answer=True):
        """(code, reason) of the Close that comes, whatever comes before it, or 1006; answered, then TCP must end."""
        self.pending = []
        try:
            while True:
                self.message()
        except Closed as closed:
            if closed.code == 1006:
                return 1006, ""
            if answer:
                try:
                    self.send_frame(CLOSE, struct.pack(">H", closed.code) if closed.code != 1005 else b"")
                except OSError:
                    pass
                assert self.rest() == b"", "octets behind a Close"
            return closed.code, closed.reason

    def close(self, code=1000, reason=""):
        """The closing handshake begun by us; gives (code, reason) of the answer."""
        self.send_frame(CLOSE, (struct.pack(">H", code) if code else b"") + reason.encode())
        return self.ended(answer=False) + (self.rest(),)


def short(value):
    text = json.dumps(value)
    return text if len(text) < 700 else text[:700] + "..."


def open_ws(port, path="/ws", **options):
    """A connection that has been welcomed."""
    ws = Ws(port, path, **options)
    try:
        ws.welcome = ws.expect("welcome")
    except BaseException:
        ws.drop()
        raise
    return ws


def until(what, deadline_s=None, pause_s=0.01):
    """Asks until the answer is true, which it must be within the deadline; gives that answer."""
    end = time.monotonic() + (deadline_s or DEADLINE_S)
    while True:
        got = what()
        if got:
            return got
        assert time.monotonic() < end, "it did not come to pass within the deadline"
        time.sleep(pause_s)


def dripping(ws, octets):
    """Sends until the Close comes; its code. 1006 when it has not come by the deadline."""
    stop, end = threading.Event(), time.monotonic() + DEADLINE_S

    def send():
        try:
            while not stop.wait(0.05) and time.monotonic() < end:
                ws.send(octets())
            if not stop.is_set():
                ws.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    thread = threading.Thread(target=send)
    thread.start()
    try:
        return ws.ended(answer=False)[0]
    finally:
        stop.set()
        thread.join()

def refuse(ws, text, code, said_id=None):
    """Sends it; an error of this code with this id is the next that comes."""
    ws.say(text)
    got = ws.next()
    assert (got["type"], got["code"]) == ("error", code), f"{short(text)} got {short(got)}, wanted {code}"
    assert got["id"] == said_id and type(got["id"]) is type(said_id), f"{short(text)} got id {got['id']!r}"
    assert isinstance(got["reason"], str) and got["reason"], got


def a_publish(channel, data, **fields):
    return {"type": "publish", "channel": channel, "data": data, **fields}
